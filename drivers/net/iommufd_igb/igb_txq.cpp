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

/**
 * DMA address of a packet that does not carry one by its looks: the first of another iommufd
 * pool, a foreign pool's, a clone, external memory.
 *
 * @return
 *   RTE_BAD_IOVA if the device cannot reach all of the data by one address.
 */
rte_iova_t look_up(const TxQueue &queue, TxWork &work, rte_mbuf *mbuf) {
    if (is_direct(mbuf) && is_resolved(queue, mbuf->pool)) {
        work.known_pool = mbuf->pool;
        return rte_mbuf_data_iova(mbuf);
    }

    const void *data = rte_pktmbuf_mtod(mbuf, const void *);
    const rte_iova_t dma = rte_iommufd_virt2dma(data);
    if (dma == RTE_BAD_IOVA || rte_iommufd_dma_contiguous(data, mbuf->data_len) < mbuf->data_len)
        return RTE_BAD_IOVA;
    return dma;
}

void drop(TxQueue &queue, rte_mbuf *mbuf) {
    queue.errors++;
    rte_pktmbuf_free(mbuf);
}

/** DMA address of any packet; RTE_BAD_IOVA if it cannot be sent. */
rte_iova_t dma_of(const TxQueue &queue, TxWork &work, rte_mbuf *mbuf) {
    if (!is_sendable(mbuf))
        return RTE_BAD_IOVA;
    if (carries_dma(work.known_pool, mbuf))
        return rte_mbuf_data_iova(mbuf);
    return look_up(queue, work, mbuf);
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
    unsigned int filled = 0;

    while (filled < limit && work.next < work.end) {
        rte_mbuf *mbuf = *work.next++;
        const rte_iova_t dma = dma_of(queue, work, mbuf);

        if (dma == RTE_BAD_IOVA) {
            drop(queue, mbuf);
            continue;
        }
        // A pool is noted for what can be put back into it as it is.
        note_pool(queue, index + filled, is_plain(work.known_pool, mbuf) ? mbuf->pool : nullptr);
        send(queue.ring[index + filled], queue.mbufs[index + filled], mbuf, dma, mbuf->data_len);
        queue.bytes += mbuf->data_len;
        filled++;
    }
    return filled;
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
    queue.tail = 0;
    queue.clean = 0;
    queue.nb_free = static_cast<uint16_t>(queue.nb_desc - 1);
}

void tx_drain(TxQueue &queue) {
    while (queue.clean != queue.tail) {
        rte_pktmbuf_free_seg(queue.mbufs[queue.clean]);
        queue.clean = static_cast<uint16_t>((queue.clean + 1) % queue.nb_desc);
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
