// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Reset and address of the 82576.

#include "hw/igb_hw.hpp"

#include <cerrno>

namespace igb {

namespace {

constexpr MacAddress unpack(std::uint32_t low, std::uint32_t high) {
    return {static_cast<std::uint8_t>(low),       static_cast<std::uint8_t>(low >> 8),
            static_cast<std::uint8_t>(low >> 16), static_cast<std::uint8_t>(low >> 24),
            static_cast<std::uint8_t>(high),      static_cast<std::uint8_t>(high >> 8)};
}

// A station address: not all zero, and not a group address.
constexpr bool is_station(const MacAddress &mac) {
    return mac != MacAddress{} && (mac[0] & 1) == 0;
}

} // namespace

bool Hw::wait(std::uint32_t offset, std::uint32_t mask, std::uint32_t value,
              std::uint32_t deadline_us, std::uint32_t step_us) {
    const std::uint64_t end = regs_.now_us() + deadline_us;

    for (;;) {
        // The clock first: after a long sleep the register still gets its last look.
        const bool late = regs_.now_us() >= end;

        if ((regs_.read(offset) & mask) == value)
            return true;
        if (late)
            return false;
        regs_.sleep_us(step_us);
    }
}

void Hw::set_bits(std::uint32_t offset, std::uint32_t clear, std::uint32_t set) {
    regs_.write(offset, (regs_.read(offset) & ~clear) | set);
}

Result<> Hw::disable_master() {
    set_bits(reg::CTRL, 0, ctrl::GIO_MASTER_DISABLE);
    if (!wait(reg::STATUS, status::GIO_MASTER_ENABLE, 0, master_deadline_us, 100))
        return failure(ETIMEDOUT, "waiting for outstanding bus master requests (STATUS bit 19)");
    return {};
}

void Hw::mask_interrupts() {
    regs_.write(reg::IMC, 0xFFFFFFFF);
    regs_.write(reg::EIMC, 0xFFFFFFFF);
    regs_.write(reg::EIAC, 0);
    regs_.read(reg::ICR);
}

Result<bool> Hw::reset() {
    if (regs_.read(reg::STATUS) == no_device)
        return failure(ENODEV, "reading STATUS: the device does not answer");

    // A reset amid a DMA transaction can hang the PCIe block (Linux, igb_reset_hw_82575).
    // Should requests stay pending, the reset is the only cure left: go on.
    (void)disable_master();

    mask_interrupts();
    regs_.write(reg::RCTL, 0);
    regs_.write(reg::TCTL, tctl::PSP);
    regs_.read(reg::STATUS); // posted writes have arrived
    regs_.sleep_us(10'000);  // for packets under way, as Linux

    set_bits(reg::CTRL, 0, ctrl::RST);
    regs_.sleep_us(1'000); // no access while the reset is at its start
    if (!wait(reg::CTRL, ctrl::RST, 0, reset_deadline_us, 1'000))
        return failure(ETIMEDOUT, "waiting for the end of the reset (CTRL bit 26)");

    // Without an EEPROM this bit stays 0, and QEMU never sets it: its igb_mac_reg_init has
    // EECD.PRES and no AUTO_RD. What was loaded is judged by check_nvm() and read_mac().
    const bool auto_read =
        wait(reg::EECD, eecd::AUTO_RD, eecd::AUTO_RD, auto_read_deadline_us, 1'000);

    mask_interrupts();
    return auto_read;
}

Result<MacAddress> Hw::read_mac() {
    const std::uint32_t high = regs_.read(reg::RAH0);
    MacAddress mac = unpack(regs_.read(reg::RAL0), high);

    if ((high & rah::AV) && is_station(mac))
        return mac;

    for (std::uint16_t i = 0; i < 3; i++) {
        const std::uint16_t word = TRY(read_nvm(nvm::MAC_WORD + i));
        mac[2 * i] = static_cast<std::uint8_t>(word);
        mac[2 * i + 1] = static_cast<std::uint8_t>(word >> 8);
    }
    if (!is_station(mac))
        return failure(EADDRNOTAVAIL, "reading the MAC address: RAL0/RAH0 and EEPROM have none");
    return mac;
}

} // namespace igb
