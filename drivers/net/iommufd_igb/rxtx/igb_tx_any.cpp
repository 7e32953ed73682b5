// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit of what is not plain: chains, offloads, and data whose address is looked up. A packet is
// planned as a whole (is a context needed? which descriptors?), room is asked for in descriptors,
// then they are filled.

#include <algorithm>
#include <utility>

#include <rte_bus_iommufd.h>

#include "rxtx/igb_tx_common.hpp"

namespace igb {

namespace {

// Between the first lookup of some packets and their descriptors' being seen to be in flight.
class Lookups {
public:
    explicit Lookups(TxQueue &queue) : in_flight_(queue.in_flight) {}
    Lookups(const Lookups &) = delete;
    Lookups &operator=(const Lookups &) = delete;
    ~Lookups() {
        if (begun_)
            rte_iommufd_lookup_end(&in_flight_);
    }

    void begin() {
        if (!begun_)
            rte_iommufd_lookup_begin(&in_flight_);
        begun_ = true;
    }

private:
    rte_iommufd_in_flight &in_flight_;
    bool begun_ = false;
};

// The descriptors of a packet.
struct TxPlan {
    bool has_context = false; // the device's context is another one
    TxDesc context;
    std::uint64_t options = 0;
    std::uint32_t payload; // PAYLEN
    unsigned int nb_data = 0;
    rte_iova_t dma[tx_max_descs];
    std::uint16_t length[tx_max_descs];

    [[nodiscard]] unsigned int nb_descs() const { return nb_data + has_context; }

    // False if there are too many.
    [[nodiscard]] bool add(rte_iova_t address, std::size_t bytes) {
        if (nb_descs() == tx_max_descs)
            return false;
        dma[nb_data] = address;
        length[nb_data++] = static_cast<std::uint16_t>(bytes);
        return true;
    }
};

// Find all of a segment in the table; false if a part is not there.
bool look_up(const rte_mbuf *segment, TxPlan &plan) {
    const char *data = rte_pktmbuf_mtod(segment, const char *);

    for (std::size_t at = 0; at < segment->data_len;) {
        std::uint64_t run = segment->data_len - at;
        const rte_iova_t dma = rte_iommufd_virt2dma_range(data + at, &run);
        if (dma == RTE_BAD_IOVA || !plan.add(dma, run))
            return false;
        at += run;
    }
    return true;
}

// Where a segment is; false if it cannot be sent. Looked up is what does not carry an address: a
// foreign pool's, a clone, external memory; and all where mbufs have no room for one.
bool resolve(const TxQueue &queue, TxWork &work, Lookups &lookups, const rte_mbuf *segment,
             TxPlan &plan) {
    if (!carries_dma(work.known_pool, segment)) {
        if (!is_direct(segment) || !is_resolved(queue, segment->pool)) {
            lookups.begin();
            return look_up(segment, plan);
        }
        work.known_pool = segment->pool; // the first of another iommufd pool
    }
    if constexpr (!mbufs_carry_dma)
        return look_up(segment, plan); // in memory that its pool holds
    return segment->data_len == 0 || plan.add(rte_mbuf_data_iova(segment), segment->data_len);
}

// False if the packet cannot be sent, as a chain whose parts do not make up its length.
bool make_plan(const TxQueue &queue, TxWork &work, Lookups &lookups, const rte_mbuf *mbuf,
               TxPlan &plan) {
    const std::uint64_t flags = mbuf->ol_flags & tx_offload_flags;
    const rte_mbuf *segment = mbuf;
    std::uint32_t length = 0;

    if (tx_check(mbuf) != 0)
        return false;
    if (flags != 0) {
        plan.options = tx_options(flags);
        plan.context = tx_context_of(mbuf);
        plan.has_context = plan.context.address != queue.context.address ||
                           plan.context.command != queue.context.command;
    }
    for (unsigned int i = 0; i < mbuf->nb_segs; i++, segment = segment->next) {
        if (segment == nullptr || !resolve(queue, work, lookups, segment, plan))
            return false;
        length += segment->data_len;
    }
    plan.payload = mbuf->pkt_len;
    if (flags & RTE_MBUF_F_TX_TCP_SEG)
        plan.payload -= tx_header_length(mbuf);
    return segment == nullptr && length == mbuf->pkt_len;
}

class Filler {
public:
    Filler(TxQueue &queue, unsigned int index) : queue_(queue), at_(wrapped(index)) {}

    // The descriptors of a planned packet; pool as note_pool() has it.
    void fill(const TxPlan &plan, rte_mbuf *mbuf, rte_mempool *pool) {
        std::uint64_t report = 0;

        if (plan.has_context) {
            queue_.context = plan.context;
            // The last of a batch cannot report if it is a context: the next one does.
            if (is_end_of_batch())
                report = tx_report_status;
            put(plan.context.address, plan.context.command, nullptr, nullptr);
        }
        for (unsigned int i = 0; i < plan.nb_data; i++) {
            const bool is_last = i + 1 == plan.nb_data;
            if (is_end_of_batch())
                report = tx_report_status;
            put(plan.dma[i],
                tx_desc_part(plan.length[i], plan.payload, plan.options, is_last) | report,
                is_last ? slot(mbuf) : nullptr, pool);
            report = 0;
        }
        filled_ += plan.nb_descs();
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
    [[nodiscard]] bool is_end_of_batch() const { return at_ % batch_size == batch_size - 1; }
    static rte_mbuf *slot(rte_mbuf *mbuf) { return mbuf->nb_segs > 1 ? ChainSlot::of(mbuf) : mbuf; }

    void put(std::uint64_t address, std::uint64_t command, rte_mbuf *kept, rte_mempool *pool) {
        note_pool(queue_, at_, pool);
        queue_.sw_ring[at_] = kept;
        store(queue_.ring[at_].address, address);
        store(queue_.ring[at_].command, command);
        at_ = wrapped(at_ + 1);
    }

    TxQueue &queue_;
    unsigned int at_;
    unsigned int filled_ = 0;
};

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

// Fill up to limit descriptors, of which room are free, as tx_fill_any() has it. How many the next
// packet takes if there is no room for it, 0 if that is not why it ended.
unsigned int fill_room(TxQueue &queue, TxWork &work, Filler &filler, unsigned int limit,
                       unsigned int room, Dropped &dropped) {
    unsigned int missing = 0;
    Lookups lookups(queue);

    while (filler.filled() < limit && !dropped.is_full() && work.next < work.end) {
        rte_mbuf *mbuf = *work.next;
        TxPlan plan;

        if (!make_plan(queue, work, lookups, mbuf, plan)) {
            dropped.add(mbuf);
            work.next++;
            continue;
        }
        if (plan.nb_descs() > room - filler.filled()) {
            missing = plan.nb_descs();
            break;
        }
        // A pool is noted for what can be put back into it as it is.
        filler.fill(plan, mbuf, is_plain(work.known_pool, mbuf) ? mbuf->pool : nullptr);
        queue.bytes += mbuf->pkt_len;
        work.extra_descs += plan.nb_descs() - 1;
        work.next++;
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
