// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What a received packet's descriptor says, in the terms of an mbuf: the one description
// that the scalar and the vector burst functions read.
//
//     descriptor                                     mbuf
//     lo 3:0    RSS type, 0 for none                 ol_flags  RSS_HASH
//     lo 10:4   packet type (unless lo 15, ETQF)     packet_type
//     lo 63:32  RSS hash                             hash.rss
//     hi 3      VP                                   ol_flags  VLAN, VLAN_STRIPPED
//     hi 6:4    IPCS, TCPCS, UDPCS: was checked      ol_flags  IP and L4 checksum good or bad,
//     hi 30:29  IPE, L4E: is wrong                             neither where none was checked
//     hi 47:32  length                               pkt_len, data_len
//     hi 63:48  VLAN tag                             vlan_tci
//
// The fields have the values that DPDK's own driver gives them (DPDK 22.11.11,
// drivers/net/e1000/igb_rxtx.c), whatever is configured: hash and tag are copied, and valid where
// ol_flags says so. Checksums alone are another matter: that driver calls good what is not in
// error, though nobody has checked it (offload off, ARP, a fragment); here that is unknown, which
// is neither flag.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <rte_mbuf.h>
#include <rte_mbuf_ptype.h>

#include "rxtx/igb_desc.hpp"

namespace igb {

// The burst functions store these fields together. The layout has been the same since
// DPDK 18.05; named as in lib/mbuf/rte_mbuf_core.h.
inline constexpr std::size_t rearm_offset = offsetof(rte_mbuf, rearm_data);
static_assert(offsetof(rte_mbuf, data_off) == rearm_offset);
static_assert(offsetof(rte_mbuf, refcnt) == rearm_offset + 2);
static_assert(offsetof(rte_mbuf, nb_segs) == rearm_offset + 4);
static_assert(offsetof(rte_mbuf, port) == rearm_offset + 6);
static_assert(offsetof(rte_mbuf, ol_flags) == rearm_offset + 8);
static_assert(offsetof(rte_mbuf, packet_type) == rearm_offset + 16);
static_assert(offsetof(rte_mbuf, pkt_len) == rearm_offset + 20);
static_assert(offsetof(rte_mbuf, data_len) == rearm_offset + 24);
static_assert(offsetof(rte_mbuf, vlan_tci) == rearm_offset + 26);
static_assert(offsetof(rte_mbuf, hash.rss) == rearm_offset + 28);

// Bits of the packet type (DPDK 22.11.11, drivers/net/e1000/igb_rxtx.c).
namespace packet_type {
inline constexpr unsigned int IPV4 = 1u << 0;
inline constexpr unsigned int IPV4_EXT = 1u << 1;
inline constexpr unsigned int IPV6 = 1u << 2;
inline constexpr unsigned int IPV6_EXT = 1u << 3;
inline constexpr unsigned int TCP = 1u << 4;
inline constexpr unsigned int UDP = 1u << 5;
inline constexpr unsigned int SCTP = 1u << 6;
} // namespace packet_type

using PtypeTable = std::array<std::uint32_t, rx_info::PACKET_TYPE_MASK + 1>;

// Combinations that DPDK's own driver leaves unknown are unknown here: entries of 0.
consteval PtypeTable make_ptype_table() {
    namespace bits = packet_type;
    PtypeTable table{};

    // IPv4 alone, with options, as bottom of a tunnel (below)
    table[bits::IPV4] = RTE_PTYPE_L3_IPV4;
    table[bits::IPV4 | bits::TCP] = RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP;
    table[bits::IPV4 | bits::UDP] = RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_UDP;
    table[bits::IPV4 | bits::SCTP] = RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_SCTP;
    table[bits::IPV4 | bits::IPV4_EXT] = RTE_PTYPE_L3_IPV4_EXT;
    table[bits::IPV4 | bits::IPV4_EXT | bits::SCTP] = RTE_PTYPE_L3_IPV4_EXT | RTE_PTYPE_L4_SCTP;

    // IPv6 with or without extension headers, alone or within IPv4
    for (const unsigned int ext : {0u, bits::IPV6_EXT}) {
        const std::uint32_t outer = ext ? RTE_PTYPE_L3_IPV6_EXT : RTE_PTYPE_L3_IPV6;
        const std::uint32_t inner = RTE_PTYPE_L3_IPV4 | RTE_PTYPE_TUNNEL_IP |
                                    (ext ? RTE_PTYPE_INNER_L3_IPV6_EXT : RTE_PTYPE_INNER_L3_IPV6);
        const unsigned int ipv6 = bits::IPV6 | ext;
        table[ipv6] = outer;
        table[ipv6 | bits::TCP] = outer | RTE_PTYPE_L4_TCP;
        table[ipv6 | bits::UDP] = outer | RTE_PTYPE_L4_UDP;
        table[ipv6 | bits::IPV4] = inner;
        table[ipv6 | bits::IPV4 | bits::TCP] = inner | RTE_PTYPE_INNER_L4_TCP;
        table[ipv6 | bits::IPV4 | bits::UDP] = inner | RTE_PTYPE_INNER_L4_UDP;
    }
    for (std::uint32_t &entry : table)
        if (entry != 0)
            entry |= RTE_PTYPE_L2_ETHER;
    return table;
}

// Tables of the hot path have internal linkage: no way through the GOT to reach them.
alignas(RTE_CACHE_LINE_SIZE) constexpr PtypeTable ptype_table = make_ptype_table();

// All that can come of ptype_table, for ethdev.
inline constexpr std::uint32_t supported_ptypes[] = {
    RTE_PTYPE_L2_ETHER,      RTE_PTYPE_L3_IPV4,           RTE_PTYPE_L3_IPV4_EXT,
    RTE_PTYPE_L3_IPV6,       RTE_PTYPE_L3_IPV6_EXT,       RTE_PTYPE_L4_TCP,
    RTE_PTYPE_L4_UDP,        RTE_PTYPE_L4_SCTP,           RTE_PTYPE_TUNNEL_IP,
    RTE_PTYPE_INNER_L3_IPV6, RTE_PTYPE_INNER_L3_IPV6_EXT, RTE_PTYPE_INNER_L4_TCP,
    RTE_PTYPE_INNER_L4_UDP,  RTE_PTYPE_UNKNOWN,
};

// ol_flags of a stripped tag.
inline constexpr std::uint32_t vlan_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;

inline constexpr std::uint32_t ip_checksum_flags =
    RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_BAD;
inline constexpr std::uint32_t l4_checksum_flags =
    RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD;

// ol_flags of checksums by a descriptor's status, if both had been checked; and those of them that
// have been.
constexpr std::uint32_t checksum_result(std::uint32_t status) {
    return (status & rx_status::IPE ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_IP_CKSUM_GOOD) |
           (status & rx_status::L4E ? RTE_MBUF_F_RX_L4_CKSUM_BAD : RTE_MBUF_F_RX_L4_CKSUM_GOOD);
}

constexpr std::uint32_t checksums_checked(std::uint32_t status) {
    return (status & rx_status::IPCS ? ip_checksum_flags : 0) |
           (status & (rx_status::TCPCS | rx_status::UDPCS) ? l4_checksum_flags : 0);
}

// The scalar code looks all flags but the hash's up at once: turned by three bits to the left, a
// status has L4E, IPE and RXE below DD, and what is asked for up to IPCS in the lowest ten bits.
inline constexpr int status_turn = 3;
inline constexpr std::uint32_t status_index_mask = 0x3FF;
static_assert(std::rotl(rx_status::L4E, status_turn) == 1);
static_assert(std::rotl(rx_status::IPCS, status_turn) == (status_index_mask + 1) / 2);

consteval std::array<std::uint16_t, status_index_mask + 1> make_status_flags() {
    std::array<std::uint16_t, status_index_mask + 1> table{};

    for (std::uint32_t i = 0; i < table.size(); i++) {
        const std::uint32_t status = std::rotr(i, status_turn);
        table[i] =
            static_cast<std::uint16_t>((checksum_result(status) & checksums_checked(status)) |
                                       (status & rx_status::VP ? vlan_flags : 0));
    }
    return table;
}

alignas(RTE_CACHE_LINE_SIZE) constexpr auto status_flags = make_status_flags();
static_assert(std::bit_width(vlan_flags | ip_checksum_flags | l4_checksum_flags) <= 16);

// ol_flags by RSS type.
consteval std::array<std::uint32_t, rx_info::RSS_TYPE_MASK + 1> make_hash_flags() {
    std::array<std::uint32_t, rx_info::RSS_TYPE_MASK + 1> table{};

    for (std::uint32_t i = 1; i < table.size(); i++)
        table[i] = RTE_MBUF_F_RX_RSS_HASH;
    return table;
}

alignas(RTE_CACHE_LINE_SIZE) constexpr auto hash_flags = make_hash_flags();

constexpr std::uint32_t rx_ol_flags(std::uint64_t lo, std::uint64_t hi) {
    return status_flags[std::rotl(rx_desc_status(hi), status_turn) & status_index_mask] |
           hash_flags[lo & rx_info::RSS_TYPE_MASK];
}

constexpr std::uint32_t rx_ptype(std::uint64_t lo) {
    if (lo & rx_info::ETQF) [[unlikely]]
        return RTE_PTYPE_UNKNOWN;
    return ptype_table[lo >> rx_info::PACKET_TYPE_SHIFT & rx_info::PACKET_TYPE_MASK];
}

} // namespace igb
