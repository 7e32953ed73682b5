// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A receive queue and its burst function.
//
// The ring, where `next` is the descriptor to look at and `rearm_start` the first that has to
// be given a buffer (`rearm_nb` of them, all between rearm_start and next):
//
//     rearm_start         next
//         v                 v
//     ----+-----------------+----------------------------
//         | given to the    | with a buffer: the device's,
//     ... | application     | or received and not yet seen ...
//     ----+-----------------+----------------------------
//
// The tail is rearm_start - 1: one descriptor that has a buffer stays with the driver, so that
// head == tail means "the device has none" and never "it has all".

#include <cstdint>

#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "rxtx/igb_desc.hpp"
#include "rxtx/igb_rxtx.hpp"

struct rte_iommufd_hold;

namespace igb {

// Buffers given to the device at a time, unless the application has its own idea: each time
// costs a write to the tail, which is a bus transaction, and in a virtual machine an exit.
inline constexpr std::uint16_t default_rx_free_thresh = 64;

// RxQueue::free_thresh of a queue that is not to be given any: beyond any ring.
inline constexpr std::uint16_t never_rearm = UINT16_MAX;

// Of a queue whose pool's mbufs carry no DMA addresses; see rxtx/igb_rx_lookup.cpp.
struct RxLookup {
    bool enabled;
    bool pinned;               // Buffers are external ones that never leave their mbufs.
    std::uint16_t nb_ready;    // Fewer than a batch, except amid a rearm.
    std::uint32_t nb_rejected; // Mbufs that the device does not get, until the queue stops.
    std::uint32_t nb_split;    // Of all the pool's, at set-up: so many are rejected as expected.
    std::uint32_t capacity;    // Of rejected: every mbuf of the pool.
    rte_mbuf **rejected;
    rte_mbuf *ready[batch_size]; // For the next batch, and where their data goes.
    rte_iova_t dma[batch_size];
};

// Most segments of a packet: the longest frame in the smallest buffers that the device can be told
// of. More are of no frame.
inline constexpr std::uint16_t rx_max_segments = (max_frame_length + 1023) / 1024;

struct RxQueue {
    // Touched by every burst.
    RxDesc *ring;
    rte_mbuf **sw_ring; // The mbuf of each descriptor; stale between rearm_start and next.
    volatile std::uint32_t *doorbell; // RDT.
    rte_mempool *pool;
    std::uint64_t rearm_data; // First word of an mbuf as received: data offset, counts and port.
    std::uint16_t nb_desc;
    std::uint16_t next;
    std::uint16_t rearm_start;
    std::uint16_t rearm_nb;
    std::uint16_t free_thresh; // Rearm when rearm_nb is this, batch_size or more.
    std::uint16_t buffer_size; // What the device believes; no packet may be longer.
    bool discarding;           // Amid a packet that spans descriptors.

    // Written by the burst function only.
    alignas(RTE_CACHE_LINE_SIZE) std::uint64_t packets;
    std::uint64_t bytes;
    std::uint64_t errors;   // Packets dropped: errors, too long, or in several descriptors.
    std::uint64_t no_mbufs; // Rearms that found the pool empty.
    // Of rx_burst_scattered() alone: a packet whose last descriptor has not come yet.
    rte_mbuf *first_segment;
    rte_mbuf *last_segment;
    std::uint32_t crc_bytes; // At the end of each packet, which no segment is to show.

    // Set-up.
    alignas(RTE_CACHE_LINE_SIZE) const rte_memzone *zone;
    rte_iommufd_hold *pool_hold; // Keeps the pool's memory in the address space.
    rte_iova_t dma;
    std::uint16_t queue_id;
    std::uint16_t chosen_free_thresh; // Of a queue that is started.
    bool drop_when_full;
    bool deferred_start;
    bool live; // The device may use the ring, or soon will.
    RxLookup lookup;
};

// RxQueue::rearm_data for a port: headroom, one reference, one segment.
std::uint64_t rx_rearm_data(std::uint16_t port_id);

// Give every descriptor a buffer and forget what was received. 0, or -ENOMEM if the pool has too
// few mbufs; nothing is kept then.
int rx_fill(RxQueue &queue);

// Free every buffer of the ring. The device must not use them any more.
void rx_drain(RxQueue &queue);

// Let the addresses of a queue's buffers be looked up. Its pool, whose buffers are held, and
// buffer_size are set. 0 or -ENOMEM. rx_lookup_free() takes it back.
int rx_lookup_setup(RxQueue &queue);
void rx_lookup_free(RxQueue &queue);

// What rx_fill() and rx_drain() do for such a queue.
int rx_lookup_fill(RxQueue &queue);
void rx_lookup_drain(RxQueue &queue);

// What rx_burst_lookup() does for the descriptors of such a queue that need buffers.
void rx_lookup_rearm(RxQueue &queue);

// Give the buffer of a descriptor that is no good packet back, and count the packet.
void rx_discard(RxQueue &queue, rte_mbuf *mbuf, std::uint32_t status);

// Value for RDT once the ring is filled.
inline std::uint16_t rx_tail(const RxQueue &queue) {
    return static_cast<std::uint16_t>((queue.rearm_start == 0 ? queue.nb_desc : queue.rearm_start) -
                                      1);
}

// eth_rx_descriptor_status_t, and how many packets wait in the ring.
int rx_descriptor_status(void *queue, std::uint16_t offset);
std::uint32_t rx_queue_count(const RxQueue &queue);

// eth_rx_burst_t, scalar.
std::uint16_t rx_burst_scalar(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same for packets in several buffers, and with a CRC that is kept; of whatever pool.
std::uint16_t rx_burst_scattered(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same for a port with a queue whose buffers are looked up, and for all of its queues.
std::uint16_t rx_burst_lookup(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same as the scalar one with AVX2, on a CPU that has it.
std::uint16_t rx_burst_avx2(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same with AVX-512 F, BW, DQ and VL.
std::uint16_t rx_burst_avx512(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

} // namespace igb
