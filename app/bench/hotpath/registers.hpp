// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The registers of a modelled NIC: plain memory, as its BAR looks to a driver.

#pragma once

#include <cstddef>
#include <cstdint>

namespace bench {

class Registers {
public:
    // bytes: size of the BAR, a multiple of the page size. Zeroed.
    explicit Registers(std::size_t bytes);
    ~Registers();
    Registers(const Registers &) = delete;
    Registers &operator=(const Registers &) = delete;

    volatile std::uint32_t &operator[](std::uint32_t offset) {
        return memory_[offset / sizeof(std::uint32_t)];
    }

    [[nodiscard]] void *address() const { return const_cast<std::uint32_t *>(memory_); }
    [[nodiscard]] std::size_t size() const { return bytes_; }

private:
    volatile std::uint32_t *memory_;
    std::size_t bytes_;
};

} // namespace bench
