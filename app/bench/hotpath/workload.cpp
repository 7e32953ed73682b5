// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The table of workloads.

#include "workload.hpp"

#include <algorithm>
#include <cstdint>

#include <rte_ethdev.h>

namespace bench {

namespace {

// UDP over IPv4 with an RSS hash, both checksums right.
constexpr std::uint32_t checked = rx::DD | rx::EOP | rx::UDPCS | rx::L4CS | rx::IPCS;
constexpr std::uint16_t udp_info = rx::RSS_IPV4_UDP | (rx::TYPE_IPV4 | rx::TYPE_UDP)
                                                          << rx::TYPE_SHIFT;
constexpr std::uint32_t hash = 0x12345678;

// Length of a packet of 64 bytes without its CRC, which the hardware strips and appends.
constexpr std::uint16_t shortest = 60;

// Headers of packets that ask for offloads: Ethernet, IPv4, and TCP or UDP. The tag is not there
// yet.
constexpr std::uint64_t l2_length = 14;
constexpr std::uint64_t l3_length = 20;
constexpr std::uint64_t tcp_length = 20;
constexpr std::uint64_t udp_length = 8;
constexpr std::uint16_t tag = 100;
constexpr std::uint16_t mss = 1460;

constexpr std::uint64_t checksum_offloads =
    RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_CKSUM;

Workload chains(const char *name, unsigned int segments) {
    constexpr std::uint16_t length = 1500;

    return {.name = name,
            .ops = {Op::tx},
            .bursts = {32},
            .packets = round_descs / segments,
            .length = length,
            .segment_length = static_cast<std::uint16_t>(length / segments),
            .tx_flags = 0,
            .rx_status = checked,
            .rx_vlan = 0,
            .mtu = 0,
            .rx_offloads = 0,
            .tx_offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS};
}

} // namespace

const std::vector<Workload> &workloads() {
    static const std::vector<Workload> all = {
        {.name = "plain",
         .ops = {Op::rx, Op::tx, Op::fwd},
         .bursts = {1, 8, 32, 64},
         .packets = round_descs,
         .length = shortest,
         .segment_length = shortest,
         .tx_flags = 0,
         .rx_status = checked,
         .rx_vlan = 0,
         .mtu = 0,
         .rx_offloads = 0,
         .tx_offloads = 0},
        chains("chains2", 2),
        chains("chains4", 4),
        {.name = "tso32k",
         .ops = {Op::tx},
         .bursts = {16},
         .packets = round_descs / (32768 / buffer_size),
         .length = 32768,
         .segment_length = buffer_size,
         .tx_flags = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM |
                     RTE_MBUF_F_TX_IPV4,
         .rx_status = checked,
         .rx_vlan = 0,
         .mtu = 0,
         .rx_offloads = 0,
         .tx_offloads =
             RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_TCP_TSO | checksum_offloads},
        {.name = "csum_vlan",
         .ops = {Op::rx, Op::tx},
         .bursts = {32},
         .packets = round_descs,
         .length = shortest,
         .segment_length = shortest,
         .tx_flags = RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_UDP_CKSUM | RTE_MBUF_F_TX_IP_CKSUM |
                     RTE_MBUF_F_TX_IPV4,
         .rx_status = checked | rx::VP,
         .rx_vlan = tag,
         .mtu = 0,
         .rx_offloads = 0, // stripping is on in every port
         .tx_offloads = RTE_ETH_TX_OFFLOAD_VLAN_INSERT | checksum_offloads},
        {.name = "rx_scattered",
         .ops = {Op::rx},
         .bursts = {32},
         .packets = 48,
         .length = 9014, // an MTU of 9000
         .segment_length = buffer_size,
         .tx_flags = 0,
         .rx_status = checked,
         .rx_vlan = 0,
         .mtu = 9000,
         .rx_offloads = RTE_ETH_RX_OFFLOAD_SCATTER,
         .tx_offloads = 0},
    };
    return all;
}

bool Workload::has(Op op) const {
    return std::find(ops.begin(), ops.end(), op) != ops.end();
}

bool Workload::is_plain() const {
    return this == &workloads().front();
}

rte_mbuf *make_packet(const Workload &workload, rte_mbuf *const *mbufs) {
    const unsigned int segments = workload.segments();
    rte_mbuf *packet = mbufs[0];
    std::uint16_t left = workload.length;

    for (unsigned int i = 0; i < segments; i++) {
        rte_pktmbuf_reset(mbufs[i]);
        mbufs[i]->data_len = std::min(left, workload.segment_length);
        left = static_cast<std::uint16_t>(left - mbufs[i]->data_len);
        if (i + 1 < segments)
            mbufs[i]->next = mbufs[i + 1]; // which is reset before it is given a next one itself
    }
    packet->pkt_len = workload.length;
    packet->nb_segs = static_cast<std::uint16_t>(segments);
    if (workload.tx_flags != 0) {
        const bool tso = (workload.tx_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
        packet->ol_flags = workload.tx_flags;
        packet->vlan_tci = tag;
        packet->tx_offload = rte_mbuf_tx_offload(
            l2_length, l3_length, tso ? tcp_length : udp_length, tso ? mss : 0, 0, 0, 0);
    }
    return packet;
}

std::vector<Descriptor> received_packet(const Workload &workload) {
    const unsigned int before_last = workload.segments() - 1;
    const auto rest =
        static_cast<std::uint16_t>(workload.length - before_last * workload.segment_length);
    // What is said of a packet is said in the last.
    std::vector<Descriptor> packet(before_last,
                                   rx::written(rx::DD, workload.segment_length, 0, 0, 0));

    packet.push_back(rx::written(workload.rx_status, rest, workload.rx_vlan, hash, udp_info));
    return packet;
}

} // namespace bench
