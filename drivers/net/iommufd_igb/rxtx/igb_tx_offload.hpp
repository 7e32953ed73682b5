// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What may be asked of a transmitted packet beyond sending it, and what the device has to be told
// for it.

#include <algorithm>
#include <cerrno>
#include <cstdint>

#include <rte_mbuf.h>

#include "rxtx/igb_tx.hpp"

namespace igb {

// The device can do these.
inline constexpr std::uint64_t tx_supported_flags =
    RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG |
    RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_IEEE1588_TMST;

// A packet with one of these needs more than a data descriptor, or cannot be sent.
inline constexpr std::uint64_t tx_offload_flags =
    RTE_MBUF_F_TX_OFFLOAD_MASK & ~(RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IPV6);

inline constexpr std::uint64_t tx_checksum_flags =
    RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG;

inline std::uint32_t tx_header_length(const rte_mbuf *mbuf) {
    return static_cast<std::uint32_t>(mbuf->l2_len + mbuf->l3_len + mbuf->l4_len);
}

// Of a packet that asks for nothing.
inline constexpr TxAsked tx_asked_nothing{.flags = 0,
                                          .lengths = 0,
                                          .options = 0,
                                          .vlan_tci = 0,
                                          .header = 0,
                                          .least = tx_min_length,
                                          .most = tx_max_length};

// Why the device cannot send a packet as it is: EINVAL, ENOTSUP, or 0 if it can. The segments are
// not followed.
inline int tx_check(const rte_mbuf *mbuf) {
    const std::uint64_t flags = mbuf->ol_flags & tx_offload_flags;

    if (mbuf->nb_segs == 0 || mbuf->nb_segs > tx_max_segments || mbuf->pkt_len < tx_min_length)
        return EINVAL;
    if (flags & ~tx_supported_flags)
        return ENOTSUP;
    if (flags & RTE_MBUF_F_TX_TCP_SEG) {
        const std::uint32_t header = tx_header_length(mbuf);
        if (mbuf->tso_segsz == 0 || mbuf->tso_segsz > tx_max_mss || mbuf->l4_len == 0 ||
            header > tx_max_tso_header || header >= mbuf->pkt_len ||
            mbuf->pkt_len > tx_max_tso_length)
            return EINVAL;
    } else if (mbuf->pkt_len > tx_max_length) {
        return EINVAL;
    }
    if ((flags & tx_checksum_flags) != 0 &&
        (mbuf->l2_len == 0 || mbuf->l3_len == 0 ||
         static_cast<std::uint32_t>(mbuf->l2_len + mbuf->l3_len) > mbuf->pkt_len))
        return EINVAL;
    return 0;
}

// Options of a packet's data descriptors (VLE, TSE, POPTS, TSTAMP).
constexpr std::uint64_t tx_options(std::uint64_t flags) {
    std::uint64_t options = 0;

    if (flags & RTE_MBUF_F_TX_VLAN)
        options |= tx_cmd::VLE;
    if (flags & RTE_MBUF_F_TX_TCP_SEG)
        options |= tx_cmd::TSE | tx_insert_l4_checksum;
    if (flags & RTE_MBUF_F_TX_IP_CKSUM)
        options |= tx_insert_ip_checksum;
    if (flags & RTE_MBUF_F_TX_IEEE1588_TMST)
        options |= tx_cmd::TSTAMP;
    if (flags & RTE_MBUF_F_TX_L4_MASK)
        options |= tx_insert_l4_checksum;
    return options;
}

// What a packet asks for that is good by tx_check(). Others that ask for the same are good if they
// are neither shorter nor longer.
inline TxAsked tx_asked_by(const rte_mbuf *mbuf) {
    TxAsked asked = tx_asked_nothing;

    asked.flags = mbuf->ol_flags & tx_offload_flags;
    asked.lengths = mbuf->tx_offload;
    asked.options = tx_options(asked.flags);
    asked.vlan_tci = mbuf->vlan_tci;
    if (asked.flags & RTE_MBUF_F_TX_TCP_SEG) {
        asked.header = static_cast<std::uint16_t>(tx_header_length(mbuf));
        asked.least = std::max<std::uint32_t>(tx_min_length, asked.header + 1u);
        asked.most = tx_max_tso_length;
    } else if (asked.flags & tx_checksum_flags) {
        asked.least = std::max<std::uint32_t>(
            tx_min_length, static_cast<std::uint32_t>(mbuf->l2_len + mbuf->l3_len));
    }
    return asked;
}

// The context descriptor that a packet needs, by tx_check() good and with one of tx_offload_flags.
inline TxDesc tx_context_of(const rte_mbuf *mbuf) {
    const std::uint64_t flags = mbuf->ol_flags;
    std::uint64_t address = 0;
    std::uint64_t command = tx_cmd::DTYP_CONTEXT | tx_cmd::DEXT;

    if (flags & RTE_MBUF_F_TX_VLAN)
        address |= std::uint64_t{mbuf->vlan_tci} << tx_context::VLAN_SHIFT;
    if (flags & tx_checksum_flags)
        address |= mbuf->l3_len | std::uint64_t{mbuf->l2_len} << tx_context::MACLEN_SHIFT;
    if (flags & RTE_MBUF_F_TX_IP_CKSUM)
        command |= tx_context::IPV4;
    if (flags & RTE_MBUF_F_TX_TCP_SEG)
        command |= tx_context::L4_TCP | std::uint64_t{mbuf->l4_len} << tx_context::L4LEN_SHIFT |
                   std::uint64_t{mbuf->tso_segsz} << tx_context::MSS_SHIFT;
    else if ((flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_TCP_CKSUM)
        command |= tx_context::L4_TCP | std::uint64_t{20} << tx_context::L4LEN_SHIFT;
    else if ((flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_UDP_CKSUM)
        command |= tx_context::L4_UDP | std::uint64_t{8} << tx_context::L4LEN_SHIFT;
    else if ((flags & RTE_MBUF_F_TX_L4_MASK) == RTE_MBUF_F_TX_SCTP_CKSUM)
        command |= tx_context::L4_SCTP | std::uint64_t{12} << tx_context::L4LEN_SHIFT;
    else
        command |= tx_context::L4_NONE;
    return {.address = address, .command = command};
}

} // namespace igb
