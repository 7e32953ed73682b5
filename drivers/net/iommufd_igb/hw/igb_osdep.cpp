// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The real registers.

#include "hw/igb_mmio.hpp"

#include <ctime>
#include <new>

#include <rte_cycles.h>
#include <rte_io.h>

namespace igb {

namespace {

class MmioRegisters final : public Registers {
public:
    explicit MmioRegisters(void *bar) : bar_(static_cast<volatile std::uint8_t *>(bar)) {}

    // rte_read32() and rte_write32() bring the barriers that Registers promises.
    std::uint32_t read(std::uint32_t offset) override { return rte_read32(bar_ + offset); }
    void write(std::uint32_t offset, std::uint32_t value) override {
        rte_write32(value, bar_ + offset);
    }

    std::uint64_t now_us() override {
        timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
               static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
    }

    void sleep_us(std::uint32_t us) override { rte_delay_us_sleep(us); }

private:
    volatile std::uint8_t *bar_;
};

static_assert(sizeof(MmioRegisters) <= registers_room);

} // namespace

Registers &make_registers(void *room, void *bar) {
    return *new (room) MmioRegisters(bar);
}

} // namespace igb
