// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit of what is not plain: chains, offloads, and data whose address is looked up. It is found
// out what a packet asks of the device (is a context needed?); then there are two ways:
//
//     own      All mbufs are of the known pool, direct, and of one reference: the driver's
//              alone. The packet is taken apart; each mbuf is kept by its descriptor, and goes
//              back to the pool with the batch, as that of a plain packet does.
//     planned  The rest. Which descriptors it takes is found out for the packet as a whole,
//              room is asked for, they are filled. The last of them keeps the packet, as it is.

#include <algorithm>
#include <utility>

#include "rxtx/igb_tx_common.hpp"
#include "rxtx/igb_tx_plan.hpp"

namespace igb {

namespace {

// What a packet asks for that is not what the last one asked.
struct TxRequest {
    TxAsked asked;
    TxDesc context;
    bool is_new = false;
    bool has_context = false; // and the device's context is another one
};

// Whether the device's context is that of a packet.
inline bool is_asked(const TxAsked &asked, const rte_mbuf *mbuf, std::uint64_t flags) {
    return flags == asked.flags && mbuf->tx_offload == asked.lengths &&
           mbuf->vlan_tci == asked.vlan_tci;
}

// Of a packet that is good by tx_check().
TxRequest request_of(const TxQueue &queue, const rte_mbuf *mbuf) {
    const std::uint64_t flags = mbuf->ol_flags & tx_offload_flags;
    TxRequest request;

    if (flags == 0 || is_asked(queue.asked, mbuf, flags)) {
        request.asked = flags == 0 ? tx_asked_nothing : queue.asked;
        return request;
    }
    request.asked = tx_asked_by(mbuf);
    request.context = tx_context_of(mbuf);
    request.is_new = true;
    request.has_context = request.context.address != queue.context.address ||
                          request.context.command != queue.context.command;
    return request;
}

// Where the data is of a direct mbuf of an iommufd pool.
inline rte_iova_t dma_of(const rte_mbuf *segment) {
    if constexpr (mbufs_carry_dma)
        return rte_mbuf_data_iova(segment);
    return rte_iommufd_virt2dma(rte_pktmbuf_mtod(segment, const void *));
}

// What an own packet's descriptors are alike in.
inline std::uint64_t own_part(const TxAsked &asked, std::uint32_t length) {
    return tx_desc_part(0, length - asked.header, asked.options, false);
}

// The links of the mbufs from slot first to slot last, which were taken off.
[[gnu::noinline, gnu::cold]] void put_together(rte_mbuf **first, rte_mbuf *const *last) {
    for (; first < last; first++)
        (*first)->next = first[1];
}

// Fill the descriptors of a packet if all of it is the driver's alone: direct mbufs of the known
// pool with one reference, as many as nb_segs says and as long as pkt_len does. It is taken apart
// then. Otherwise it is as it was, and nobody looks at what was written.
inline bool put_own(TxDesc *desc, rte_mbuf **slot, rte_mbuf *packet, const rte_mempool *known_pool,
                    std::uint64_t part) {
    rte_mbuf **const first = slot;
    TxDesc *const last = desc + (packet->nb_segs - 1);
    std::uint32_t length = 0;
    rte_mbuf *segment = packet;

    for (;; desc++, slot++) {
        const std::uint16_t bytes = segment->data_len;
        *slot = segment;
        if (unlikely(!carries_dma(known_pool, segment) || bytes == 0))
            break;
        const rte_iova_t dma = dma_of(segment);
        if (!mbufs_carry_dma && dma == RTE_BAD_IOVA)
            break;
        store(desc->address, dma);
        length += bytes;
        rte_mbuf *next = segment->next;
        if (desc == last) {
            if (unlikely(next != nullptr || length != packet->pkt_len))
                break;
            store(desc->command, part | bytes | tx_cmd::EOP);
            packet->nb_segs = 1;
            return true;
        }
        store(desc->command, part | bytes);
        if (unlikely(next == nullptr || !is_single(next)))
            break;
        segment->next = nullptr;
        segment = next;
    }
    put_together(first, slot);
    return false;
}

class Filler {
public:
    Filler(TxQueue &queue, unsigned int index) : queue_(queue), at_(wrapped(index)) {}

    // The descriptors of the next packets that are the driver's alone and ask for nothing new,
    // until limit are filled of which room are free.
    void fill_own(TxWork &work, unsigned int limit, unsigned int room);

