// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The seam between hardware control and the hardware: register access and time.
//
// hw/igb_osdep.cpp has the real one. tests/model has a model of the device whose clock stands
// still until somebody sleeps, so that every deadline can be tested in no time.

#include <cstdint>

namespace igb {

class Registers {
public:
    // 32-bit read at a byte offset; ordered after every access made before it.
    virtual std::uint32_t read(std::uint32_t offset) = 0;

    // 32-bit write at a byte offset; memory written before it is visible to the device.
    virtual void write(std::uint32_t offset, std::uint32_t value) = 0;

    // Monotonic clock in microseconds.
    virtual std::uint64_t now_us() = 0;

    // Let at least us microseconds pass.
    virtual void sleep_us(std::uint32_t us) = 0;

protected:
    ~Registers() = default;
};

} // namespace igb
