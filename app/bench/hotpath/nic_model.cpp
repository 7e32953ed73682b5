// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the models share: register memory, EEPROM, MAC address.

#include "nic_model.hpp"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace bench {

namespace {

constexpr std::size_t page_4k = 4096;

namespace reg {
constexpr std::uint32_t RAL0 = 0x5400;
constexpr std::uint32_t RAH0 = 0x5404;
} // namespace reg

constexpr std::uint32_t address_valid = 1u << 31;

namespace eerd {
constexpr std::uint32_t START = 1u << 0;
constexpr std::uint32_t DONE = 1u << 1;
constexpr std::uint32_t ADDR_SHIFT = 2;
constexpr std::uint32_t ADDR_MASK = 0x3FFF;
constexpr std::uint32_t DATA_SHIFT = 16;
} // namespace eerd

constexpr std::uint16_t nvm_checksum = 0xBABA;
constexpr std::uint32_t checksum_word = 0x3F;

constexpr std::uint16_t mac_word(std::size_t i) {
    return static_cast<std::uint16_t>(mac_address[2 * i] | mac_address[2 * i + 1] << 8);
}

} // namespace

Registers::Registers(std::size_t bytes)
    : memory_(static_cast<volatile std::uint32_t *>(std::aligned_alloc(page_4k, bytes))),
      bytes_(bytes) {
    if (memory_ == nullptr)
        throw std::bad_alloc();
    for (std::uint32_t offset = 0; offset < bytes; offset += sizeof(std::uint32_t))
        (*this)[offset] = 0;
}

Registers::~Registers() {
    std::free(address());
}

std::uint16_t eeprom_word(std::uint32_t address) {
    if (address < 3)
        return mac_word(address);
    if (address == checksum_word)
        return static_cast<std::uint16_t>(nvm_checksum - mac_word(0) - mac_word(1) - mac_word(2));
    return 0;
}

void react_eeprom(Registers &regs, std::uint32_t offset) {
    const std::uint32_t value = regs[offset];

    if ((value & (eerd::START | eerd::DONE)) != eerd::START)
        return;
    const std::uint32_t address = value >> eerd::ADDR_SHIFT & eerd::ADDR_MASK;
    regs[offset] = std::uint32_t{eeprom_word(address)} << eerd::DATA_SHIFT |
                   address << eerd::ADDR_SHIFT | eerd::DONE;
}

void load_mac(Registers &regs) {
    regs[reg::RAL0] = std::uint32_t{mac_word(0)} | std::uint32_t{mac_word(1)} << 16;
    regs[reg::RAH0] = std::uint32_t{mac_word(2)} | address_valid;
}

} // namespace bench
