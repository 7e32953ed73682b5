// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive packets that need several buffers, and those whose CRC is kept: one mbuf for each
// descriptor, chained.
//
//     descriptor   DD        DD        DD | EOP
//     mbuf         first --> next ---> last
//
// What the device says of a packet, it says in the last of its descriptors (DPDK 22.11.11,
// igb_rxtx.c, eth_igb_recv_scattered_pkts(), reads it there). A packet that has not ended when a
// burst does goes on in the next one.

#include <algorithm>
#include <utility>

#include "rxtx/igb_rx_common.hpp"

namespace igb {

namespace {

// Whether a descriptor can be the next of the packet that is being put together.
inline bool can_follow(const RxQueue &queue, std::uint32_t status, std::uint16_t length) {
    // length - 1 wraps for an empty buffer; in longest() is that what is discarded goes on so.
    return !(status & rx_status::FRAME_ERRORS) &&
           static_cast<std::uint16_t>(length - 1) < longest(queue) &&
           (queue.first_segment == nullptr || queue.first_segment->nb_segs < rx_max_segments);
}

// A descriptor of no good packet: what has come of it goes back.
[[gnu::noinline, gnu::cold]] void drop(RxQueue &queue, rte_mbuf *mbuf, std::uint32_t status) {
    rte_pktmbuf_free(std::exchange(queue.first_segment, nullptr));
    rx_discard(queue, mbuf, status);
}

// A segment of the packet, as its pool has it but for data and counts.
inline void append(RxQueue &queue, rte_mbuf *mbuf, std::uint16_t length) {
    rte_mbuf *first = queue.first_segment;

    put_field(mbuf, rearm_offset, queue.rearm_data);
    // The library goes by this when it frees, clones and detaches.
    mbuf->ol_flags = queue.lookup.pinned ? RTE_MBUF_F_EXTERNAL : 0;
    mbuf->data_len = length;
    if (first == nullptr) {
        mbuf->pkt_len = length;
        queue.first_segment = mbuf;
    } else {
        first->pkt_len += length;
        first->nb_segs++;
        queue.last_segment->next = mbuf;
    }
    queue.last_segment = mbuf;
}

// Take the CRC off, which may lie in two segments or be all of the last.
[[gnu::noinline]] void strip_crc(rte_mbuf *packet, std::uint32_t bytes) {
    packet->pkt_len -= bytes;
    while (bytes > 0) {
        rte_mbuf *before = nullptr;
        rte_mbuf *last = packet;
        while (last->next != nullptr)
            before = std::exchange(last, last->next);
        const auto here =
            static_cast<std::uint16_t>(std::min<std::uint32_t>(bytes, last->data_len));

        last->data_len = static_cast<std::uint16_t>(last->data_len - here);
        bytes -= here;
        if (last->data_len == 0) { // never the first: a packet has more than its CRC
            before->next = nullptr;
            packet->nb_segs--;
            rte_pktmbuf_free_seg(last);
        }
    }
}

// What the last descriptor says goes into the first mbuf.
inline rte_mbuf *finish(RxQueue &queue, std::uint64_t lo, std::uint64_t hi) {
    rte_mbuf *packet = std::exchange(queue.first_segment, nullptr);

    packet->ol_flags |= rx_ol_flags(lo, hi);
    packet->packet_type = rx_ptype(lo);
    packet->vlan_tci = static_cast<std::uint16_t>(hi >> 48);
    packet->hash.rss = static_cast<std::uint32_t>(lo >> 32);
    if (unlikely(packet->pkt_len <= queue.crc_bytes)) {
        rte_pktmbuf_free(packet);
        queue.errors++;
        return nullptr;
    }
    if (queue.crc_bytes != 0)
        strip_crc(packet, queue.crc_bytes);
    return packet;
}

// As take_scalar(), but ends when nb_packets are complete. How many descriptors were taken.
std::uint16_t take_scattered(RxQueue &queue, std::uint16_t count, rte_mbuf **packets,
                             std::uint16_t nb_packets, Received &received) {
    const RxDesc *desc = &queue.ring[queue.next];
    rte_mbuf *const *mbufs = &queue.sw_ring[queue.next];
    const std::uint16_t done = count_done(desc, count);
    std::uint16_t taken = 0;

    rte_io_rmb(); // nothing of a descriptor is read before its DD, as in take_scalar()

    while (taken < done && received.packets < nb_packets) {
        const std::uint64_t lo = load(desc[taken].lo);
        const std::uint64_t hi = load(desc[taken].hi);
        rte_mbuf *mbuf = mbufs[taken++];

        if (unlikely(!can_follow(queue, rx_desc_status(hi), rx_desc_length(hi)))) {
            drop(queue, mbuf, rx_desc_status(hi));
            continue;
        }
        append(queue, mbuf, rx_desc_length(hi));
        if (!(rx_desc_status(hi) & rx_status::EOP))
            continue;
        if (rte_mbuf *packet = finish(queue, lo, hi); likely(packet != nullptr)) {
            packets[received.packets++] = packet;
            received.bytes += packet->pkt_len;
        }
    }
    return taken;
}

} // namespace

std::uint16_t rx_burst_scattered(void *opaque, rte_mbuf **packets, std::uint16_t nb_packets) {
    auto &queue = *static_cast<RxQueue *>(opaque);
    Received received{.packets = 0, .bytes = 0};
    // No further than there are buffers, as in receive().
    auto budget = static_cast<std::uint16_t>(queue.nb_desc - queue.rearm_nb);

    while (budget > 0 && received.packets < nb_packets) {
        const auto to_wrap = static_cast<std::uint16_t>(queue.nb_desc - queue.next);
        const std::uint16_t count = std::min({descs_per_loop, budget, to_wrap});
        const std::uint16_t taken = take_scattered(queue, count, packets, nb_packets, received);

        advance(queue, taken);
        budget = static_cast<std::uint16_t>(budget - taken);
        if (taken < count)
            break;
    }
    queue.packets += received.packets;
    queue.bytes += received.bytes;
    if (queue.rearm_nb < queue.free_thresh)
        return received.packets;
    if (queue.lookup.enabled)
        rx_lookup_rearm(queue);
    else
        rearm(queue, rearm_descs_scalar);
    return received.packets;
}

} // namespace igb
