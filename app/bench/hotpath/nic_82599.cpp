// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The 82599 with a backplane link (KX4: no optical module to ask), as far as net_ixgbe
// looks when it starts. Offsets and bits as in DPDK 22.11.11,
// drivers/net/ixgbe/base/ixgbe_type.h.

#include "nic_model.hpp"

#include <cstdint>

namespace bench {

namespace {

namespace reg {
constexpr std::uint32_t CTRL = 0x00000;
constexpr std::uint32_t RDRXCTL = 0x02F00;
constexpr std::uint32_t MSCA = 0x0425C;
constexpr std::uint32_t MSRWD = 0x04260;
constexpr std::uint32_t AUTOC = 0x042A0;
constexpr std::uint32_t LINKS = 0x042A4;
constexpr std::uint32_t ANLP1 = 0x042B0;
constexpr std::uint32_t SECRXSTAT = 0x08D04;
constexpr std::uint32_t EEC = 0x10010;
constexpr std::uint32_t EERD = 0x10014;
} // namespace reg

constexpr std::uint32_t ctrl_reset = 1u << 26 | 1u << 3; // device and link reset; clear themselves
constexpr std::uint32_t dma_init_done = 1u << 3;
constexpr std::uint32_t mdi_command = 1u << 30;
constexpr std::uint32_t no_phy = 0xFFFF0000; // what a read finds at an MDIO address with nobody
constexpr std::uint32_t link_10g_no_negotiation = 1u << 13;
constexpr std::uint32_t link_up_10g = 1u << 30 | 3u << 28;
constexpr std::uint32_t negotiating = 1u << 16; // any state but 0: the link logic has restarted
constexpr std::uint32_t security_ready = 1u << 0;
constexpr std::uint32_t eec_ready = 1u << 7 | 1u << 8 | 1u << 9; // granted, present, auto-read

void react(Registers &regs) {
    regs[reg::CTRL] = regs[reg::CTRL] & ~ctrl_reset;
    if (regs[reg::MSCA] & mdi_command) {
        regs[reg::MSCA] = regs[reg::MSCA] & ~mdi_command;
        regs[reg::MSRWD] = no_phy;
    }
    react_eeprom(regs, reg::EERD);
}

void power_on(Registers &regs) {
    regs[reg::RDRXCTL] = dma_init_done;
    regs[reg::AUTOC] = link_10g_no_negotiation;
    regs[reg::LINKS] = link_up_10g;
    regs[reg::ANLP1] = negotiating;
    regs[reg::SECRXSTAT] = security_ready;
    regs[reg::EEC] = eec_ready;
    load_mac(regs);
}

} // namespace

const NicModel nic_82599 = {
    .name = "82599",
    .device_id = 0x10F7,
    .register_space = 0x20000,
    .rx = {.base_low = 0x1000, .base_high = 0x1004, .length = 0x1008, .tail = 0x1018},
    .tx = {.base_low = 0x6000, .base_high = 0x6004, .length = 0x6008, .tail = 0x6018},
    .error_shift = 1,
    .power_on = power_on,
    .react = react,
};

} // namespace bench
