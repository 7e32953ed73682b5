// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The real registers, and time.

#include "hw/igb_osdep.hpp"

#include <ctime>

#include <rte_cycles.h>
#include <rte_io.h>

namespace igb {

// rte_read32() and rte_write32() bring the barriers that Registers promises.
std::uint32_t Registers::read(std::uint32_t offset) const {
    return rte_read32(static_cast<volatile std::uint8_t *>(bar_) + offset);
}

void Registers::write(std::uint32_t offset, std::uint32_t value) const {
    rte_write32(value, static_cast<volatile std::uint8_t *>(bar_) + offset);
}

std::uint64_t Registers::now_us() const {
    timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

void Registers::sleep_us(std::uint32_t us) const {
    rte_delay_us_sleep(us);
}

} // namespace igb
