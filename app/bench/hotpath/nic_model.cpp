/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file What the models share: register memory, EEPROM, MAC address. */

#include "nic_model.hpp"

#include <cstdlib>
#include <new>

namespace bench {

namespace {

constexpr size_t kPage = 4096;

namespace reg {
constexpr uint32_t RAL0 = 0x5400;
constexpr uint32_t RAH0 = 0x5404;
} // namespace reg

constexpr uint32_t kAddressValid = 1u << 31;

namespace eerd {
constexpr uint32_t START = 1u << 0;
constexpr uint32_t DONE = 1u << 1;
constexpr uint32_t ADDR_SHIFT = 2;
constexpr uint32_t ADDR_MASK = 0x3FFF;
constexpr uint32_t DATA_SHIFT = 16;
} // namespace eerd

constexpr uint16_t kChecksum = 0xBABA;
constexpr uint32_t kChecksumWord = 0x3F;

constexpr uint16_t mac_word(size_t i) {
    return static_cast<uint16_t>(kMac[2 * i] | kMac[2 * i + 1] << 8);
}

} // namespace

Registers::Registers(size_t bytes)
    : memory_(static_cast<volatile uint32_t *>(std::aligned_alloc(kPage, bytes))), bytes_(bytes) {
    if (memory_ == nullptr)
        throw std::bad_alloc();
    for (uint32_t offset = 0; offset < bytes; offset += sizeof(uint32_t))
        (*this)[offset] = 0;
}

Registers::~Registers() {
    std::free(address());
}

uint16_t eeprom_word(uint32_t address) {
    if (address < 3)
        return mac_word(address);
    if (address == kChecksumWord)
        return static_cast<uint16_t>(kChecksum - mac_word(0) - mac_word(1) - mac_word(2));
    return 0;
}

void react_eeprom(Registers &regs, uint32_t offset) {
    const uint32_t value = regs[offset];

    if ((value & (eerd::START | eerd::DONE)) != eerd::START)
        return;
    const uint32_t address = value >> eerd::ADDR_SHIFT & eerd::ADDR_MASK;
    regs[offset] = uint32_t{eeprom_word(address)} << eerd::DATA_SHIFT |
                   address << eerd::ADDR_SHIFT | eerd::DONE;
}

void load_mac(Registers &regs) {
    regs[reg::RAL0] = uint32_t{mac_word(0)} | uint32_t{mac_word(1)} << 16;
    regs[reg::RAH0] = uint32_t{mac_word(2)} | kAddressValid;
}

} // namespace bench
