// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Which of a socket's brokers has a device for its client: a file of a byte per device, and a
// record lock on it by the broker's process (fcntl(2), F_SETLK). So a lease ends with the broker
// however that ends, and no other process can give it away.

#include <cstddef>

#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"

namespace iommufd::broker {

class Leases {
public:
    // Before the processes are forked that share it; a child inherits no lease.
    static Result<Leases> create();

    // By number. Again is nothing. -EBUSY: another process has it.
    [[nodiscard]] int take(std::size_t device) const;
    void release(std::size_t device) const;
    [[nodiscard]] bool is_taken_by_another(std::size_t device) const;
    // What must stay open.
    [[nodiscard]] int fd() const { return file_.get(); }

private:
    explicit Leases(Fd file) : file_(std::move(file)) {}
    Fd file_;
};

} // namespace iommufd::broker
