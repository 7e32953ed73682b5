/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/**
 * @file
 * The 82599 with a backplane link (KX4: no optical module to ask), as far as net_ixgbe
 * looks when it starts. Offsets and bits as in DPDK 22.11.11,
 * drivers/net/ixgbe/base/ixgbe_type.h.
 */

#include "nic_model.hpp"

namespace bench {

namespace {

namespace reg {
constexpr uint32_t CTRL = 0x00000;
constexpr uint32_t RDRXCTL = 0x02F00;
constexpr uint32_t MSCA = 0x0425C;
constexpr uint32_t MSRWD = 0x04260;
constexpr uint32_t AUTOC = 0x042A0;
constexpr uint32_t LINKS = 0x042A4;
constexpr uint32_t ANLP1 = 0x042B0;
constexpr uint32_t SECRXSTAT = 0x08D04;
constexpr uint32_t EEC = 0x10010;
constexpr uint32_t EERD = 0x10014;
} // namespace reg

constexpr uint32_t kCtrlReset = 1u << 26 | 1u << 3; // device and link reset; clear themselves
constexpr uint32_t kDmaInitDone = 1u << 3;
constexpr uint32_t kMdiCommand = 1u << 30;
constexpr uint32_t kNoPhy = 0xFFFF0000; // what a read finds at an MDIO address with nobody
constexpr uint32_t kLink10GNoNegotiation = 1u << 13;
constexpr uint32_t kLinkUp10G = 1u << 30 | 3u << 28;
constexpr uint32_t kNegotiating = 1u << 16; // any state but 0: the link logic has restarted
constexpr uint32_t kSecurityReady = 1u << 0;
constexpr uint32_t kEecReady = 1u << 7 | 1u << 8 | 1u << 9; // granted, present, auto-read

void react(Registers &regs) {
    regs[reg::CTRL] = regs[reg::CTRL] & ~kCtrlReset;
    if (regs[reg::MSCA] & kMdiCommand) {
        regs[reg::MSCA] = regs[reg::MSCA] & ~kMdiCommand;
        regs[reg::MSRWD] = kNoPhy;
    }
    react_eeprom(regs, reg::EERD);
}

void power_on(Registers &regs) {
    regs[reg::RDRXCTL] = kDmaInitDone;
    regs[reg::AUTOC] = kLink10GNoNegotiation;
    regs[reg::LINKS] = kLinkUp10G;
    regs[reg::ANLP1] = kNegotiating;
    regs[reg::SECRXSTAT] = kSecurityReady;
    regs[reg::EEC] = kEecReady;
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
