// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the transmit functions share: all but the filling of descriptors for packets that
// need no closer look. Included by files that are compiled for different CPUs: internal
// linkage keeps the linker from taking one file's code for all.
//
// A packet is plain if it is one segment with one reference, of a length the hardware takes,
// direct, without an offload, and of the pool that the first packet of the burst is of, which is an
// iommufd pool. Plain packets are what a vector function fills several of at once, and a batch of
// nothing but plain packets of one pool goes back to it as a whole.
//
// That is what an application allows with RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE, found out
// instead of promised. The promise (one pool, one reference) would save nothing here: it does
// not say that a pool's memory is in the address space, nor that the data is the mbuf's own,
// so pool and flags have to be looked at anyway before an address may reach the device; and
// the other two counts come in the same comparison.

#include <algorithm>
#include <cstddef>
#include <cstring>

#include <rte_branch_prediction.h>

#include "rxtx/igb_mempool_cache.hpp"
#include "rxtx/igb_rxtx.hpp"
#include "rxtx/igb_tx.hpp"
#include "rxtx/igb_tx_offload.hpp"

namespace igb {

// The data of these is not where the mbuf's own pool put it.
inline constexpr std::uint64_t not_direct_flags = RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;

// A packet with one of these is not plain.
inline constexpr std::uint64_t not_plain_flags = not_direct_flags | tx_offload_flags;
static_assert((not_plain_flags & UINT32_MAX) == 0);

// What the sw_ring keeps for the last descriptor of a packet of several segments that was sent as
// it is: its first mbuf, marked by the lowest bit of the address, since its segments have to be
// taken apart when they are freed. An mbuf is aligned to a cache line.
struct ChainSlot {
    static rte_mbuf *of(rte_mbuf *packet) {
        return reinterpret_cast<rte_mbuf *>(reinterpret_cast<std::uintptr_t>(packet) | 1);
    }
    static bool is_chain(const rte_mbuf *slot) {
        return (reinterpret_cast<std::uintptr_t>(slot) & 1) != 0;
    }
    static rte_mbuf *packet(rte_mbuf *slot) {
        return reinterpret_cast<rte_mbuf *>(reinterpret_cast<std::uintptr_t>(slot) &
                                            ~std::uintptr_t{1});
    }
};

// The packets of a burst that are still to be sent.
struct TxWork {
    rte_mbuf **next;
    rte_mbuf **end;
    // An iommufd pool met in this burst: its direct mbufs carry their DMA address. Not kept
    // from burst to burst: the pool may be freed, and another one made in its place.
    rte_mempool *known_pool;
    // Descriptors filled beyond one for each packet.
    unsigned int extra_descs;
};

struct TxFilled {
    unsigned int descs;
    unsigned int completed; // Descriptors of older batches that were completed for it.
};

// Fill descriptors from index on with packets that may not be plain, until limit are filled,
// which do not go beyond a batch. The last packet may: it takes as many descriptors as it has
// segments for the device, and one if the device has to be told where its headers are. Packets that
// cannot be sent are dropped.
//
// nb_free are free at index. Where packets take more, older batches are completed, for what is left
// of the burst too.
//
// The queue's tail has moved past what was filled, work.next past what was taken, sent or dropped.
// work.end is there if there is no room for the next packet.
TxFilled tx_fill_any(TxQueue &queue, TxWork &work, unsigned int index, unsigned int limit,
                     unsigned int nb_free);

// Whether a batch is done that does not say so: it ends amid a packet, whose last descriptor does.
bool tx_packet_done(const TxQueue &queue, std::uint16_t first);

// Give a completed batch back whose mbufs are not all alike.
void tx_free_each(rte_mbuf **mbufs, std::uint16_t count);

namespace {

// One buffer, neither shorter nor longer than the hardware takes.
inline bool is_sendable_length(std::uint16_t length) {
    return static_cast<std::uint16_t>(length - tx_min_length) <= tx_max_length - tx_min_length;
}

// refcnt and nb_segs as they lie side by side: one reference, one segment.
constexpr std::uint32_t single_counts = 1u << 16 | 1;
static_assert(offsetof(rte_mbuf, nb_segs) == offsetof(rte_mbuf, refcnt) + 2);

inline bool is_single(const rte_mbuf *mbuf) {
    std::uint32_t counts;

    std::memcpy(&counts, reinterpret_cast<const char *>(mbuf) + offsetof(rte_mbuf, refcnt),
                sizeof(counts));
    return counts == single_counts;
}

// Flags of the upper half alone: that a constant of 64 bits need not be loaded for each packet.
inline bool has_none(const rte_mbuf *mbuf, std::uint64_t flags) {
    return (static_cast<std::uint32_t>(mbuf->ol_flags >> 32) & flags >> 32) == 0;
}

inline bool is_direct(const rte_mbuf *mbuf) {
    return has_none(mbuf, not_direct_flags);
}

// A direct mbuf of a pool that is known to be resolved.
inline bool carries_dma(const rte_mempool *known_pool, const rte_mbuf *mbuf) {
    return mbuf->pool == known_pool && is_direct(mbuf);
}

inline bool is_plain(const rte_mempool *known_pool, const rte_mbuf *mbuf) {
    return is_single(mbuf) && is_sendable_length(mbuf->data_len) && mbuf->pool == known_pool &&
           has_none(mbuf, not_plain_flags);
}

// Whether a device finds the mbufs of a pool as they are, by the address that they carry or, where
// they have no room for one, in the table; is_iommufd_pool() with fewer loads.
inline bool is_resolved(const TxQueue &queue, const rte_mempool *pool) {
    return pool->ops_index == queue.pool_ops && !(pool->flags & RTE_MEMPOOL_F_NON_IO);
}

// Mbufs of pool come into the batch of descriptor index. It stays a batch of one pool
// only if they all are of this one.
inline void note_pool(TxQueue &queue, unsigned int index, rte_mempool *pool) {
    rte_mempool *&noted = queue.batch_pools[index / batch_size];

    if (index % batch_size == 0)
        noted = pool;
    else if (noted != pool)
        noted = nullptr;
}

// Give a completed batch back; see TxQueue::batch_pools.
inline void free_batch(const TxQueue &queue, std::uint16_t first) {
    rte_mbuf **mbufs = &queue.sw_ring[first];
    rte_mempool *pool = queue.batch_pools[first / batch_size];

    if (likely(pool != nullptr))
        put_batch(pool, reinterpret_cast<void **>(mbufs));
    else
        tx_free_each(mbufs, batch_size);
}

// Free the oldest batch if the device is done with it.
inline bool complete_batch(TxQueue &queue) {
    const std::uint16_t in_use = static_cast<std::uint16_t>(queue.nb_desc - 1 - queue.nb_free);

    // Before its RS descriptor is filled again a batch shows the DD of its last lap.
    if (in_use < batch_size)
        return false;
    if (!tx_desc_done(load(queue.ring[queue.clean + batch_size - 1].command)) &&
        !tx_packet_done(queue, queue.clean))
        return false;
    rte_io_rmb(); // what follows DD is not done before DD was seen

    free_batch(queue, queue.clean);
    const auto next = static_cast<std::uint16_t>(queue.clean + batch_size);
    publish(queue.clean, next == queue.nb_desc ? std::uint16_t{0} : next);
    queue.nb_free = static_cast<std::uint16_t>(queue.nb_free + batch_size);
    return true;
}

inline void send(TxDesc &desc, rte_mbuf *&slot, rte_mbuf *mbuf, rte_iova_t dma,
                 std::uint16_t length) {
    slot = mbuf;
    store(desc.address, dma);
    store(desc.command, tx_desc_command(length));
}

// Send plain packets, count at most, from descriptor desc and its slot of the sw_ring on; what
// was sent is added to bytes. How many there were before one that is not plain.
inline std::size_t send_plain_scalar(TxDesc *desc, rte_mbuf **slot, rte_mbuf **packets,
                                     std::size_t count, const rte_mempool *known_pool,
                                     std::uint64_t &bytes) {
    std::size_t sent = 0; // as wide as a pointer: nothing is extended in the loop
    std::uint64_t total = 0;
    const auto send_one = [&](std::size_t i) {
        rte_mbuf *mbuf = packets[i];
        if (unlikely(!is_plain(known_pool, mbuf)))
            return false;
        const std::uint16_t length = mbuf->data_len;
        send(desc[i], slot[i], mbuf, rte_mbuf_data_iova(mbuf), length);
        total += length;
        return true;
    };

    for (; sent + 4 <= count; sent += 4) {
#pragma GCC unroll 4
        for (std::size_t i = 0; i < 4; i++) {
            if (!send_one(sent + i)) {
                bytes += total;
                return sent + i;
            }
        }
    }
    while (sent < count && send_one(sent))
        sent++;
    bytes += total;
    return sent;
}

// A burst.
//
// send_plain: as send_plain_scalar().
template <typename SendPlain>
inline std::uint16_t transmit(TxQueue &queue, rte_mbuf **packets, unsigned int nb_packets,
                              SendPlain send_plain) {
    const unsigned int wanted = std::max<unsigned int>(nb_packets, queue.free_thresh);

    while (queue.nb_free < wanted && complete_batch(queue))
        ;
    if (unlikely(nb_packets == 0))
        return 0;

    unsigned int tail = queue.tail;
    unsigned int nb_free = queue.nb_free;
    rte_mempool *first_pool = packets[0]->pool;
    TxWork work{.next = packets,
                .end = packets + nb_packets,
                .known_pool = is_resolved(queue, first_pool) ? first_pool : nullptr,
                .extra_descs = 0};

    while (nb_free > 0 && work.next < work.end) {
        // Up to the end of a batch, whose last descriptor carries RS.
        const unsigned int to_rs = batch_size - tail % batch_size;
        const unsigned int limit = std::min(nb_free, to_rs);
        const std::size_t most =
            std::min<std::size_t>(limit, static_cast<std::size_t>(work.end - work.next));
        TxDesc *desc = &queue.ring[tail];

        note_pool(queue, tail, work.known_pool);
        auto filled = static_cast<unsigned int>(
            send_plain(desc, &queue.sw_ring[tail], work.next, most, work.known_pool, queue.bytes));
        work.next += filled;
        if (unlikely(filled < most)) {
            const TxFilled any =
                tx_fill_any(queue, work, tail + filled, limit - filled, nb_free - filled);
            filled += any.descs;
            nb_free += any.completed;
        }
        // The end of a batch or of the burst. None was filled, or more than to the end of the
        // batch: then tx_fill_any() has seen to it.
        if (likely(filled - 1 < to_rs))
            store(desc[filled - 1].command, load(desc[filled - 1].command) | tx_report_status);
        nb_free -= filled;
        tail += filled;
        if (tail >= queue.nb_desc)
            tail -= queue.nb_desc;
    }

    const unsigned int sent = queue.nb_free - nb_free;
    publish(queue.tail, static_cast<std::uint16_t>(tail));
    queue.nb_free = static_cast<std::uint16_t>(nb_free);
    queue.packets += sent - work.extra_descs;
    if (likely(sent > 0))
        ring_doorbell(queue.doorbell, queue.tail);
    return static_cast<std::uint16_t>(work.next - packets);
}

} // namespace

} // namespace igb