    // The descriptors of a planned packet.
    void fill(const TxRequest &request, const TxPlan &plan, rte_mbuf *packet) {
        const std::uint32_t payload = packet->pkt_len - request.asked.header;

        put_request(request);
        for (unsigned int i = 0; i < plan.nb_data; i++) {
            const bool is_last = i + 1 == plan.nb_data;
            put({.address = plan.dma[i],
                 .command = tx_desc_part(plan.length[i], payload, request.asked.options, is_last)},
                is_last ? slot(packet) : nullptr);
        }
    }

    // The same for one that has an own packet's mbufs. False if it has not.
    bool fill_own(const TxRequest &request, rte_mbuf *packet, rte_mempool *known_pool) {
        const unsigned int first = at_ + request.has_context;

        if (first + packet->nb_segs > queue_.nb_desc || rte_mbuf_refcnt_read(packet) != 1)
            return false;
        const unsigned int nb_segs = packet->nb_segs;
        if (!put_own(&queue_.ring[first], &queue_.sw_ring[first], packet, known_pool,
                     own_part(request.asked, packet->pkt_len)))
            return false;
        put_request(request);
        advance(nb_segs, known_pool);
        return true;
    }

    // It may be the end of the burst, and not in the batch it began in.
    void finish() {
        if (filled_ > 0) {
            TxDesc &last = queue_.ring[at_ == 0 ? queue_.nb_desc - 1u : at_ - 1u];
            store(last.command, load(last.command) | tx_report_status);
        }
        publish(queue_.tail, static_cast<std::uint16_t>(at_));
    }

    [[nodiscard]] unsigned int filled() const { return filled_; }

private:
    [[nodiscard]] unsigned int wrapped(unsigned int index) const {
        return index < queue_.nb_desc ? index : index - queue_.nb_desc;
    }
    static rte_mbuf *slot(rte_mbuf *mbuf) { return mbuf->nb_segs > 1 ? ChainSlot::of(mbuf) : mbuf; }

    // Go past descriptors whose mbufs can be put back to pool as they are. They do not wrap, and
    // begin in no more than two batches.
    void advance(unsigned int count, rte_mempool *pool) {
        const unsigned int end = at_ + count;

        note_pool(queue_, at_, pool);
        if ((at_ ^ (end - 1)) >= batch_size)
            note_pool(queue_, (end - 1) / batch_size * batch_size, pool);
        at_ = wrapped(end);
        filled_ += count;
    }

    void put_request(const TxRequest &request) {
        if (!request.is_new)
            return;
        queue_.asked = request.asked;
        queue_.context = request.context;
        if (request.has_context)
            put(request.context, nullptr);
    }

    // A descriptor, in a batch whose mbufs have to be looked at.
    void put(const TxDesc &desc, rte_mbuf *kept) {
        note_pool(queue_, at_, nullptr);
        queue_.sw_ring[at_] = kept;
        store(queue_.ring[at_].address, desc.address);
        store(queue_.ring[at_].command, desc.command);
        at_ = wrapped(at_ + 1);
        filled_++;
    }

