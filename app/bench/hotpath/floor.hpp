// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The floor: the least that a driver can do for these descriptors one by one, on the CPU
// that DPDK is built for (SSE 4). It reads them, sets every field of the mbuf that stock igb
// sets, gives the device new buffers, and on transmit writes descriptors with one RS in 32.
// No pool, no free, no record of what is sent, no statistics, no check of what it is given:
// it is no driver that anybody could use.
//
// A packet's mbuf goes back into the receive ring 256 packets after it was handed out,
// without a word from the application: the least that leaves a round's packets alone until
// the device has sent them (rounds.hpp).

#pragma once

#include <bit>
#include <cstdint>

#include <rte_mbuf.h>

#include "variant.hpp"

namespace bench {

// What the parts of a written-back descriptor mean.
struct FloorTables {
    const std::uint32_t *types;    // RTE_PTYPE by packet type.
    const std::uint64_t *statuses; // Flags of VLAN and checksums, by status_index().
    const std::uint64_t *rss;      // Flag of the RSS hash, by RSS type.
    std::uint64_t rearm_data;      // First word that is set of an mbuf.
};

inline constexpr std::uint16_t floor_spare = 256;

// Prefetch distance: without, each packet waits for its mbuf to come from the L2 cache.
inline constexpr std::uint16_t floor_ahead = 4;

struct FloorRx {
    Descriptor *ring;
    volatile std::uint32_t *tail;
    rte_mbuf **current; // Of each descriptor: what the device has; floor_ahead more.
    rte_mbuf **spare;   // The last floor_spare handed out; given to the device in turn.
    FloorTables tables;
    std::uint16_t next;
};

struct FloorTx {
    Descriptor *ring;
    volatile std::uint32_t *tail;
    std::uint16_t next;
};

// Turned so that L4E and IPE come to bits 0 and 1, and VP to bit 6.
constexpr std::uint32_t status_index(std::uint32_t status) {
    return std::rotl(status, 3) & (1u << 0 | 1u << 1 | 1u << 6);
}
static_assert(status_index(rx::L4E) == 1u << 0);
static_assert(status_index(rx::IPE) == 1u << 1);
static_assert(status_index(rx::VP) == 1u << 6);
inline constexpr std::uint32_t nb_status_indexes = 1 + status_index(rx::L4E | rx::IPE | rx::VP);

// Rings, mbufs and burst functions; variant.device and variant.pool are there.
void start_floor(Variant &variant);

std::uint16_t floor_rx(void *queue, rte_mbuf **packets, std::uint16_t count);
std::uint16_t floor_tx(void *queue, rte_mbuf **packets, std::uint16_t count);

} // namespace bench
