/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

#ifndef RTE_BUS_IOMMUFD_H
#define RTE_BUS_IOMMUFD_H

/**
 * @file
 * What an application may ask of the iommufd bus.
 *
 * The bus keeps one address space for the process. Memory in it is pinned by
 * IOMMU_IOAS_MAP and its device address is the one that
 * IOMMU_IOAS_NOIOMMU_GET_PA returned after pinning:
 *
 *     DMA address = PA of the page that holds the VA + offset in that page
 *
 * EAL runs in IOVA mode VA with this bus, so rte_mem_virt2iova(), memzone and
 * malloc "IOVA"s are virtual addresses and must never be given to a device.
 */

#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>

#include "rte_iommufd_dma_table.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Root of the table of DMA addresses (rte_iommufd_dma_table.h). Set when the bus is loaded; the
 * pointer never changes and the table is never freed. For the two functions below alone.
 */
extern const uint64_t *const rte_iommufd_dma_root;

/**
 * DMA address of a virtual address.
 *
 * Inline; constant time, no lock, no system call. Callable from any thread, also while another
 * thread maps or unmaps memory. The address stays true until the memory that holds @p va is
 * unmapped (freed by EAL, or by rte_dev_dma_unmap()).
 *
 * @param va
 *   Any address, mapped or not.
 * @return
 *   The address a device on this bus reaches @p va by, or RTE_BAD_IOVA if the
 *   page is not mapped in the address space (or no device has been probed).
 */
static inline rte_iova_t rte_iommufd_virt2dma(const void *va) {
    return rte_iommufd_table_lookup(rte_iommufd_dma_root, (uint64_t)(uintptr_t)va);
}

/**
 * DMA address of a virtual address, and how much from there on is contiguous for a device.
 *
 * As rte_iommufd_virt2dma(), and as rte_iommufd_dma_contiguous() in the same walk: within a page,
 * as most ranges are, it costs no more than the address alone.
 *
 * @param va
 *   First byte of the range.
 * @param[in,out] len
 *   Length of the range in bytes; then as many of them as are mapped and contiguous: 0 if @p va
 *   is not mapped.
 * @return
 *   As rte_iommufd_virt2dma().
 */
static inline rte_iova_t rte_iommufd_virt2dma_range(const void *va, uint64_t *len) {
    return rte_iommufd_table_lookup_range(rte_iommufd_dma_root, (uint64_t)(uintptr_t)va, len);
}

/**
 * Number of bytes from @p va on that are mapped and contiguous for a device.
 *
 * Thread-safety as rte_iommufd_virt2dma(); the walk is not one atomic step, so
 * the caller must own the memory it asks about.
 *
 * @param va
 *   First byte of the range.
 * @param len
 *   Length of the range in bytes.
 * @return
 *   0 if @p va is not mapped, else a value in [1, @p len] (0 too if @p len is 0).
 */
size_t rte_iommufd_dma_contiguous(const void *va, size_t len);

struct rte_mempool;

/**
 * Hugepages of the application's own, apart from EAL's: pinned and resolved in one step, and laid
 * out so that runs that are contiguous for a device are as long as the memory allows. An arena
 * lives until it is destroyed, whatever devices come and go.
 */
struct rte_iommufd_arena;

/** What rte_iommufd_arena_create() is to make. Zero it first: 0 is a default throughout. */
struct rte_iommufd_arena_conf {
    size_t size;          /**< Bytes, rounded up to whole hugepages. */
    size_t page_size;     /**< 2 MiB or 1 GiB; 0: 1 GiB if it divides size and enough are free,
                               else 2 MiB. */
    int socket_id;        /**< NUMA node the pages are taken from; SOCKET_ID_ANY (-1): any. The node
                               of a device is its rte_device.numa_node. */
    unsigned int threads; /**< That fault the pages in; 0: one for each CPU the process may use. */
};

/** What rte_iommufd_arena_info_get() tells. */
struct rte_iommufd_arena_info {
    void *addr;         /**< First byte. */
    size_t size;        /**< Bytes. */
    size_t free;        /**< Bytes not allocated. */
    size_t page_size;   /**< Of its hugepages, bytes. */
    size_t longest_run; /**< Bytes of the longest piece that is contiguous for a device. */
    int socket_id;      /**< NUMA node, or -1. */
};

/**
 * Take hugepages. Slow: the kernel zeroes every page. From any thread of the primary process,
 * with a device on the bus probed.
 *
 * @param conf
 *   Read during the call only.
 * @return
 *   The arena, which the caller ends with rte_iommufd_arena_destroy(); or NULL with rte_errno set:
 * ENODEV without a device, EINVAL, ENOENT if the kernel has no such hugepages, ENOMEM or EFAULT if
 * too few are free or may be pinned. The log names the limit or the pool and what to do.
 */
struct rte_iommufd_arena *rte_iommufd_arena_create(const struct rte_iommufd_arena_conf *conf);

/**
 * Free an arena's pages. Any thread.
 *
 * @param arena
 *   Void after success. NULL is ignored.
 * @return
 *   0, or -EBUSY while something of it is handed out, or a packet in it is in flight.
 */
int rte_iommufd_arena_destroy(struct rte_iommufd_arena *arena);

/**
 * Describe an arena. Any thread. Looks every page up, so it is not for a data path.
 *
 * @param arena
 *   Not NULL.
 * @param[out] info
 *   As things are during the call.
 */
void rte_iommufd_arena_info_get(const struct rte_iommufd_arena *arena,
                                struct rte_iommufd_arena_info *info);

/**
 * Allocate from an arena. Not zeroed if it was used before. Any thread.
 *
 * @param arena
 *   Not NULL.
 * @param size
 *   Bytes.
 * @param align
 *   A power of two, in bytes; 0 is a cache line.
 * @return
 *   The memory, or NULL if there is no gap of that size. rte_iommufd_virt2dma() knows it, and
 *   rte_iommufd_dma_contiguous() tells how much of it is in one piece for a device.
 */
void *rte_iommufd_arena_alloc(struct rte_iommufd_arena *arena, size_t size, size_t align);

/**
 * Free what rte_iommufd_arena_alloc() has allocated. Any thread.
 *
 * @param arena
 *   The one it came from.
 * @param memory
 *   Anything else is logged and changes nothing; NULL is ignored.
 */
void rte_iommufd_arena_free(struct rte_iommufd_arena *arena, void *memory);

/**
 * Make a pool of packet buffers in an arena; as rte_pktmbuf_pool_create(), with mempool ops
 * "iommufd". rte_mempool_free() returns its memory to the arena.
 *
 * @param arena
 *   Outlives the pool.
 * @param name, n, cache_size, priv_size, data_room_size
 *   As rte_pktmbuf_pool_create() has them; sizes in bytes.
 * @return
 *   The pool, or NULL with rte_errno set: ENOMEM if the arena has no such gap, else as
 *   rte_mempool_create_empty() and rte_mempool_populate_iova().
 */
struct rte_mempool *rte_iommufd_arena_pktmbuf_pool_create(struct rte_iommufd_arena *arena,
                                                          const char *name, unsigned int n,
                                                          unsigned int cache_size,
                                                          uint16_t priv_size,
                                                          uint16_t data_room_size);

#ifdef __cplusplus
}
#endif

#endif /* RTE_BUS_IOMMUFD_H */
