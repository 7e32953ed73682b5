// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A workload: what the packets of a round are, and what the ports are configured for. One row of
// the table in workload.cpp; what measures, counts or checks takes a row and knows no other.

#pragma once

#include <cstdint>
#include <numeric>
#include <vector>

#include <rte_mbuf.h>

#include "descriptor.hpp"

namespace bench {

enum class Op { rx, tx, fwd };

inline constexpr std::uint16_t ring_size = 512;

// Descriptors of a round: no more than this, half a ring.
inline constexpr unsigned int round_descs = ring_size / 2;

// Bytes that the device puts into one buffer.
inline constexpr std::uint16_t buffer_size = RTE_MBUF_DEFAULT_DATAROOM;

struct Workload {
    const char *name;
    std::vector<Op> ops;              // What it is measured in.
    std::vector<unsigned int> bursts; // Sizes of bursts, unless others are asked for.
    unsigned int packets;             // Of a round.

    // A packet: its length without CRC, in segments of which all but the last are as long as this.
    std::uint16_t length;
    std::uint16_t segment_length;

    std::uint64_t tx_flags;    // ol_flags of packets to send.
    std::uint32_t rx_status;   // What the device says of a packet it has received.
    std::uint16_t rx_vlan;     // The tag it has stripped.
    std::uint16_t mtu;         // 0: DPDK's default.
    std::uint64_t rx_offloads; // Configured beside what every port is asked for.
    std::uint64_t tx_offloads;

    [[nodiscard]] unsigned int segments() const {
        return (length + segment_length - 1u) / segment_length;
    }
    [[nodiscard]] unsigned int mbufs() const { return packets * segments(); }
    [[nodiscard]] bool has(Op op) const;
    // Whether it is the one that all drivers are measured with.
    [[nodiscard]] bool is_plain() const;
};

// All of them; the plain one is the first.
const std::vector<Workload> &workloads();

// Rounds after which every round begins at the same places of the rings again: refills,
// completions and the pool's cache repeat within.
inline unsigned int lap_rounds(const Workload &workload) {
    return ring_size / std::gcd(unsigned{ring_size}, workload.mbufs());
}

// Make a packet of as many mbufs as the workload has segments.
rte_mbuf *make_packet(const Workload &workload, rte_mbuf *const *mbufs);

// What the device writes back for one packet.
std::vector<Descriptor> received_packet(const Workload &workload);

} // namespace bench
