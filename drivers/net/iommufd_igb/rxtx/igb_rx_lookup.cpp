// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive into buffers whose mbufs do not carry their DMA addresses: pools of other mempool ops
// than "iommufd", where buf_iova is what EAL takes for an address, and pinned external buffers,
// where it is what the application takes for one. Neither is believed; the address of each buffer
// is looked up each time it is given to the device.
//
//     pool --> looked up --+--> ready (a batch of them) --> ring
//                          |
//                          `--> rejected                --> pool, when the queue stops
//
// Rejected is what no device may be given: a buffer whose pages are not neighbours for the device,
// of which a pool in 4 KiB pages has many, and one that is not in the address space. Back in the
// pool it would only come out again.

#include <cerrno>

#include <rte_bus_iommufd.h>
#include <rte_malloc.h>

#include "igb_log.hpp"
#include "rxtx/igb_rx_common.hpp"

namespace igb {

namespace {

// Where the device may put a packet, or RTE_BAD_IOVA: what it may write and the headroom have to be
// contiguous for it.
rte_iova_t dma_of(const RxQueue &queue, const void *buffer) {
    const std::uint64_t wanted = std::uint64_t{RTE_PKTMBUF_HEADROOM} + queue.buffer_size;
    std::uint64_t contiguous = wanted;
    const rte_iova_t dma = rte_iommufd_virt2dma_range(buffer, &contiguous);

    return contiguous < wanted ? RTE_BAD_IOVA : dma + RTE_PKTMBUF_HEADROOM;
}

[[gnu::noinline, gnu::cold]] void warn(const RxQueue &queue) {
    IGB_LOG(
        ERR,
        "port %u: Rx queue %u: a buffer of pool %s is out of reach that was not when the queue "
        "was set up; it is not used until the port is stopped (memory that was freed too early?)",
        static_cast<unsigned int>(queue.rearm_data >> 48), queue.queue_id, queue.pool->name);
}

void reject(RxQueue &queue, rte_mbuf *mbuf) {
    RxLookup &lookup = queue.lookup;

    lookup.rejected[lookup.nb_rejected++] = mbuf;
    if (unlikely(lookup.nb_rejected == lookup.nb_split + 1))
        warn(queue);
}

// Make a batch ready. What is ready stays so if the pool has too few.
bool get_ready(RxQueue &queue) {
    RxLookup &lookup = queue.lookup;

    while (lookup.nb_ready < batch_size) {
        rte_mbuf **taken = &lookup.ready[lookup.nb_ready];
        const std::uint16_t count = static_cast<std::uint16_t>(batch_size - lookup.nb_ready);

        if (count > lookup.capacity - lookup.nb_rejected || // someone else's mbufs are in the pool
            rte_mempool_get_bulk(queue.pool, reinterpret_cast<void **>(taken), count) != 0)
            return false;
        for (std::uint16_t i = 0; i < count; i++) {
            rte_mbuf *mbuf = taken[i];
            const rte_iova_t dma = dma_of(queue, mbuf->buf_addr);

            if (unlikely(dma == RTE_BAD_IOVA)) {
                reject(queue, mbuf);
                continue;
            }
            lookup.ready[lookup.nb_ready] = mbuf; // no further on than taken[i]
            lookup.dma[lookup.nb_ready++] = dma;
        }
    }
    return true;
}

// Give the batch of descriptors from rearm_start on buffers.
bool rearm_batch(RxQueue &queue) {
    RxLookup &lookup = queue.lookup;

    if (!get_ready(queue))
        return false;
    for (std::uint16_t i = 0; i < batch_size; i++) {
        const RxDesc empty = rx_desc_read(lookup.dma[i]);
        RxDesc &desc = queue.ring[queue.rearm_start + i];

        queue.sw_ring[queue.rearm_start + i] = lookup.ready[i];
        store(desc.lo, empty.lo);
        store(desc.hi, empty.hi);
    }
    lookup.nb_ready = 0;
    queue.rearm_start =
        static_cast<std::uint16_t>((queue.rearm_start + batch_size) % queue.nb_desc);
    queue.rearm_nb = static_cast<std::uint16_t>(queue.rearm_nb - batch_size);
    return true;
}

// rearm() with addresses that are looked up.
void rearm_looked_up(RxQueue &queue) {
    const std::uint16_t before = queue.rearm_nb;

    while (queue.rearm_nb >= batch_size) {
        if (!rearm_batch(queue)) {
            queue.no_mbufs++;
            break;
        }
    }
    if (queue.rearm_nb != before)
        ring_doorbell(queue.doorbell, rx_tail(queue));
}

// An mbuf's buffer as it is in its pool: in use it may show another one's, unless it is pinned.
void count_split(rte_mempool *, void *opaque, void *object, unsigned int) {
    auto &queue = *static_cast<RxQueue *>(opaque);
    auto *mbuf = static_cast<rte_mbuf *>(object);
    const void *buffer = queue.lookup.pinned ? mbuf->buf_addr : rte_mbuf_to_baddr(mbuf);

    if (dma_of(queue, buffer) == RTE_BAD_IOVA)
        queue.lookup.nb_split++;
}

} // namespace

int rx_lookup_setup(RxQueue &queue) {
    RxLookup &lookup = queue.lookup;

    lookup.rejected = static_cast<rte_mbuf **>(
        rte_zmalloc("igb_rx_rejected", sizeof(rte_mbuf *) * queue.pool->size, RTE_CACHE_LINE_SIZE));
    if (lookup.rejected == nullptr)
        return -ENOMEM;
    lookup.capacity = queue.pool->size;
    lookup.pinned = (rte_pktmbuf_priv_flags(queue.pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) != 0;
    lookup.enabled = true;
    (void)rte_mempool_obj_iter(queue.pool, count_split, &queue);
    return 0;
}

void rx_lookup_free(RxQueue &queue) {
    rte_free(queue.lookup.rejected);
}

int rx_lookup_fill(RxQueue &queue) {
    queue.next = 0;
    queue.rearm_start = 0;
    queue.rearm_nb = queue.nb_desc;
    queue.discarding = false;
    queue.first_segment = nullptr;
    while (queue.rearm_nb > 0) {
        if (!rearm_batch(queue)) {
            rx_drain(queue);
            return -ENOMEM;
        }
    }
    return 0;
}

void rx_lookup_drain(RxQueue &queue) {
    RxLookup &lookup = queue.lookup;

    for (std::uint16_t i = 0; i < lookup.nb_ready; i++)
        rte_mempool_put(queue.pool, lookup.ready[i]);
    for (std::uint32_t i = 0; i < lookup.nb_rejected; i++)
        rte_mempool_put(queue.pool, lookup.rejected[i]);
    lookup.nb_ready = 0;
    lookup.nb_rejected = 0;
}

void rx_lookup_rearm(RxQueue &queue) {
    rearm_looked_up(queue);
}

std::uint16_t rx_burst_lookup(void *opaque, rte_mbuf **packets, std::uint16_t nb_packets) {
    auto &queue = *static_cast<RxQueue *>(opaque);

    if (!queue.lookup.enabled)
        return rx_burst_scalar(opaque, packets, nb_packets);
    const std::uint16_t received =
        receive(queue, packets, nb_packets, take_scalar, rearm_looked_up);
    if (queue.lookup.pinned) // the library goes by this when it frees, clones and detaches
        for (std::uint16_t i = 0; i < received; i++)
            packets[i]->ol_flags |= RTE_MBUF_F_EXTERNAL;
    return received;
}

} // namespace igb
