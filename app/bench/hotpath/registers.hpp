/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file The registers of a modelled NIC: plain memory, as its BAR looks to a driver. */

#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

class Registers {
public:
    /** @param bytes  Size of the BAR, a multiple of the page size. Zeroed. */
    explicit Registers(size_t bytes);
    ~Registers();
    Registers(const Registers &) = delete;
    Registers &operator=(const Registers &) = delete;

    volatile uint32_t &operator[](uint32_t offset) { return memory_[offset / sizeof(uint32_t)]; }

    void *address() const { return const_cast<uint32_t *>(memory_); }
    size_t size() const { return bytes_; }

private:
    volatile uint32_t *memory_;
    size_t bytes_;
};

} // namespace bench
