/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file Transmit, scalar, and what is off the hot path. */

#include <cstring>

#include <rte_bus_iommufd.h>

#include "igb_txq_common.hpp"

namespace igb {

namespace {

bool is_sendable(const rte_mbuf *mbuf) {
    return mbuf->nb_segs == 1 && is_sendable_length(mbuf->data_len);
}

/** Between the first lookup of some packets and their descriptors' being seen to be in flight. */
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

/**
 * DMA address of a packet that does not carry one by its looks: the first of another iommufd
 * pool, a foreign pool's, a clone, external memory.
 *
 * @return
 *   RTE_BAD_IOVA if the device cannot reach all of the data by one address.
 */
rte_iova_t look_up(const TxQueue &queue, TxWork &work, Lookups &lookups, rte_mbuf *mbuf) {
    if (is_direct(mbuf) && is_resolved(queue, mbuf->pool)) {
        work.known_pool = mbuf->pool;
        return rte_mbuf_data_iova(mbuf);
    }

    lookups.begin();
    const void *data = rte_pktmbuf_mtod(mbuf, const void *);
    const rte_iova_t dma = rte_iommufd_virt2dma(data);
    if (dma == RTE_BAD_IOVA || rte_iommufd_dma_contiguous(data, mbuf->data_len) < mbuf->data_len)
        return RTE_BAD_IOVA;
    return dma;
}

/** DMA address of any packet; RTE_BAD_IOVA if it cannot be sent. */
rte_iova_t dma_of(const TxQueue &queue, TxWork &work, Lookups &lookups, rte_mbuf *mbuf) {
    if (!is_sendable(mbuf))
        return RTE_BAD_IOVA;
    if (carries_dma(work.known_pool, mbuf))
        return rte_mbuf_data_iova(mbuf);
    return look_up(queue, work, lookups, mbuf);
}

/** Not inlined, for each copy is a kilobyte of rte_memcpy(). */
[[gnu::noinline]] void put_run(rte_mempool *pool, void *const *run, uint16_t length) {
    if (length > 0)
        rte_mempool_put_bulk(pool, run, length);
}

} // namespace

/**
 * Only packets of a single segment are in the ring, and such an mbuf has next == NULL by the
 * rules of the mbuf library; so unlike rte_pktmbuf_prefree_seg() this does not touch the
 * second cache line.
 */
void tx_free_each(rte_mbuf **mbufs, uint16_t count) {
    void *run[kBatch]; // of one pool, to be put together
    uint16_t length = 0;
    rte_mempool *pool = nullptr;

    for (uint16_t i = 0; i < count; i++) {
        rte_mbuf *mbuf = mbufs[i];
        if (rte_mbuf_refcnt_read(mbuf) != 1 || (mbuf->ol_flags & kNotDirect)) {
            mbuf = rte_pktmbuf_prefree_seg(mbuf);
            if (mbuf == nullptr)
                continue;
        }
        if (mbuf->pool != pool) {
            put_run(pool, run, length);
            pool = mbuf->pool;
            length = 0;
        }
        run[length++] = mbuf;
    }
    put_run(pool, run, length);
}

unsigned int tx_fill_any(TxQueue &queue, TxWork &work, unsigned int index, unsigned int limit) {
    rte_mbuf *dropped[kBatch]; // freed at the end: the application's callback may unmap memory
    unsigned int nb_dropped = 0;
    unsigned int filled = 0;

    {
        Lookups lookups(queue);
        while (filled < limit && nb_dropped < kBatch && work.next < work.end) {
            rte_mbuf *mbuf = *work.next++;
            const rte_iova_t dma = dma_of(queue, work, lookups, mbuf);

            if (dma == RTE_BAD_IOVA) {
                dropped[nb_dropped++] = mbuf;
                continue;
            }
            // A pool is noted for what can be put back into it as it is.
            note_pool(queue, index + filled,
                      is_plain(work.known_pool, mbuf) ? mbuf->pool : nullptr);
            send(queue.ring[index + filled], queue.mbufs[index + filled], mbuf, dma,
                 mbuf->data_len);
            queue.bytes += mbuf->data_len;
            filled++;
        }
        const unsigned int tail = index + filled;
        publish(queue.tail, static_cast<uint16_t>(tail == queue.nb_desc ? 0 : tail));
    }
    queue.errors += nb_dropped;
    for (unsigned int i = 0; i < nb_dropped; i++)
        rte_pktmbuf_free(dropped[i]);
    return filled;
}

unsigned int tx_in_flight(const rte_iommufd_in_flight *in_flight, rte_iommufd_dma_range *ranges) {
    const auto &queue = *reinterpret_cast<const TxQueue *>(
        reinterpret_cast<const char *>(in_flight) - offsetof(TxQueue, in_flight));
    // In this order. If all that was in flight at the first has been completed at the second,
    // too much is told; never too little.
    const uint16_t tail = __atomic_load_n(&queue.tail, __ATOMIC_ACQUIRE);
    uint16_t at = __atomic_load_n(&queue.clean, __ATOMIC_ACQUIRE);
    unsigned int count = 0;

    while (at != tail) {
        const uint16_t in_use =
            static_cast<uint16_t>(tail > at ? tail - at : queue.nb_desc - at + tail);
        // A whole batch whose last descriptor is of this lap: DD says that all of it is sent.
        const bool sent = at % kBatch == 0 && in_use >= kBatch &&
                          tx_desc_done(load(queue.ring[at + kBatch - 1].command));
        if (!sent)
            ranges[count++] = {.start = load(queue.ring[at].address),
                               .len = load(queue.ring[at].command) & tx_cmd::LENGTH_MASK};
        at = static_cast<uint16_t>((at + (sent ? kBatch : 1)) % queue.nb_desc);
    }
    return count;
}

int16_t find_pool_ops() {
    for (uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
        if (std::strcmp(rte_mempool_ops_table.ops[i].name, kPoolOps) == 0)
            return static_cast<int16_t>(i);
    return -1;
}

bool is_iommufd_pool(const rte_mempool *pool) {
    return std::strcmp(rte_mempool_get_ops(pool->ops_index)->name, kPoolOps) == 0 &&
           !(pool->flags & RTE_MEMPOOL_F_NON_IO);
}

void tx_reset(TxQueue &queue) {
    for (uint16_t i = 0; i < queue.nb_desc; i++) {
        store(queue.ring[i].address, 0);
        store(queue.ring[i].command, 0);
    }
    publish(queue.tail, 0);
    publish(queue.clean, 0);
    queue.nb_free = static_cast<uint16_t>(queue.nb_desc - 1);
}

void tx_drain(TxQueue &queue) {
    while (queue.clean != queue.tail) {
        rte_pktmbuf_free_seg(queue.mbufs[queue.clean]);
        publish(queue.clean, static_cast<uint16_t>((queue.clean + 1) % queue.nb_desc));
    }
    tx_reset(queue);
}

uint32_t tx_cleanup(TxQueue &queue, uint32_t count) {
    uint32_t freed = 0;

    while ((count == 0 || freed < count) && complete_batch(queue))
        freed += kBatch;
    return freed;
}

uint16_t tx_burst_scalar(void *queue, rte_mbuf **packets, uint16_t nb_packets) {
    return transmit(*static_cast<TxQueue *>(queue), packets, nb_packets, send_plain_scalar);
}

} // namespace igb