    TxQueue &queue_;
    unsigned int at_;
    unsigned int filled_ = 0;
};

// Not inlined, that it has the registers to itself.
[[gnu::noinline]] void Filler::fill_own(TxWork &work, unsigned int limit, unsigned int room) {
    const unsigned int begin = at_;
    const unsigned int stop = std::min<unsigned int>(queue_.nb_desc, begin + (room - filled_));
    const unsigned int enough = begin + (limit - filled_);
    rte_mempool *const known_pool = work.known_pool;
    rte_mbuf **next = work.next;
    std::uint64_t bytes = 0;
    unsigned int at = begin;

    for (; at < enough && next < work.end; next++) {
        rte_mbuf *packet = *next;
        const std::uint64_t flags = packet->ol_flags & tx_offload_flags;
        const std::uint32_t length = packet->pkt_len;
        const unsigned int nb_segs = packet->nb_segs;
        const TxAsked *asked = &tx_asked_nothing;

        if (flags != 0) {
            asked = &queue_.asked;
            if (unlikely(!is_asked(*asked, packet, flags)))
                break;
        }
        if (unlikely(length - asked->least > asked->most - asked->least ||
                     nb_segs - 1 >= tx_max_segments || at + nb_segs > stop ||
                     rte_mbuf_refcnt_read(packet) != 1))
            break;
        if (unlikely(!put_own(&queue_.ring[at], &queue_.sw_ring[at], packet, known_pool,
                              own_part(*asked, length))))
            break;
        at += nb_segs;
        bytes += length;
    }
    if (at == begin)
        return;
    queue_.bytes += bytes;
    work.extra_descs += (at - begin) - static_cast<unsigned int>(next - work.next);
    work.next = next;
    advance(at - begin, known_pool);
}

// Packets that cannot be sent; freed at the end, for the application's callback may unmap memory.
class Dropped {
public:
    [[nodiscard]] bool is_full() const { return count_ == batch_size; }
    void add(rte_mbuf *mbuf) { mbufs_[count_++] = mbuf; }
    unsigned int free() {
        for (unsigned int i = 0; i < count_; i++)
            rte_pktmbuf_free(mbufs_[i]);
        return std::exchange(count_, 0);
    }

private:
    rte_mbuf *mbufs_[batch_size];
    unsigned int count_ = 0;
};

// The next packet, which is not of those that Filler::fill_own() takes. How many descriptors it
// takes if there is no room for it, else 0.
unsigned int fill_one(TxQueue &queue, TxWork &work, Filler &filler, unsigned int room,
                      Dropped &dropped, Lookups &lookups) {
    rte_mbuf *mbuf = *work.next;
    const std::uint32_t length = mbuf->pkt_len;
    const unsigned int before = filler.filled();

    if (tx_check(mbuf) != 0) {
        dropped.add(mbuf);
        work.next++;
        return 0;
    }
    const TxRequest request = request_of(queue, mbuf);
    const unsigned int likely_descs = unsigned{mbuf->nb_segs} + request.has_context;

    if (likely_descs > room - before)
        return likely_descs; // no fewer, but for empty segments
    if (!filler.fill_own(request, mbuf, work.known_pool)) {
        TxPlan plan;
        plan.most = request.has_context ? tx_max_descs - 1u : tx_max_descs;
        if (!make_plan(queue, work, lookups, mbuf, plan)) {
            dropped.add(mbuf);
            work.next++;
            return 0;
        }
        if (plan.nb_data + request.has_context > room - before)
            return plan.nb_data + request.has_context;
        filler.fill(request, plan, mbuf);
    }
    queue.bytes += length;
    work.extra_descs += filler.filled() - before - 1;
    work.next++;
    return 0;
}

// Fill up to limit descriptors, of which room are free, as tx_fill_any() has it. How many the next
// packet takes if there is no room for it, 0 if that is not why it ended.
unsigned int fill_room(TxQueue &queue, TxWork &work, Filler &filler, unsigned int limit,
                       unsigned int room, Dropped &dropped) {
    unsigned int missing = 0;
    Lookups lookups(queue);

    while (missing == 0 && filler.filled() < limit && !dropped.is_full() && work.next < work.end) {
        filler.fill_own(work, limit, room);
        if (filler.filled() < limit && work.next < work.end)
            missing = fill_one(queue, work, filler, room, dropped, lookups);
    }
    filler.finish(); // what was looked up is in flight before the lookups end
    return missing;
}

} // namespace

TxFilled tx_fill_any(TxQueue &queue, TxWork &work, unsigned int index, unsigned int limit,
                     unsigned int nb_free) {
    Dropped dropped;
    Filler filler(queue, index);
    unsigned int completed = 0;
    // Not while something is looked up: who frees an mbuf may unmap memory.
    const auto has_room = [&](unsigned int wanted) {
        while (nb_free + completed - filler.filled() < wanted && complete_batch(queue))
            completed += batch_size;
        return nb_free + completed - filler.filled() >= wanted;
    };

    while (const unsigned int missing =
               fill_room(queue, work, filler, limit, nb_free + completed, dropped)) {
        // For the rest of the burst too, as if all were like this one.
        has_room(missing * static_cast<unsigned int>(work.end - work.next));
        if (!has_room(missing)) {
            work.end = work.next;
            break;
        }
    }
    has_room(static_cast<unsigned int>(work.end - work.next));
    queue.errors += dropped.free();
    return {.descs = filler.filled(), .completed = completed};
}

} // namespace igb
