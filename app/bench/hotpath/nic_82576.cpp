// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The 82576, as far as net_e1000_igb and net_iommufd_igb look when they start. Offsets and
// bits as in DPDK 22.11.11, drivers/net/e1000/base/e1000_regs.h and e1000_defines.h.

#include "nic_model.hpp"

#include <cstdint>

namespace bench {

namespace {

namespace reg {
constexpr std::uint32_t CTRL = 0x0000;
constexpr std::uint32_t STATUS = 0x0008;
constexpr std::uint32_t EECD = 0x0010;
constexpr std::uint32_t EERD = 0x0014;
constexpr std::uint32_t MDIC = 0x0020;
constexpr std::uint32_t EEMNGCTL = 0x1010;
constexpr std::uint32_t RXPBS = 0x2404;
} // namespace reg

constexpr std::uint32_t ctrl_reset = 1u << 26; // clears itself

// Full duplex, link up, 1000 Mb/s.
constexpr std::uint32_t status_up = 1u << 0 | 1u << 1 | 2u << 6;

// EEPROM access granted, EEPROM present, automatic read done.
constexpr std::uint32_t eecd_ready = 1u << 7 | 1u << 8 | 1u << 9;

constexpr std::uint32_t configuration_done = 3u << 18; // of both ports

namespace mdic {
constexpr std::uint32_t READ = 2u << 26;
constexpr std::uint32_t WRITE = 1u << 26;
constexpr std::uint32_t READY = 1u << 28;
constexpr std::uint32_t REG_SHIFT = 16;
constexpr std::uint32_t REG_MASK = 0x1F;
} // namespace mdic

// The PHY inside the 82576 (IGP03E1000_E_PHY_ID), with a link that is up.
constexpr std::uint16_t phy_register(std::uint32_t number) {
    switch (number) {
    case 1: // status: all speeds, auto-negotiation done, link
        return 0x796D;
    case 2:
        return 0x02A8;
    case 3:
        return 0x0391;
    default:
        return 0;
    }
}

void react_mdic(Registers &regs) {
    const std::uint32_t value = regs[reg::MDIC];

    if ((value & mdic::READY) || !(value & (mdic::READ | mdic::WRITE)))
        return;
    const std::uint16_t data = value & mdic::READ
                                   ? phy_register(value >> mdic::REG_SHIFT & mdic::REG_MASK)
                                   : static_cast<std::uint16_t>(value);
    regs[reg::MDIC] = (value & 0xFFFF0000) | mdic::READY | data;
}

void react(Registers &regs) {
    regs[reg::CTRL] = regs[reg::CTRL] & ~ctrl_reset;
    react_eeprom(regs, reg::EERD);
    react_mdic(regs);
}

void power_on(Registers &regs) {
    regs[reg::STATUS] = status_up;
    regs[reg::EECD] = eecd_ready;
    regs[reg::EEMNGCTL] = configuration_done;
    regs[reg::RXPBS] = 64; // KiB
    load_mac(regs);
}

} // namespace

const NicModel nic_82576 = {
    .name = "82576",
    .device_id = 0x10C9,
    .register_space = 0x20000,
    .rx = {.base_low = 0x2800, .base_high = 0x2804, .length = 0x2808, .tail = 0x2818},
    .tx = {.base_low = 0x3800, .base_high = 0x3804, .length = 0x3808, .tail = 0x3818},
    .error_shift = 0,
    .power_on = power_on,
    .react = react,
};

} // namespace bench
