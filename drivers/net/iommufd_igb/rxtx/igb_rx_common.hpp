// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the receive functions share. Included by files that are compiled for different
// CPUs: internal linkage keeps the linker from taking one file's code for all.

#include <algorithm>
#include <cstring>

#include <rte_branch_prediction.h>

#include "rxtx/igb_mempool_cache.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_rx_fields.hpp"
#include "rxtx/igb_rxtx.hpp"

namespace igb {

namespace {

// Descriptors looked at together: one read barrier for all, one cache line pair.
constexpr std::uint16_t descs_per_loop = 8;

// One store. Atomic for what a compiler does not do to atomic stores: put four of them
// together in a vector register, which takes more instructions than it saves.
template <typename Value>
inline void put_field(rte_mbuf *mbuf, std::size_t offset, Value value) {
    auto *field = reinterpret_cast<Value *>(reinterpret_cast<char *>(mbuf) + offset);

    __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

// Make a received packet of a pool's mbuf. `next` is left alone: mbufs in a pool have
// next == NULL and nb_segs == 1 (rte_mbuf_raw_free() demands it), and it is on the second
// cache line.
inline void fill_mbuf(rte_mbuf *mbuf, std::uint64_t rearm_data, std::uint64_t lo,
                      std::uint64_t hi) {
    put_field(mbuf, rearm_offset, rearm_data);
    put_field(mbuf, offsetof(rte_mbuf, ol_flags), std::uint64_t{rx_ol_flags(lo, hi)});
    put_field(mbuf, offsetof(rte_mbuf, packet_type), rx_ptype(lo));
    put_field(mbuf, offsetof(rte_mbuf, pkt_len), std::uint32_t{rx_desc_length(hi)});
    put_field(mbuf, offsetof(rte_mbuf, data_len),
              static_cast<std::uint32_t>(hi >> 32)); // vlan_tci too
    put_field(mbuf, offsetof(rte_mbuf, hash.rss), static_cast<std::uint32_t>(lo >> 32));
}

// A batch of descriptors for the mbufs beside them.
inline void rearm_descs_scalar(RxDesc *descs, rte_mbuf *const *mbufs) {
#pragma GCC unroll 4
    for (std::uint16_t i = 0; i < batch_size; i++) {
        const RxDesc empty = rx_desc_read(rte_mbuf_data_iova_default(mbufs[i]));
        store(descs[i].lo, empty.lo);
        store(descs[i].hi, empty.hi);
    }
}

// Give the descriptors from rearm_start on buffers of the pool, a batch at a time.
//
// rearm_descs: writes a batch of descriptors for the mbufs beside them,
//              void(RxDesc *, rte_mbuf *const *).
template <typename RearmDescs>
inline void rearm(RxQueue &queue, RearmDescs rearm_descs) {
    const std::uint16_t before = queue.rearm_nb;

    while (queue.rearm_nb >= batch_size) {
        rte_mbuf **mbufs = &queue.sw_ring[queue.rearm_start];

        // All or nothing; on failure the old pointers stay, which nobody follows: they
        // belong to descriptors between rearm_start and next. The rest of the ring goes on
        // receiving, and the next burst tries again.
        if (unlikely(!get_batch(queue.pool, reinterpret_cast<void **>(mbufs)))) {
            queue.no_mbufs++;
            break;
        }
        rearm_descs(&queue.ring[queue.rearm_start], mbufs);
        queue.rearm_start = static_cast<std::uint16_t>(queue.rearm_start + batch_size);
        if (queue.rearm_start == queue.nb_desc)
            queue.rearm_start = 0;
        queue.rearm_nb = static_cast<std::uint16_t>(queue.rearm_nb - batch_size);
    }
    if (queue.rearm_nb != before)
        ring_doorbell(queue.doorbell, rx_tail(queue));
}

// Packets may be as long as this: while a packet is discarded none may be.
inline std::uint16_t longest(const RxQueue &queue) {
    return queue.discarding ? 0 : queue.buffer_size;
}

inline bool is_good(std::uint32_t status, std::uint16_t length, std::uint16_t longest) {
    // length - 1 wraps for an empty packet, which is none.
    return (status & (rx_status::EOP | rx_status::FRAME_ERRORS)) == rx_status::EOP &&
           static_cast<std::uint16_t>(length - 1) < longest;
}

// Descriptors at the start of desc that the device has finished, up to limit.
inline std::uint16_t count_done(const RxDesc *desc, std::uint16_t limit) {
    std::uint16_t done = 0;

    if (limit == descs_per_loop) { // all of them, as a rule: asked in one
        std::uint64_t done_bits = rx_status::DD;
#pragma GCC unroll 8
        for (std::uint16_t i = 0; i < descs_per_loop; i++)
            done_bits &= load(desc[i].hi);
        if (done_bits != 0)
            return descs_per_loop;
    }
    while (done < limit && (rx_desc_status(load(desc[done].hi)) & rx_status::DD))
        done++;
    return done;
}

// Packets and bytes of a burst so far.
struct Received {
    std::uint16_t packets;
    std::uint64_t bytes;
};

// Take what is done of the next count descriptors, which do not wrap, one by one. How many were
// done, good or not.
inline std::uint16_t take_scalar(RxQueue &queue, std::uint16_t count, rte_mbuf **packets,
                                 Received &received) {
    const RxDesc *desc = &queue.ring[queue.next];
    rte_mbuf *const *mbufs = &queue.sw_ring[queue.next];
    const std::uint64_t rearm_data = queue.rearm_data;
    const std::uint16_t done = count_done(desc, count);
    rte_mbuf **out = packets + received.packets;
    std::uint64_t bytes = received.bytes;
    std::uint16_t limit = longest(queue);

    // DD says that the rest of the descriptor and the packet are in memory. A CPU that
    // reorders loads could have read them before DD: nothing of them is used from
    // above this barrier (a compiler barrier on x86, DMB OSHLD on arm64).
    rte_io_rmb();

    for (std::uint16_t i = 0; i < done; i++) {
        const std::uint64_t lo = load(desc[i].lo);
        const std::uint64_t hi = load(desc[i].hi);
        rte_mbuf *mbuf = mbufs[i];

        if (unlikely(!is_good(rx_desc_status(hi), rx_desc_length(hi), limit))) {
            rx_discard(queue, mbuf, rx_desc_status(hi));
            limit = longest(queue);
            continue;
        }
        fill_mbuf(mbuf, rearm_data, lo, hi);
        bytes += rx_desc_length(hi);
        *out++ = mbuf;
    }
    received.packets = static_cast<std::uint16_t>(out - packets);
    received.bytes = bytes;
    return done;
}

// Go past done descriptors, which do not wrap.
inline void advance(RxQueue &queue, std::uint16_t done) {
    queue.next = static_cast<std::uint16_t>(queue.next + done);
    if (queue.next == queue.nb_desc)
        queue.next = 0;
    queue.rearm_nb = static_cast<std::uint16_t>(queue.rearm_nb + done);
}

// A burst.
//
// take:      takes what is done of the next descriptors, as take_scalar():
//            std::uint16_t(RxQueue &, std::uint16_t, rte_mbuf **, Received &).
// rearm_all: gives buffers to the descriptors that need them, void(RxQueue &).
template <typename Take, typename RearmAll>
inline std::uint16_t receive(RxQueue &queue, rte_mbuf **packets, std::uint16_t nb_packets,
                             Take take, RearmAll rearm_all) {
    Received received{.packets = 0, .bytes = 0};

    // A device that sets DD where it must not could otherwise lead past the last buffer
    // to mbufs that are somebody else's by now.
    std::uint16_t budget = std::min<std::uint16_t>(
        nb_packets, static_cast<std::uint16_t>(queue.nb_desc - queue.rearm_nb));

    while (budget > 0) {
        const auto to_wrap = static_cast<std::uint16_t>(queue.nb_desc - queue.next);
        const std::uint16_t count = std::min({descs_per_loop, budget, to_wrap});
        const std::uint16_t done = take(queue, count, packets, received);

        advance(queue, done);
        budget = static_cast<std::uint16_t>(budget - done);
        if (done < count)
            break;
    }
    queue.packets += received.packets;
    queue.bytes += received.bytes;
    if (queue.rearm_nb >= queue.free_thresh)
        rearm_all(queue);
    return received.packets;
}

} // namespace

} // namespace igb
