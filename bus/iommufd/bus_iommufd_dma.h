/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

#ifndef BUS_IOMMUFD_DMA_H
#define BUS_IOMMUFD_DMA_H

/**
 * @file
 * Memory that devices on the iommufd bus reach, for drivers and mempool drivers: zones for rings,
 * memory EAL does not know, holds of what a device or a pool uses, and the protocol by which
 * transmit queues tell what they have in flight.
 *
 * Unless a function says otherwise it may be called from any thread of the primary process, and
 * what it returns as an error has been logged with its cause and remedy. None is for a data path
 * but rte_iommufd_lookup_begin() and rte_iommufd_lookup_end().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_atomic.h>
#include <rte_common.h>
#include <rte_compat.h>
#include <rte_memzone.h>

#include "rte_bus_iommufd.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rte_mempool;

/* --- Memory for devices ------------------------------------------------------------------ */

/**
 * Reserve memory that is mapped and contiguous for every device on the bus, for descriptor
 * rings. The memory is zeroed.
 *
 * @param name
 *   Of the memzone, unique.
 * @param len
 *   Bytes; no more than the hugepage size of the node's memory.
 * @param align
 *   Bytes, a power of two.
 * @param socket_id
 *   NUMA node or SOCKET_ID_ANY.
 * @param[out] dma
 *   DMA address of the first byte; untouched on failure.
 * @return
 *   The memzone, which the caller releases with rte_memzone_free(); or NULL with rte_errno set:
 *   E2BIG if @p len fits in no page, EFAULT if the memory is not in the address space, else as
 *   rte_memzone_reserve_bounded().
 */
__rte_internal const struct rte_memzone *rte_iommufd_dma_zone_reserve(const char *name, size_t len,
                                                                      unsigned int align,
                                                                      int socket_id,
                                                                      rte_iova_t *dma);

/**
 * Put memory that EAL does not know into the address space for as long as it is used, whatever
 * devices come and go. For mempool drivers; applications use rte_dev_dma_map(). The caller holds
 * no lock of EAL's memory.
 *
 * @param addr
 *   Start; a multiple of 4096. The memory stays the caller's.
 * @param len
 *   Bytes; a multiple of 4096.
 * @return
 *   0, or a negative errno: -ENODEV without a device, -EEXIST if part of it is mapped
 *   otherwise, -EINVAL, or what pinning answers.
 */
__rte_internal int rte_iommufd_dma_map(void *addr, size_t len);

/**
 * Undo rte_iommufd_dma_map(), as the memory is about to go. No address of it is found any more;
 * what a queue still uses stays pinned until it does not.
 *
 * @param addr, len
 *   Exactly what was mapped.
 * @return
 *   0, or -ENOENT if exactly this range is not mapped so.
 */
__rte_internal int rte_iommufd_dma_unmap(void *addr, size_t len);

/**
 * The arena that pools for a NUMA node are to come from, as the device argument "arena=SIZE" has
 * it: one for each node, made when it is asked for first. For mempool drivers.
 *
 * @param socket_id
 *   The pool's NUMA node, or SOCKET_ID_ANY.
 * @param[out] required
 *   Whether the application wants no pool that is from elsewhere ("arena_full=fail").
 * @return
 *   The arena, owned by the bus; or NULL with rte_errno set: ENOENT if none was asked for, else why
 *   the node has none.
 */
__rte_internal struct rte_iommufd_arena *rte_iommufd_pool_arena(int socket_id, bool *required);

/**
 * What objects of a pool need of an arena so that each of them is contiguous for a device.
 *
 * @param pool
 *   Not populated yet.
 * @param n
 *   Objects.
 * @param[out] align
 *   Alignment that the memory needs, in bytes.
 * @return
 *   Bytes, or a negative errno: -EINVAL if EAL cannot tell the pool's page size, else as
 *   rte_mempool_op_calc_mem_size_helper(). Nothing is logged.
 */
__rte_internal ssize_t rte_iommufd_arena_pool_size(const struct rte_mempool *pool, unsigned int n,
                                                   size_t *align);

/** See rte_iommufd_remap_callback_register(). */
typedef void (*rte_iommufd_remap_callback_t)(void);

/**
 * Be called when the address space has been filled anew: after the first device has been
 * attached, and after the first one that follows a time without any. Pins end with the last
 * device, so DMA addresses kept from before are void and have to be asked for again. No device
 * does DMA during the call. Meant for constructors, before rte_eal_init(); not thread-safe.
 *
 * @param callback
 *   Called from the thread that probes, without locks of the bus; for the life of the process.
 */
__rte_internal void rte_iommufd_remap_callback_register(rte_iommufd_remap_callback_t callback);

/* --- What is used is not unmapped -------------------------------------------------------- */

/** Memory that somebody uses; see rte_iommufd_hold_pool(), rte_iommufd_hold_memory(). */
struct rte_iommufd_hold;

/**
 * Say that a device may write to the memory of a pool's objects: from before a queue is given
 * the first of them until rte_iommufd_hold_release(). Meanwhile
 *
 * - rte_dev_dma_unmap() and rte_iommufd_arena_destroy() of that memory fail with EBUSY;
 * - pages that EAL frees all the same (its event cannot be refused) lose their DMA addresses at
 *   once and their pins with the hold, so that the kernel gives them to nobody before that. EAL
 *   cannot have the same virtual addresses mapped for devices again until then.
 *
 * The end of the last device ends all pins and empties all holds.
 *
 * @param pool
 *   Populated; stays the caller's.
 * @return
 *   The hold, which the caller ends with rte_iommufd_hold_release(); or NULL with rte_errno set:
 *   EFAULT if an object is not in the address space, ENOMEM.
 */
