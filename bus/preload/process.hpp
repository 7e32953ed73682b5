// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Secondary processes. The kernel binds a device to one open file, so they do not open devices:
// they ask the primary, and get its descriptors over SCM_RIGHTS (rte_mp_*):
//
//     {BDF ""}  ->  iommufd, IOAS id
//     {BDF}     ->  the device's cdev

#include <cstdint>
#include <string>

#include "core/sys/kernel.hpp"
#include "core/sys/result.hpp"

namespace iommufd::preload {

struct EalApi;

// A descriptor of the primary's, and the IOAS it belongs to.
struct LentDescriptor {
    int fd = -1; // the caller's; closed by exec
    std::uint32_t ioas = 0;
};

// Calls answer with EAL's thread for messages. It gives descriptors that stay the primary's, or
// fd -1. Without multi-process (--in-memory) nothing is done.
void serve_secondaries(const EalApi &eal, LentDescriptor (*answer)(const std::string &bdf));

// Errors: ETIMEDOUT if the primary does not answer, ENODEV if it has not the device.
Result<LentDescriptor> ask_primary(Kernel &kernel, const EalApi &eal, const std::string &bdf);

} // namespace iommufd::preload
