// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the benchmark has to know of a NIC so that its driver starts on plain memory.
//
// A driver never waits for hardware without a delay in between. The benchmark stands in for
// DPDK's delay functions (delay.cpp) and lets the models react there: a command that was
// written is then carried out. So a model needs no thread and no trap on register access,
// start-up takes no time, and every run is the same. There are no side effects of reads.

#pragma once

#include <cstddef>
#include <cstdint>

#include "registers.hpp"

namespace bench {

struct NicModel {
    // Offsets of the registers of queue 0, one direction.
    struct Queue {
        std::uint32_t base_low;
        std::uint32_t base_high;
        std::uint32_t length;
        std::uint32_t tail;
    };

    const char *name;
    std::uint16_t device_id; // PCI; the vendor is Intel.
    std::size_t register_space;
    Queue rx;
    Queue tx;
    // By how much the checksum errors of received packets stand left of the 82576's.
    unsigned int error_shift;
    void (*power_on)(Registers &);
    void (*react)(Registers &);
};

extern const NicModel nic_82576;
extern const NicModel nic_82599;

// MAC address of every model, from the range of locally administered addresses.
inline constexpr std::uint8_t mac_address[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

// Word of the EEPROM: MAC in words 0 to 2, and in 3Fh what makes words 0 to 3Fh add up to
// BABAh, which both NICs' drivers check.
std::uint16_t eeprom_word(std::uint32_t address);

// EERD and EEC/EECD at these offsets: a read command is answered. Alike in both NICs.
void react_eeprom(Registers &regs, std::uint32_t eerd);

// RAL0 and RAH0, at the same place in both NICs.
void load_mac(Registers &regs);

} // namespace bench
