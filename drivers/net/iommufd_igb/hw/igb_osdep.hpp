// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The seam between hardware control and the hardware: register access and time.
//
// igb_osdep.cpp has the real functions. tests/model has others of the same names, over a model of
// the device whose clock stands still until somebody sleeps, so that every deadline can be tested
// in no time. Which of them a program has is decided when it is linked: a Registers is an address
// and no more, is made where it is needed, and leaves nothing (a vtable's address, say) in memory
// that processes share.

#include <cstdint>

namespace igb {

class Registers {
public:
    // bar: BAR 0, register_space bytes.
    explicit Registers(void *bar) : bar_(bar) {}

    // 32-bit read at a byte offset; ordered after every access made before it.
    std::uint32_t read(std::uint32_t offset) const; // NOLINT(*-use-nodiscard): has side effects

    // 32-bit write at a byte offset; memory written before it is visible to the device.
    void write(std::uint32_t offset, std::uint32_t value) const;

    // Monotonic clock in microseconds.
    [[nodiscard]] std::uint64_t now_us() const;

    // Let at least us microseconds pass.
    void sleep_us(std::uint32_t us) const;

private:
    void *bar_;
};

} // namespace igb
