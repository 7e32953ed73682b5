// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit, scalar, and what is off the hot path.

#include <algorithm>
#include <cstring>

#include "rxtx/igb_tx_common.hpp"

namespace igb {

namespace {

// Not inlined, for each copy is a kilobyte of rte_memcpy().
[[gnu::noinline]] void put_run(rte_mempool *pool, void *const *run, std::uint16_t length) {
    if (length > 0)
        rte_mempool_put_bulk(pool, run, length);
}

} // namespace

// A packet of a single segment has next == NULL by the rules of the mbuf library; so unlike
// rte_pktmbuf_prefree_seg() this does not touch the second cache line. Chains are marked.
void tx_free_each(rte_mbuf **mbufs, std::uint16_t count) {
    void *run[batch_size]; // of one pool, to be put together
    std::uint16_t length = 0;
    rte_mempool *pool = nullptr;

    for (std::uint16_t i = 0; i < count; i++) {
        rte_mbuf *mbuf = mbufs[i];
        if (mbuf == nullptr) // part of a packet that ends further on
            continue;
        if (ChainSlot::is_chain(mbuf)) {
            rte_pktmbuf_free(ChainSlot::packet(mbuf));
            continue;
        }
        if (rte_mbuf_refcnt_read(mbuf) != 1 || (mbuf->ol_flags & not_direct_flags)) {
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

bool tx_packet_done(const TxQueue &queue, std::uint16_t first) {
    unsigned int at = first + batch_size - 1u;

    for (unsigned int i = 0; i < tx_max_descs; i++) {
        const std::uint64_t command = load(queue.ring[at].command);
        if (tx_desc_done(command))
            return true;
        if (command & tx_cmd::EOP)
            return false;
        at = at + 1 == queue.nb_desc ? 0 : at + 1;
    }
    return false;
}

namespace {

unsigned int descs_between(const TxQueue &queue, std::uint16_t clean, std::uint16_t tail) {
    return tail >= clean ? unsigned{tail} - clean : queue.nb_desc - clean + unsigned{tail};
}

// How many of the descriptors from clean to tail, all of them filled in this lap, the device is
// done with: up to the last that shows DD, for it works in order.
unsigned int sent_between(const TxQueue &queue, std::uint16_t clean, std::uint16_t tail) {
    unsigned int count = descs_between(queue, clean, tail);

    while (count > 0 &&
           !tx_desc_done(load(queue.ring[(clean + count - 1) % queue.nb_desc].command)))
        count--;
    return count;
}

// Free what a descriptor that is sent has kept; whether it was the last of a packet. One that was
// written back no longer says so, but none other is.
bool free_sent(TxQueue &queue, unsigned int index) {
    const std::uint64_t command = load(queue.ring[index].command);
    rte_mbuf *mbuf = queue.sw_ring[index];

    if (mbuf == nullptr)
        return false;
    queue.sw_ring[index] = nullptr;
    queue.batch_pools[index / batch_size] = nullptr; // tx_free_each() has to look for the rest
    rte_pktmbuf_free(ChainSlot::packet(mbuf));
    return tx_desc_done(command) || (command & tx_cmd::EOP) != 0;
}

} // namespace

unsigned int tx_nb_sent(const TxQueue &queue) {
    return sent_between(queue, queue.clean, queue.tail);
}

unsigned int tx_in_flight(const rte_iommufd_in_flight *in_flight, rte_iommufd_dma_range *ranges) {
    const auto &queue = *reinterpret_cast<const TxQueue *>(
        reinterpret_cast<const char *>(in_flight) - offsetof(TxQueue, in_flight));
    // In this order. If all that was in flight at the first has been completed at the second,
    // too much is told; never too little.
    const std::uint16_t tail = __atomic_load_n(&queue.tail, __ATOMIC_ACQUIRE);
    const std::uint16_t clean = __atomic_load_n(&queue.clean, __ATOMIC_ACQUIRE);
    const unsigned int in_use = descs_between(queue, clean, tail);
    unsigned int count = 0;

    for (unsigned int i = sent_between(queue, clean, tail); i < in_use; i++) {
        const TxDesc &desc = queue.ring[(clean + i) % queue.nb_desc];
        const std::uint64_t command = load(desc.command);
        if (!tx_desc_is_context(command))
            ranges[count++] = {.start = load(desc.address), .len = command & tx_cmd::LENGTH_MASK};
    }
    return count;
}

std::int16_t find_pool_ops() {
    for (std::uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++)
        if (std::strcmp(rte_mempool_ops_table.ops[i].name, pool_ops_name) == 0)
            return static_cast<std::int16_t>(i);
    return -1;
}

bool is_iommufd_pool(const rte_mempool *pool) {
    return std::strcmp(rte_mempool_get_ops(pool->ops_index)->name, pool_ops_name) == 0 &&
           !(pool->flags & RTE_MEMPOOL_F_NON_IO);
}

void tx_reset(TxQueue &queue) {
    for (std::uint16_t i = 0; i < queue.nb_desc; i++) {
        store(queue.ring[i].address, 0);
        store(queue.ring[i].command, 0);
    }
    publish(queue.tail, 0);
    publish(queue.clean, 0);
    queue.asked = {};
    queue.context = {};
    queue.nb_free = static_cast<std::uint16_t>(queue.nb_desc - 1);
}

void tx_close(TxQueue &queue) {
    tx_reset(queue);
    queue.nb_free = 0;
}

void tx_drain(TxQueue &queue) {
    while (queue.clean != queue.tail) {
        if (queue.sw_ring[queue.clean] != nullptr)
            rte_pktmbuf_free(ChainSlot::packet(queue.sw_ring[queue.clean]));
        publish(queue.clean, static_cast<std::uint16_t>((queue.clean + 1) % queue.nb_desc));
    }
    tx_reset(queue);
}

std::uint32_t tx_cleanup(TxQueue &queue, std::uint32_t count) {
    const std::uint32_t limit = count == 0 ? UINT32_MAX : count;
    const unsigned int sent = tx_nb_sent(queue);
    std::uint32_t freed = 0;
    unsigned int done = 0;

    rte_io_rmb(); // what follows DD is not done before DD was seen
    for (; done < sent && freed < limit; done++)
        freed += free_sent(queue, (queue.clean + done) % queue.nb_desc);
    // Whole batches are free for new packets; of another the next call finds nothing but what is
    // left.
    for (; done >= batch_size; done -= batch_size) {
        publish(queue.clean,
                static_cast<std::uint16_t>((queue.clean + batch_size) % queue.nb_desc));
        queue.nb_free = static_cast<std::uint16_t>(queue.nb_free + batch_size);
    }
    return freed;
}

std::uint16_t tx_burst_scalar(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit(*static_cast<TxQueue *>(queue), packets, nb_packets, send_plain_scalar);
}

} // namespace igb
