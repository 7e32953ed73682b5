// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive, scalar, and what is off the hot path.

#include <cerrno>

#include "rxtx/igb_rx_common.hpp"

namespace igb {

namespace {

inline void arm(RxQueue &queue, std::uint16_t first, std::uint16_t count) {
    rte_mbuf **mbufs = &queue.mbufs[first];
    RxDesc *desc = &queue.ring[first];

#pragma GCC unroll 4
    for (std::uint16_t i = 0; i < count; i++) {
        const RxDesc fresh = rx_desc_read(rte_mbuf_data_iova_default(mbufs[i]));
        store(desc[i].lo, fresh.lo);
        store(desc[i].hi, fresh.hi);
    }
}

} // namespace

// A descriptor that is no good packet: errors, a length the buffer cannot have, or a piece
// of a packet in several descriptors. The buffer goes back to the pool. A packet counts
// once, however many pieces it has.
void rx_discard(RxQueue &queue, rte_mbuf *mbuf, std::uint32_t status) {
    if (!queue.discarding)
        queue.errors++;
    queue.discarding = !(status & rx_status::EOP);
    rte_mempool_put(queue.pool, mbuf);
}

std::uint64_t rx_rearm_data(std::uint16_t port_id) {
    return std::uint64_t{RTE_PKTMBUF_HEADROOM} | std::uint64_t{1} << 16 | std::uint64_t{1} << 32 |
           std::uint64_t{port_id} << 48;
}

int rx_fill(RxQueue &queue) {
    if (queue.lookup.enabled)
        return rx_lookup_fill(queue);
    if (rte_mempool_get_bulk(queue.pool, reinterpret_cast<void **>(queue.mbufs), queue.nb_desc) !=
        0)
        return -ENOMEM;
    arm(queue, 0, queue.nb_desc);
    queue.next = 0;
    queue.refill = 0;
    queue.missing = 0;
    queue.discarding = false;
    return 0;
}

void rx_drain(RxQueue &queue) {
    const std::uint16_t filled = static_cast<std::uint16_t>(queue.nb_desc - queue.missing);

    for (std::uint16_t i = 0; i < filled; i++) {
        const std::uint16_t index = static_cast<std::uint16_t>((queue.next + i) % queue.nb_desc);
        rte_mempool_put(queue.pool, queue.mbufs[index]);
    }
    queue.missing = queue.nb_desc;
    if (queue.lookup.enabled)
        rx_lookup_drain(queue);
}

std::uint16_t rx_burst_scalar(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive(*static_cast<RxQueue *>(queue), packets, nb_packets, take_scalar, arm);
}

} // namespace igb
