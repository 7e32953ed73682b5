/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file The real registers. */

#include "hw/igb_mmio.hpp"

#include <ctime>
#include <new>

#include <rte_cycles.h>
#include <rte_io.h>

namespace igb {

namespace {

class MmioRegisters final : public Registers {
public:
    explicit MmioRegisters(void *bar) : bar_(static_cast<volatile uint8_t *>(bar)) {}

    // rte_read32() and rte_write32() bring the barriers that Registers promises.
    uint32_t read(uint32_t offset) override { return rte_read32(bar_ + offset); }
    void write(uint32_t offset, uint32_t value) override { rte_write32(value, bar_ + offset); }

    uint64_t now_us() override {
        timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<uint64_t>(now.tv_sec) * 1'000'000 +
               static_cast<uint64_t>(now.tv_nsec) / 1'000;
    }

    void sleep_us(uint32_t us) override { rte_delay_us_sleep(us); }

private:
    volatile uint8_t *bar_;
};

static_assert(sizeof(MmioRegisters) <= kRegistersRoom);

} // namespace

Registers &make_registers(void *room, void *bar) {
    return *new (room) MmioRegisters(bar);
}

} // namespace igb
