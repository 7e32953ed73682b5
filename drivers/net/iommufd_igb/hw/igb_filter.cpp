// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a port's settings become in the registers: addresses, filters, offloads, RSS.

#include "hw/igb_hw.hpp"

namespace igb {

namespace {

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

std::uint32_t multicast_hash(const MacAddress &mac) {
    return (mac[4] >> 4 | std::uint32_t{mac[5]} << 4) & 0xFFF;
}

void set_in_table(FilterTable &table, std::uint32_t entry, bool on) {
    const std::uint32_t bit = 1u << entry % 32;
    std::uint32_t &word = table[entry / 32];

    word = on ? word | bit : word & ~bit;
}

void Hw::clear_filters() {
    for (std::uint32_t i = 0; i < table_words; i++)
        regs_.write(reg::UTA + 4 * i, 0);
    apply_table(reg::VFTA, {});
    apply_table(reg::MTA, {});
    for (std::uint16_t i = 1; i < nb_receive_addresses; i++)
        apply_mac(i, {});
}

void Hw::apply(const Settings &settings) {
    apply_mac(0, settings.mac);
    for (std::uint16_t i = 1; i < nb_receive_addresses; i++)
        apply_mac(i, settings.more_macs[i - 1]);
    apply_table(reg::MTA, settings.multicast);
    apply_table(reg::VFTA, settings.vlans);
    apply_promiscuous(settings);
    apply_max_frame(settings.max_frame);
    apply_offloads(settings.offloads);
    if (settings.outer_tpid != 0)
        apply_outer_tpid(settings.outer_tpid);
    apply_flow_control(settings.flow_control);
    apply_flow(settings);
    apply_timesync(settings.timesync);
}

void Hw::apply_table(std::uint32_t first, const FilterTable &table) {
    for (std::uint32_t i = 0; i < table.size(); i++)
        regs_.write(first + 4 * i, table[i]);
}

void Hw::apply_mac(std::uint16_t index, const MacAddress &mac) {
    regs_.write(reg::RAL(index), pack_low(mac));
    regs_.read(reg::STATUS); // no bridge may merge the halves (Linux, igb_rar_set)
    regs_.write(reg::RAH(index), pack_high(mac) | (mac == MacAddress{} ? 0 : rah::AV));
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
    set_bits(reg::RCTL, rctl::VFE | rctl::SECRC,
             (offloads.vlan_filter ? rctl::VFE : 0) | (offloads.keep_crc ? 0 : rctl::SECRC));
    set_bits(reg::CTRL_EXT, ctrl_ext::EXTEND_VLAN,
             offloads.vlan_extend ? ctrl_ext::EXTEND_VLAN : 0);
}

void Hw::apply_outer_tpid(std::uint16_t tpid) {
    set_bits(reg::VET, vet::EXT_MASK, std::uint32_t{tpid} << vet::EXT_SHIFT);
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
