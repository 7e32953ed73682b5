// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a port's settings become in the registers: addresses, filters, offloads, RSS.

#include "hw/igb_hw.hpp"

namespace igb {

namespace {

constexpr std::uint32_t table_words = 128; // VFTA, MTA and UTA alike
constexpr std::uint32_t nb_receive_addresses = 16;

constexpr std::uint32_t pack_low(const MacAddress &mac) {
    return std::uint32_t{mac[0]} | std::uint32_t{mac[1]} << 8 | std::uint32_t{mac[2]} << 16 |
           std::uint32_t{mac[3]} << 24;
}

constexpr std::uint32_t pack_high(const MacAddress &mac) {
    return std::uint32_t{mac[4]} | std::uint32_t{mac[5]} << 8;
}

// Four bytes as a register has them, the first the lowest.
constexpr std::uint32_t pack_bytes(const std::uint8_t *bytes) {
    return std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8 | std::uint32_t{bytes[2]} << 16 |
           std::uint32_t{bytes[3]} << 24;
}

} // namespace

void Hw::clear_filters() {
    for (std::uint32_t i = 0; i < table_words; i++) {
        regs_.write(reg::VFTA + 4 * i, 0);
        regs_.write(reg::MTA + 4 * i, 0);
        regs_.write(reg::UTA + 4 * i, 0);
    }
    for (std::uint32_t i = 1; i < nb_receive_addresses; i++) {
        regs_.write(reg::RAL0 + 8 * i, 0);
        regs_.write(reg::RAH0 + 8 * i, 0);
    }
}

void Hw::apply(const Settings &settings) {
    apply_mac(settings.mac);
    apply_promiscuous(settings);
    apply_max_frame(settings.max_frame);
    apply_offloads(settings.offloads);
    apply_rss(settings.rss);
}

void Hw::apply_mac(const MacAddress &mac) {
    regs_.write(reg::RAL0, pack_low(mac));
    regs_.read(reg::STATUS); // no bridge may merge the halves (Linux, igb_rar_set)
    regs_.write(reg::RAH0, pack_high(mac) | rah::AV);
    regs_.read(reg::STATUS);
}

void Hw::apply_promiscuous(const Settings &settings) {
    std::uint32_t on = 0;

    if (settings.promiscuous)
        on |= rctl::UPE | rctl::MPE;
    if (settings.all_multicast)
        on |= rctl::MPE;
    set_bits(reg::RCTL, rctl::UPE | rctl::MPE, on);
}

void Hw::apply_max_frame(std::uint32_t max_frame) {
    regs_.write(reg::RLPML, max_frame);
}

void Hw::apply_offloads(const RxOffloads &offloads) {
    set_bits(reg::RXCSUM, rxcsum::IPOFL | rxcsum::TUOFL,
             (offloads.ip_checksum ? rxcsum::IPOFL : 0) |
                 (offloads.l4_checksum ? rxcsum::TUOFL : 0));
    set_bits(reg::CTRL, ctrl::VME, offloads.vlan_strip ? ctrl::VME : 0);
}

void Hw::apply_rss(const Rss &rss) {
    regs_.write(reg::MRQC, 0);
    if (rss.fields == 0)
        return;

    for (std::uint32_t i = 0; i < rss_key_size; i += 4)
        regs_.write(reg::RSSRK + i, pack_bytes(&rss.key[i]));
    // An entry is the queue number itself, where the 82575 has it in bits 7:6 (DPDK 22.11.11,
    // igb_rss_configure; QEMU, igb_rss_parse_packet).
    for (std::uint32_t i = 0; i < reta_size; i += 4)
        regs_.write(reg::RETA + i, pack_bytes(&rss.reta[i]));
    regs_.write(reg::MRQC, rss.fields | mrqc::ENABLE_RSS);
}

} // namespace igb
