// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <cstdint>

#include "core/ioas/address.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

// Where those go who have no caller to return an error to: events of EAL, the end of a device.
// Nothing in the core logs.
class MemoryReport {
public:
    MemoryReport() = default;
    MemoryReport(const MemoryReport &) = delete;
    MemoryReport &operator=(const MemoryReport &) = delete;
    virtual ~MemoryReport() = default;

    virtual void failed(const char *what, const Error &error) = 0;
    // Memory has gone that a queue or a pool still uses, so that it stays pinned until it does not.
    virtual void still_used(const char *what, Va va, std::uint64_t length) = 0;
};

} // namespace iommufd
