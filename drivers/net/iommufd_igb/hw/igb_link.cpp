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

// What is offered for what is wanted; RX alone cannot be, so it is both, and TX is kept off by
// resolve_flow_control() (e1000_phy_setup_autoneg(), e1000_config_fc_after_link_up_generic()).
constexpr std::uint16_t pause_bits(std::uint8_t mode) {
    if (mode & pause::RX)
        return phy::AN_PAUSE | phy::AN_ASYMMETRIC;
    return mode & pause::TX ? phy::AN_ASYMMETRIC : std::uint16_t{0};
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

    bool changed = TRY(
        change_phy(phy::ANAR, phy::ANAR_SPEEDS | phy::AN_PAUSE | phy::AN_ASYMMETRIC,
                   static_cast<std::uint16_t>(anar_of(wanted.modes) | pause_bits(wanted.pause))));
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

void Hw::set_pause_mode(std::uint8_t mode) {
    set_bits(reg::CTRL, ctrl::RFCE | ctrl::TFCE,
             (mode & pause::RX ? ctrl::RFCE : 0) | (mode & pause::TX ? ctrl::TFCE : 0));
}

std::uint8_t Hw::pause_mode() const {
    const std::uint32_t value = regs_.read(reg::CTRL);

    return static_cast<std::uint8_t>((value & ctrl::RFCE ? pause::RX : pause::NONE) |
                                     (value & ctrl::TFCE ? pause::TX : pause::NONE));
}

// As igb_get_rx_buffer_size() of stock.
std::uint32_t Hw::packet_buffer_size() const {
    return (regs_.read(reg::RXPBS) & 0xFFFF) << 10;
}

void Hw::apply_flow_control(const FlowControl &wanted) {
    const bool sends = (wanted.mode & pause::TX) != 0;

    regs_.write(reg::FCT, flow_control::TYPE);
    regs_.write(reg::FCAH, flow_control::ADDRESS_HIGH);
    regs_.write(reg::FCAL, flow_control::ADDRESS_LOW);
    regs_.write(reg::FCTTV, wanted.time);
    regs_.write(reg::FCRTL,
                sends ? wanted.low_water | (wanted.send_xon ? flow_control::FCRTL_XONE : 0) : 0);
    regs_.write(reg::FCRTH, sends ? wanted.high_water : 0);
    set_bits(reg::RCTL, rctl::PMCF, wanted.forward_control_frames ? rctl::PMCF : 0);
    set_pause_mode(wanted.mode);
}

// The table of IEEE 802.3 that e1000_config_fc_after_link_up_generic() prints, and no PAUSE frames
// at half duplex. Of a speed that is fixed nobody has been asked.
Result<bool> Hw::resolve_flow_control(const FlowControl &wanted) {
    if (!(TRY(read_phy(phy::BMCR)) & phy::BMCR_AUTONEG))
        return true;
    if (!(TRY(read_phy(phy::BMSR)) & phy::BMSR_AUTONEG_COMPLETE))
        return false;
    const std::uint16_t own = TRY(read_phy(phy::ANAR));
    const std::uint16_t other = TRY(read_phy(phy::ANLPAR));
    constexpr std::uint16_t both = phy::AN_PAUSE | phy::AN_ASYMMETRIC;
    std::uint8_t mode = pause::NONE;

    if (own & other & phy::AN_PAUSE)
        mode = pause::FULL;
    else if ((own & both) == phy::AN_ASYMMETRIC && (other & both) == both)
        mode = pause::TX;
    else if ((own & both) == both && (other & both) == phy::AN_ASYMMETRIC)
        mode = pause::RX;
    set_pause_mode(link().full_duplex ? mode & wanted.mode : pause::NONE);
    return true;
}

} // namespace igb