__rte_internal struct rte_iommufd_hold *rte_iommufd_hold_pool(struct rte_mempool *pool);

/**
 * The same for the data buffers of a pool's mbufs, of whatever mempool ops, pinned external buffers
 * (RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) included. The mbufs do not carry their DMA addresses: look
 * each up, rte_iommufd_virt2dma(), and see that it is in one piece, rte_iommufd_dma_contiguous().
 *
 * Memory of the pool's own that EAL does not know (rte_mempool_populate_anon()) is put into the
 * address space until the pool is freed, unless the application has done so. External buffers, and
 * what the application has registered with EAL, are its own to map with rte_dev_dma_map().
 *
 * @param pool
 *   Of mbufs; stays the caller's.
 * @return
 *   As rte_iommufd_hold_pool(), or NULL with rte_errno set to what pinning answers.
 */
__rte_internal struct rte_iommufd_hold *rte_iommufd_hold_buffers(struct rte_mempool *pool);

/**
 * Say that objects of a pool carry DMA addresses of [addr, addr + len), so that drivers may give
 * them to a device without looking them up. Until rte_iommufd_hold_release() what
 * rte_iommufd_hold_pool() says of explicit requests holds, and what was mapped for a device that is
 * removed stays pinned; pages that EAL frees all the same are gone. For mempool drivers.
 *
 * @param addr
 *   Start, of any alignment.
 * @param len
 *   Bytes.
 * @return
 *   As rte_iommufd_hold_pool().
 */
__rte_internal struct rte_iommufd_hold *rte_iommufd_hold_memory(const void *addr, size_t len);

/**
 * Nobody reaches the memory by this hold any more.
 *
 * @param hold
 *   Void afterwards. NULL is ignored.
 */
__rte_internal void rte_iommufd_hold_release(struct rte_iommufd_hold *hold);

/* --- What is in flight is not unmapped --------------------------------------------------- */

/** Memory as devices see it. */
struct rte_iommufd_dma_range {
    rte_iova_t start;
    size_t len; /**< Bytes. */
};

/**
 * A transmit queue, as the address space sees it. What a queue has been told to send may lie
 * anywhere, and is not held: that would cost the data path. Instead the queue is asked when memory
 * is about to be unmapped, and what it has in flight stays:
 *
 * - rte_dev_dma_unmap() and rte_iommufd_arena_destroy() fail with EBUSY;
 * - pages that EAL frees all the same, memory of a pool that is freed, and what was mapped for a
 *   device that is removed, lose their addresses at once and their pins when it is sent, as far as
 *   that is known, or with rte_iommufd_in_flight_unregister().
 *
 * The driver says in return when it is between looking an address up and showing it in ranges:
 *
 *     rte_iommufd_lookup_begin(&queue->in_flight);
 *     address = rte_iommufd_virt2dma(data);
 *     descriptor written, queue's tail (of software) moved on
 *     rte_iommufd_lookup_end(&queue->in_flight);
 *
 * It may lie in memory that processes share: it has no pointers. The function that is asked belongs
 * to the process that registers the queue.
 *
 * Addresses that mbufs of an "iommufd" pool carry need none of this: their pool holds them.
 * Between the two calls the driver must neither wait nor free an mbuf, as what an application does
 * in the callback of an external buffer may be to unmap it.
 */
struct rte_iommufd_in_flight {
    uint32_t capacity; /**< Most ranges that the queue gives. */
    uint32_t lookups;  /**< Odd between begin and end. Starts as 0. */
};

/**
 * Write down what the device may still read, from any thread, while bursts go on: what was in
 * flight before the call and still is after it must be among it.
 *
 * @param queue
 *   As it was registered.
 * @param[out] ranges
 *   As many as the queue's capacity can be written.
 * @return
 *   How many there are.
 */
typedef unsigned int (*rte_iommufd_in_flight_ranges_t)(const struct rte_iommufd_in_flight *queue,
                                                       struct rte_iommufd_dma_range *ranges);

/**
 * Before the first lookup of a burst. A full memory barrier.
 *
 * @param queue
 *   Registered; of the calling thread alone.
 */
static inline void rte_iommufd_lookup_begin(struct rte_iommufd_in_flight *queue) {
    __atomic_store_n(&queue->lookups, queue->lookups + 1, __ATOMIC_RELAXED);
    rte_smp_mb(); /* pairs with the one between the table's change and the look at lookups */
}

/**
 * What was looked up since is in the queue, or will not be.
 *
 * @param queue
 *   As rte_iommufd_lookup_begin().
 */
static inline void rte_iommufd_lookup_end(struct rte_iommufd_in_flight *queue) {
    __atomic_store_n(&queue->lookups, queue->lookups + 1, __ATOMIC_RELEASE);
}

/**
 * Have a queue asked, from before its device may read out of it.
 *
 * @param queue
 *   Owned by the driver; valid until rte_iommufd_in_flight_unregister(). Not registered yet.
 * @param ranges
 *   What it is asked by.
 * @return
 *   0 or -ENOMEM.
 */
__rte_internal int rte_iommufd_in_flight_register(struct rte_iommufd_in_flight *queue,
                                                  rte_iommufd_in_flight_ranges_t ranges);

/**
 * The device reads nothing through the queue any more.
 *
 * @param queue
 *   One that is not registered is ignored.
 */
__rte_internal void rte_iommufd_in_flight_unregister(struct rte_iommufd_in_flight *queue);

#ifdef __cplusplus
}
#endif

#endif /* BUS_IOMMUFD_DMA_H */
