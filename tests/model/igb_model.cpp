// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Registers, EEPROM and PHY of the model.

#include "igb_model.hpp"

#include <algorithm>
#include <cstring>

namespace model {

using namespace igb;

namespace {

constexpr std::uint32_t register_words = register_space / 4;

// The first four queues answer at two addresses; the older one counts.
constexpr std::uint32_t canonical(std::uint32_t offset) {
    if (offset >= 0xC000 && offset < 0xC100)
        return 0x2800 + (offset - 0xC000) / 0x40 * 0x100 + (offset - 0xC000) % 0x40;
    if (offset >= 0xE000 && offset < 0xE100)
        return 0x3800 + (offset - 0xE000) / 0x40 * 0x100 + (offset - 0xE000) % 0x40;
    return offset;
}

// Octets, whose high half clears both.
constexpr bool is_low_half(std::uint32_t offset) {
    return offset == reg::GORCL || offset == reg::GOTCL || offset == 0x40C0 || offset == 0x40C8;
}

constexpr bool clears_on_read(std::uint32_t offset) {
    if (offset == reg::ICR || offset == 0x4228 ||
        (offset >= 0x4000 && offset < 0x4124 && !is_low_half(offset)))
        return true;
    for (std::uint16_t queue = 0; queue < max_queues; queue++)
        if (offset == reg::RQDPC(queue))
            return true;
    return false;
}

} // namespace

Igb::Igb(DmaMap &memory)
    : memory_(memory), regs_(std::make_unique<std::uint32_t[]>(register_words)) {
    enter();
    set_mac({0x52, 0x54, 0x00, 0x12, 0x34, 0x56});
    power_on();
    resets_ = 0;
}

std::uint32_t &Igb::at(std::uint32_t offset) {
    return regs_[canonical(offset) / 4];
}

std::uint32_t Igb::peek(std::uint32_t offset) const {
    return regs_[canonical(offset) / 4];
}

void Igb::poke(std::uint32_t offset, std::uint32_t value) {
    at(offset) = value;
}

void Igb::set_mac(const std::array<std::uint8_t, 6> &mac) {
    for (std::size_t i = 0; i < 3; i++)
        nvm[i] = static_cast<std::uint16_t>(mac[2 * i] | mac[2 * i + 1] << 8);
    fix_checksum();
}

void Igb::fix_checksum() {
    std::uint16_t sum = 0;

    for (std::size_t i = 0; i < 63; i++)
        sum = static_cast<std::uint16_t>(sum + nvm[i]);
    nvm[63] = static_cast<std::uint16_t>(0xBABA - sum);
}

void Igb::power_on() {
    reset(true);
}

void Igb::reset(bool power_on) {
    const std::uint32_t swsm = power_on ? 0 : peek(reg::SWSM);

    resets_++;
    std::memset(regs_.get(), 0, register_space);
    at(reg::CTRL) = ctrl::FD;
    at(reg::EECD) = eecd::PRES | (faults.no_auto_read ? 0 : eecd::AUTO_RD) | 1u << eecd::SIZE_SHIFT;
    at(reg::RXPBS) = 64;
    at(reg::LEDCTL) = led_default;
    at(reg::SWSM) = swsm;
    at(reg::RAL0) = std::uint32_t{nvm[0]} | std::uint32_t{nvm[1]} << 16;
    at(reg::RAH0) = std::uint32_t{nvm[2]} | rah::AV;
    at(reg::RLPML) = 0x2600;
    at(reg::RXDCTL(0)) = xdctl::ENABLE; // queue 0 comes up enabled, as in QEMU
    at(reg::TXDCTL(0)) = xdctl::ENABLE;
    phy = {};
    phy[phy::BMCR] = phy::BMCR_AUTONEG;
    phy[phy::ANAR] = phy::ANAR_SPEEDS | 1;
    phy[phy::ANLPAR] = other_end;
    phy[phy::GBCR] = phy::GBCR_FULL;
    phy[phy::PORT_CTRL] = phy::PORT_CTRL_AUTO_MDIX;
    phy[phy::ID1] = phy_id >> 16;
    phy[phy::ID2] = phy_id & 0xFFFF;
    link_at_us_ = UINT64_MAX;
}

bool Igb::link_up() const {
    return cable && now_us_ >= link_at_us_;
}

// As forced, else the best of what is advertised: the other end has everything.
std::uint32_t Igb::speed_and_duplex() const {
    const std::uint32_t control = peek(reg::CTRL);

    if (control & ctrl::FRCSPD)
        return (control & ctrl::FD ? status::FD : 0) |
               (control & ctrl::SPD_100 ? status::SPEED_100 : status::SPEED_10);
    if (phy[phy::GBCR] & phy::GBCR_FULL)
        return status::FD | 2u << 6;
    if (phy[phy::ANAR] & (phy::ANAR_100_FULL | phy::ANAR_100_HALF))
        return (phy[phy::ANAR] & phy::ANAR_100_FULL ? status::FD : 0) | status::SPEED_100;
    return (phy[phy::ANAR] & phy::ANAR_10_FULL ? status::FD : 0) | status::SPEED_10;
}

std::uint32_t Igb::read(std::uint32_t offset) {
    if (on_read)
        on_read(offset);
    const std::uint32_t value = faults.absent ? 0xFFFFFFFF : read_side_effects(canonical(offset));

    log.push_back({false, offset, value});
    return value;
}

std::uint32_t Igb::read_side_effects(std::uint32_t offset) {
    std::uint32_t value = at(offset);

    if (offset == reg::STATUS) {
        value = speed_and_duplex();
        if (link_up())
            value |= status::LU;
        if (!(at(reg::CTRL) & ctrl::GIO_MASTER_DISABLE) || faults.master_hangs)
            value |= status::GIO_MASTER_ENABLE;
    } else if (offset == reg::SWSM) {
        if (faults.smbi_held)
            value |= swsm::SMBI;
        at(offset) = value | swsm::SMBI;
    } else if (offset == reg::SW_FW_SYNC) {
        value |= faults.sw_fw_held;
    } else if (is_low_half(offset - 4)) {
        at(offset) = 0;
        at(offset - 4) = 0;
    } else if (clears_on_read(offset)) {
        at(offset) = 0;
    }
    return value;
}

void Igb::write(std::uint32_t offset, std::uint32_t value) {
    log.push_back({true, offset, value});
    offset = canonical(offset);
    switch (offset) {
    case reg::CTRL:
        return write_ctrl(value);
    case reg::EERD:
        return write_eerd(value);
    case reg::MDIC:
        return write_mdic(value);
    case reg::SWSM:
        return write_swsm(value);
    case reg::STATUS:
    case reg::EECD:
        return;
    default:
        check_filter_write(offset);
        if (!write_queue(offset, value))
            at(offset) = value;
    }
}

void Igb::write_ctrl(std::uint32_t value) {
    at(reg::CTRL) = value;
    if (!(value & ctrl::RST))
        return;
    faults.reset_hangs |= faults.resets_until_hang == 0;
    if (faults.resets_until_hang > 0)
        faults.resets_until_hang--;
    if (!faults.reset_hangs)
        reset(false);
}

void Igb::write_eerd(std::uint32_t value) {
    const std::uint32_t word = value >> eerd::ADDR_SHIFT & 0x3FFF;

    at(reg::EERD) = value;
    if (!(value & eerd::START) || faults.nvm_hangs)
        return;
    at(reg::EERD) = word << eerd::ADDR_SHIFT | eerd::DONE |
                    std::uint32_t{word < nvm.size() ? nvm[word] : std::uint16_t{0xFFFF}}
                        << eerd::DATA_SHIFT;
}

void Igb::write_mdic(std::uint32_t value) {
    const std::uint32_t address = value >> mdic::REG_SHIFT & 0x1F;

    at(reg::MDIC) = value & ~(mdic::READY | mdic::ERROR);
    if (faults.mdic_hangs)
        return;
    at(reg::MDIC) |= mdic::READY;
    if (faults.mdic_error || (value >> mdic::PHY_SHIFT & 0x1F) != mdic::PHY_ADDRESS) {
        at(reg::MDIC) |= mdic::ERROR;
    } else if (value & mdic::OP_READ) {
        if (address == phy::BMSR)
            phy[address] = link_up() ? phy::BMSR_AUTONEG_COMPLETE : 0;
        const std::uint16_t data = faults.no_phy ? 0xFFFF : phy[address];
        at(reg::MDIC) = (at(reg::MDIC) & ~mdic::DATA_MASK) | data;
    } else if (value & mdic::OP_WRITE) {
        const auto data = static_cast<std::uint16_t>(value);
        constexpr std::uint16_t off = phy::BMCR_POWER_DOWN | phy::BMCR_ISOLATE;
        constexpr std::uint16_t negotiate = phy::BMCR_AUTONEG | phy::BMCR_RESTART_AUTONEG;
        if (address == phy::BMCR && (data & off) != 0)
            link_at_us_ = UINT64_MAX;
        else if (address == phy::BMCR && (data & negotiate) == negotiate)
            link_at_us_ = now_us_ + autoneg_us;
        phy[address] = address == phy::BMCR
                           ? static_cast<std::uint16_t>(data & ~phy::BMCR_RESTART_AUTONEG)
                           : data;
    }
}

void Igb::write_swsm(std::uint32_t value) {
    if (faults.swesmbi_refused)
        value &= ~swsm::SWESMBI;
    at(reg::SWSM) = value;
}

// RXDCTL, TXDCTL, and what must not be touched while they say ENABLE.
bool Igb::write_queue(std::uint32_t offset, std::uint32_t value) {
    for (std::uint16_t queue = 0; queue < max_queues; queue++) {
        const std::uint32_t bit = 1u << queue;
        const struct {
            std::uint32_t base;
            std::uint32_t control;
            std::uint32_t cannot_enable;
            std::uint32_t cannot_disable;
        } sides[] = {
            {reg::rx_queue(queue), reg::RXDCTL(queue), faults.enable_rx_hangs,
             faults.disable_rx_hangs},
            {reg::tx_queue(queue), reg::TXDCTL(queue), faults.enable_tx_hangs,
             faults.disable_tx_hangs},
        };
        for (const auto &side : sides) {
            const bool enabled = (peek(side.control) & xdctl::ENABLE) != 0;
            if (offset == side.control) {
                if (!enabled && (side.cannot_enable & bit))
                    value &= ~xdctl::ENABLE;
                if (enabled && (side.cannot_disable & bit))
                    value |= xdctl::ENABLE;
                at(offset) = value;
                return true;
            }
            if (offset == reg::RDT(queue) && !enabled && side.base == reg::rx_queue(queue))
                return true; // ignored (SDM 14.3.59)
            if (offset >= side.base && offset < side.base + 0x14 && enabled)
                violation("ring register " + std::to_string(offset) + " written while enabled");
        }
    }
    return false;
}

} // namespace model
