// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive, scalar, and what is off the hot path.

#include <cerrno>

#include "rxtx/igb_rx_common.hpp"

namespace igb {

// A descriptor that is no good packet: errors, a length the buffer cannot have, or a part
// of a packet in several descriptors. The buffer goes back to the pool. A packet counts
// once, however many descriptors it has.
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
    if (rte_mempool_get_bulk(queue.pool, reinterpret_cast<void **>(queue.sw_ring), queue.nb_desc) !=
        0)
        return -ENOMEM;
    for (std::uint16_t i = 0; i < queue.nb_desc; i += batch_size)
        rearm_descs_scalar(&queue.ring[i], &queue.sw_ring[i]);
    queue.next = 0;
    queue.rearm_start = 0;
    queue.rearm_nb = 0;
    queue.discarding = false;
    queue.first_segment = nullptr;
    return 0;
}

void rx_drain(RxQueue &queue) {
    const std::uint16_t filled = static_cast<std::uint16_t>(queue.nb_desc - queue.rearm_nb);

    for (std::uint16_t i = 0; i < filled; i++) {
        const std::uint16_t index = static_cast<std::uint16_t>((queue.next + i) % queue.nb_desc);
        rte_mempool_put(queue.pool, queue.sw_ring[index]);
    }
    rte_pktmbuf_free(queue.first_segment); // which are no longer in the ring
    queue.first_segment = nullptr;
    queue.rearm_nb = queue.nb_desc;
    if (queue.lookup.enabled)
        rx_lookup_drain(queue);
}

std::uint16_t rx_burst_scalar(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive(*static_cast<RxQueue *>(queue), packets, nb_packets, take_scalar,
                   [](RxQueue &empty) { rearm(empty, rearm_descs_scalar); });
}

} // namespace igb
