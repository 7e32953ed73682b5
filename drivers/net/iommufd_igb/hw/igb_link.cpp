// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The link: MAC and PHY. Register bits and the order as DPDK 22.11.11, base/e1000_phy.c and
// base/e1000_82575.c: e1000_copper_link_setup_igp(), e1000_phy_setup_autoneg(),
// e1000_phy_force_speed_duplex_igp().

#include "hw/igb_hw.hpp"

#include <cerrno>

namespace igb {

namespace {

constexpr std::uint16_t phy_off = phy::BMCR_POWER_DOWN | phy::BMCR_ISOLATE;

constexpr std::uint16_t without(std::uint16_t value, std::uint16_t bits) {
    return static_cast<std::uint16_t>(value & ~bits);
}

constexpr std::uint16_t anar_of(std::uint8_t modes) {
    return static_cast<std::uint16_t>((modes & link_mode::M10_HALF ? phy::ANAR_10_HALF : 0) |
                                      (modes & link_mode::M10_FULL ? phy::ANAR_10_FULL : 0) |
                                      (modes & link_mode::M100_HALF ? phy::ANAR_100_HALF : 0) |
                                      (modes & link_mode::M100_FULL ? phy::ANAR_100_FULL : 0));
}

} // namespace

// Every access to the PHY of a device that is gone would wait for its semaphores.
Result<> Hw::check_present() const {
    if (regs_.read(reg::STATUS) == no_device)
        return failure(ENODEV, "reading STATUS: the device does not answer");
    return {};
}

Result<> Hw::start_link(const LinkSettings &wanted) {
    TRY(check_present());
    return wanted.fixed ? force_link(wanted) : negotiate_link(wanted);
}

Result<bool> Hw::change_phy(std::uint8_t address, std::uint16_t clear, std::uint16_t set) {
    const std::uint16_t before = TRY(read_phy(address));
    const auto after = static_cast<std::uint16_t>(without(before, clear) | set);

    if (after == before)
        return false;
    TRY(write_phy(address, after));
    return true;
}

Result<> Hw::negotiate_link(const LinkSettings &wanted) {
    set_bits(reg::CTRL, ctrl::FRCSPD | ctrl::FRCDPX, ctrl::SLU);

    bool changed = TRY(change_phy(phy::ANAR, phy::ANAR_SPEEDS, anar_of(wanted.modes)));
    changed |= TRY(change_phy(phy::GBCR, phy::GBCR_HALF | phy::GBCR_FULL,
                              wanted.modes & link_mode::M1000_FULL ? phy::GBCR_FULL : 0));
    changed |= TRY(change_phy(phy::PORT_CTRL, phy::PORT_CTRL_FORCE_MDIX, phy::PORT_CTRL_AUTO_MDIX));
    const std::uint16_t control = TRY(read_phy(phy::BMCR));
    const bool negotiates = (control & (phy::BMCR_AUTONEG | phy_off)) == phy::BMCR_AUTONEG;
    if (!changed && negotiates && link().up)
        return {};

    // CTRL.RST leaves the PHY of the hardware alone but resets QEMU's, whose STATUS.LU
    // comes back only when negotiation is restarted (igb_set_phy_ctrl); it takes 500 ms.
    return write_phy(phy::BMCR,
                     static_cast<std::uint16_t>(without(control, phy_off) | phy::BMCR_AUTONEG |
                                                phy::BMCR_RESTART_AUTONEG));
}

Result<> Hw::force_link(const LinkSettings &wanted) {
    const bool is_full = (wanted.modes & (link_mode::M10_FULL | link_mode::M100_FULL)) != 0;
    const bool is_100 = (wanted.modes & (link_mode::M100_HALF | link_mode::M100_FULL)) != 0;
    const auto control = static_cast<std::uint16_t>((is_full ? phy::BMCR_FULL_DUPLEX : 0) |
                                                    (is_100 ? phy::BMCR_SPEED_100 : 0));

    set_bits(reg::CTRL, ctrl::SPD_MASK | ctrl::FD,
             ctrl::SLU | ctrl::FRCSPD | ctrl::FRCDPX | (is_100 ? ctrl::SPD_100 : 0) |
                 (is_full ? ctrl::FD : 0));
    // For QEMU, as above: its STATUS.LU comes from a negotiation and from nothing else.
    if (!link().up)
        TRY(write_phy(phy::BMCR, phy::BMCR_AUTONEG | phy::BMCR_RESTART_AUTONEG));
    TRY(write_phy(phy::BMCR, control));
    // A PHY whose speed is forced must not look for a crossed cable either.
    TRY(change_phy(phy::PORT_CTRL, phy::PORT_CTRL_AUTO_MDIX | phy::PORT_CTRL_FORCE_MDIX, 0));
    return {};
}

Result<> Hw::stop_link() {
    TRY(check_present());
    TRY(change_phy(phy::BMCR, 0, phy::BMCR_POWER_DOWN));
    return {};
}

Link Hw::link() const {
    const std::uint32_t value = regs_.read(reg::STATUS);

    if (value == no_device || !(value & status::LU))
        return {};

    std::uint16_t speed = 1000;
    if ((value & status::SPEED_MASK) == status::SPEED_10)
        speed = 10;
    else if ((value & status::SPEED_MASK) == status::SPEED_100)
        speed = 100;
    return {.up = true, .full_duplex = (value & status::FD) != 0, .speed_mbps = speed};
}

} // namespace igb
