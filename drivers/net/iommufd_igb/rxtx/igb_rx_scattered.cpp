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

// The packet that is being put together, whose last descriptor has not come yet: what will stand in
// its first mbuf is kept here until then. Between bursts it is in the queue and in the mbuf.
struct Chain {
    rte_mbuf *first; // nullptr if there is none
    rte_mbuf *last;
    std::uint32_t length;
    std::uint16_t nb_segs;
};

inline Chain load_chain(const RxQueue &queue) {
    rte_mbuf *first = queue.first_segment;

    if (first == nullptr)
        return {};
    return {.first = first,
            .last = queue.last_segment,
            .length = first->pkt_len,
            .nb_segs = first->nb_segs};
}

inline void store_chain(RxQueue &queue, const Chain &chain) {
    queue.first_segment = chain.first;
    queue.last_segment = chain.last;
    if (chain.first != nullptr) {
        chain.first->pkt_len = chain.length;
        chain.first->nb_segs = chain.nb_segs;
    }
}

// Whether a descriptor can be the next of a packet.
inline bool can_follow(const Chain &chain, std::uint32_t status, std::uint16_t length,
                       std::uint16_t longest) {
    // length - 1 wraps for an empty buffer; in longest() is that what is discarded goes on so.
    return !(status & rx_status::FRAME_ERRORS) &&
           static_cast<std::uint16_t>(length - 1) < longest && chain.nb_segs < rx_max_segments;
}

// A descriptor of no good packet: what has come of it goes back.
[[gnu::noinline, gnu::cold]] void drop(RxQueue &queue, rte_mbuf *first, rte_mbuf *mbuf,
                                       std::uint32_t status) {
    rte_pktmbuf_free(first);
    rx_discard(queue, mbuf, status);
}

// ol_flags of every segment: the library goes by them when it frees, clones and detaches.
inline std::uint64_t segment_flags(const RxQueue &queue) {
    return queue.lookup.pinned ? RTE_MBUF_F_EXTERNAL : 0;
}

// A segment of the packet, as its pool has it but for data and counts.
inline void append(Chain &chain, rte_mbuf *mbuf, std::uint64_t rearm_data, std::uint64_t flags,
                   std::uint16_t length) {
    put_field(mbuf, rearm_offset, rearm_data);
    put_field(mbuf, offsetof(rte_mbuf, ol_flags), flags);
    put_field(mbuf, offsetof(rte_mbuf, data_len), length);
    if (chain.first == nullptr)
        chain.first = mbuf;
    else
        chain.last->next = mbuf;
    chain.last = mbuf;
    chain.length += length;
    chain.nb_segs++;
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
inline rte_mbuf *finish(RxQueue &queue, Chain &chain, std::uint64_t flags, std::uint64_t lo,
                        std::uint64_t hi) {
    rte_mbuf *packet = std::exchange(chain.first, nullptr);

    put_field(packet, offsetof(rte_mbuf, nb_segs), std::exchange(chain.nb_segs, 0));
    put_field(packet, offsetof(rte_mbuf, ol_flags), flags | rx_ol_flags(lo, hi));
    put_field(packet, offsetof(rte_mbuf, packet_type), rx_ptype(lo));
    put_field(packet, offsetof(rte_mbuf, pkt_len), std::exchange(chain.length, 0));
    put_field(packet, offsetof(rte_mbuf, vlan_tci), static_cast<std::uint16_t>(hi >> 48));
    put_field(packet, offsetof(rte_mbuf, hash.rss), static_cast<std::uint32_t>(lo >> 32));
    if (likely(queue.crc_bytes == 0))
        return packet;
    if (packet->pkt_len <= queue.crc_bytes) {
        rte_pktmbuf_free(packet);
        queue.errors++;
        return nullptr;
    }
    strip_crc(packet, queue.crc_bytes);
    return packet;
}

// As take_scalar(), but ends when nb_packets are complete. How many descriptors were taken.
inline std::uint16_t take_scattered(RxQueue &queue, std::uint16_t count, rte_mbuf **packets,
                                    std::uint16_t nb_packets, Chain &chain, Received &received) {
    const RxDesc *desc = &queue.ring[queue.next];
    rte_mbuf *const *mbufs = &queue.sw_ring[queue.next];
    const std::uint64_t rearm_data = queue.rearm_data;
    const std::uint64_t flags = segment_flags(queue);
    const std::uint16_t done = count_done(desc, count);
    std::uint16_t limit = longest(queue);
    std::uint16_t taken = 0;

    rte_io_rmb(); // nothing of a descriptor is read before its DD, as in take_scalar()

    while (taken < done && received.packets < nb_packets) {
        const std::uint64_t hi = load(desc[taken].hi);
        const std::uint16_t length = rx_desc_length(hi);
        rte_mbuf *mbuf = mbufs[taken];

        if (unlikely(!can_follow(chain, rx_desc_status(hi), length, limit))) {
            drop(queue, chain.first, mbuf, rx_desc_status(hi));
            chain = {};
            limit = longest(queue);
            taken++;
            continue;
        }
        append(chain, mbuf, rearm_data, flags, length);
        if (rx_desc_status(hi) & rx_status::EOP) {
            rte_mbuf *packet = finish(queue, chain, flags, load(desc[taken].lo), hi);
            if (likely(packet != nullptr)) {
                packets[received.packets++] = packet;
                received.bytes += packet->pkt_len;
            }
        }
        taken++;
    }
    return taken;
}

} // namespace

std::uint16_t rx_burst_scattered(void *opaque, rte_mbuf **packets, std::uint16_t nb_packets) {
    auto &queue = *static_cast<RxQueue *>(opaque);
    Received received{.packets = 0, .bytes = 0};
    Chain chain = load_chain(queue);
    // No further than there are buffers, as in receive().
    auto budget = static_cast<std::uint16_t>(queue.nb_desc - queue.rearm_nb);

    while (budget > 0 && received.packets < nb_packets) {
        const auto to_wrap = static_cast<std::uint16_t>(queue.nb_desc - queue.next);
        const std::uint16_t count = std::min({descs_per_loop, budget, to_wrap});
        const std::uint16_t taken =
            take_scattered(queue, count, packets, nb_packets, chain, received);

        advance(queue, taken);
        budget = static_cast<std::uint16_t>(budget - taken);
        if (taken < count)
            break;
    }
    store_chain(queue, chain);
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
