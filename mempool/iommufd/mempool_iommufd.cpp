// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Mempool ops "iommufd": a ring as the stock handler has, and objects that know their DMA
// address. rte_mempool_virt2iova() and, from it, rte_mbuf.buf_iova of such a pool are what a
// device on the iommufd bus is to be given; nothing is looked up on the data path. Of a DPDK whose
// mbufs have no IOVA (enable_iova_as_pa=false) the objects are the same, each contiguous for a
// device and held, and the driver looks them up.
//
// Nothing here depends on DPDK's version from 22.11 to 26.07.
//
// Chosen with EAL's --mbuf-pool-ops-name iommufd, or rte_mempool_set_ops_byname().

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <mutex>

#include <rte_errno.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <rte_version.h>

#include <bus_iommufd_driver.h>

#include "pool_memory.hpp"

RTE_LOG_REGISTER(iommufd_mempool_logtype, mempool.iommufd, NOTICE)

using namespace iommufd::mempool;

namespace {

int ops_index = -1; // of ours in rte_mempool_ops_table

rte_ring *ring_of(const rte_mempool *mp) {
    return static_cast<rte_ring *>(mp->pool_data);
}

// Before rte_mempool_free() gives a pool's memory back to the system: nobody else is to find it
// mapped. What is the arena's stays until the pool's objects have been taken apart.
void on_pool_event(rte_mempool_event type, rte_mempool *mp, void * /*arg*/) {
    if (type == RTE_MEMPOOL_EVENT_DESTROY)
        unmap_resources(mp);
}

// For good: DPDK lets nobody unregister but the callback itself.
int register_pool_events() {
    static const int result =
        rte_mempool_event_callback_register(on_pool_event, nullptr) < 0 ? -rte_errno : 0;
    return result;
}

int alloc(rte_mempool *mp) {
    if (const int ret = register_pool_events(); ret < 0)
        return ret;
    char name[RTE_RING_NAMESIZE];
    const int length = std::snprintf(name, sizeof(name), RTE_MEMPOOL_MZ_FORMAT, mp->name);
    if (length < 0 || static_cast<std::size_t>(length) >= sizeof(name)) {
        rte_errno = ENAMETOOLONG;
        return -ENAMETOOLONG;
    }
    unsigned int flags = 0;
    if ((mp->flags & RTE_MEMPOOL_F_SP_PUT) != 0)
        flags |= RING_F_SP_ENQ;
    if ((mp->flags & RTE_MEMPOOL_F_SC_GET) != 0)
        flags |= RING_F_SC_DEQ;
    rte_ring *ring = rte_ring_create(name, rte_align32pow2(mp->size + 1), mp->socket_id, flags);
    if (ring == nullptr)
        return -rte_errno;
    mp->pool_data = ring;
    return 0;
}

int enqueue(rte_mempool *mp, void *const *objects, unsigned int n) {
    return rte_ring_enqueue_bulk(ring_of(mp), objects, n, nullptr) == 0 ? -ENOBUFS : 0;
}

int dequeue(rte_mempool *mp, void **objects, unsigned int n) {
    return rte_ring_dequeue_bulk(ring_of(mp), objects, n, nullptr) == 0 ? -ENOBUFS : 0;
}

unsigned int get_count(const rte_mempool *mp) {
    return rte_ring_count(ring_of(mp));
}

// Whether a pool is to come from an arena, if the application has one for its NUMA node: a pool on
// an external heap has been given its memory by the application.
bool wants_arena(const rte_mempool *mp) {
    return mp->socket_id < RTE_MAX_NUMA_NODES && (mp->flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG) == 0;
}

enum class ArenaRoom { none, reserved, refused };

// Reserve memory for n objects in the arena of the pool's node. What does not fit there is said.
ArenaRoom reserve_in_arena(const rte_mempool *mp, std::uint32_t n) {
    bool required = false;
    // rte_mempool.c asks again when it unmaps anonymous memory, and has to hear the same.
    if (const auto had = dies_with_arena_memory(mp))
        return *had ? ArenaRoom::reserved : ArenaRoom::none;
    rte_iommufd_arena *arena = rte_iommufd_pool_arena(mp->socket_id, &required);
    const ArenaRoom otherwise = required ? ArenaRoom::refused : ArenaRoom::none;
    if (arena == nullptr)
        return otherwise;
    std::size_t align = 0;
    const ssize_t size = rte_iommufd_arena_pool_size(mp, n, &align);
    if (size < 0)
        return otherwise;
    if (reserve(mp, arena, static_cast<std::size_t>(size), align))
        return ArenaRoom::reserved;
    rte_iommufd_arena_info info{};
    rte_iommufd_arena_info_get(arena, &info);
    rte_log(required ? RTE_LOG_ERR : RTE_LOG_NOTICE,
            static_cast<unsigned int>(iommufd_mempool_logtype),
            "mempool iommufd: pool %s needs %zd KiB of an arena that has %zu KiB free%s; give a "
            "larger one (-a iommufd:<BDF>,arena=SIZE)\n",
            mp->name, size >> 10, info.free >> 10,
            required ? "" : ": its memory comes from EAL's hugepages");
    return otherwise;
}

// What rte_mempool_populate_default() asks before it takes memory from EAL. With room in an arena
// it is told a cache line, and populate() looks there.
ssize_t calc_mem_size(const rte_mempool *mp, std::uint32_t n, std::uint32_t page_shift,
                      std::size_t *least, std::size_t *align) {
    const ArenaRoom room = wants_arena(mp) ? reserve_in_arena(mp, n) : ArenaRoom::none;
    if (room == ArenaRoom::refused)
        return -ENOMEM;
    if (room == ArenaRoom::none)
        return rte_mempool_op_calc_mem_size_default(mp, n, page_shift, least, align);
    *least = *align = RTE_CACHE_LINE_SIZE;
    return RTE_CACHE_LINE_SIZE;
}

struct ObjectCallback {
    rte_mempool_populate_obj_cb_t *function;
    void *argument;
};

void enter_object(rte_mempool *mp, void *opaque, void *object, rte_iova_t /*iova*/) {
    const auto *callback = static_cast<const ObjectCallback *>(opaque);
    callback->function(mp, callback->argument, object, rte_iommufd_virt2dma(object));
}

// The stock layout, in runs that are contiguous for a device, so that every object is, in
// memory that is held; which it stays if there are any objects. Their number.
unsigned int lay_out(rte_mempool *mp, unsigned int max_objects, char *memory, std::size_t length,
                     ObjectCallback callback) {
    unsigned int count = 0;
    for (std::size_t at = 0; at < length && count < max_objects;) {
        const std::size_t run = rte_iommufd_dma_contiguous(memory + at, length - at);
        if (run == 0)
            break;
        const int added = rte_mempool_op_populate_default(mp, max_objects - count, memory + at, 0,
                                                          run, enter_object, &callback);
        if (added < 0)
            break;
        count += static_cast<unsigned int>(added);
        at += run;
    }
    if (count == 0)
        release_last_hold(mp);
    else // what rte_mempool.c does only for memory that it is given an IOVA of
        mp->flags &= ~RTE_MEMPOOL_F_NON_IO;
    return count;
}

unsigned int populate_from_arena(rte_mempool *mp, unsigned int max_objects, const Region &memory,
                                 ObjectCallback callback) {
    const unsigned int count =
        hold(mp, memory.start, memory.length)
            ? lay_out(mp, max_objects, static_cast<char *>(memory.start), memory.length, callback)
            : 0;
    if (count == 0)
        free_arena_memory(mp, memory.start);
    return count;
}

unsigned int populate_from(rte_mempool *mp, unsigned int max_objects, char *memory,
                           std::size_t length, ObjectCallback callback) {
    if (!is_reachable(mp, memory, length))
        return 0;
    if (!hold(mp, memory, length)) {
        unmap_unknown(mp, memory, length);
        return 0;
    }
    const unsigned int count = lay_out(mp, max_objects, memory, length, callback);
    if (count == 0) {
        rte_log(RTE_LOG_ERR, static_cast<unsigned int>(iommufd_mempool_logtype),
                "mempool iommufd: pool %s: no object of %u bytes would be contiguous for a "
                "device in %zu bytes at %p: use hugepages\n",
                mp->name, mp->elt_size, length, static_cast<const void *>(memory));
        unmap_unknown(mp, memory, length);
    }
    return count;
}

// Held while one of our pools gets chunks and objects, and while those of all are walked.
std::mutex &population() {
    static auto *mutex = new std::mutex; // outlives every thread
    return *mutex;
}

// 0 objects, not a negative errno, for memory that cannot be used: the callers in
// rte_mempool.c undo a chunk without objects, but free the memory of a failed one before they
// empty the pool (DPDK 22.11.11).
int populate(rte_mempool *mp, unsigned int max_objects, void *start, rte_iova_t iova,
             std::size_t length, rte_mempool_populate_obj_cb_t *function, void *argument) {
    if ((mp->flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG) != 0) // not for devices
        return rte_mempool_op_populate_default(mp, max_objects, start, iova, length, function,
                                               argument);
    const ObjectCallback callback{function, argument};
    const std::lock_guard lock(population());
    begin_population(mp);
    // Memory for no object is what calc_mem_size() has asked for.
    const Region reserved =
        length < mp->header_size + mp->elt_size ? take_reserved(mp) : Region{nullptr, 0};
    const unsigned int count =
        reserved.start != nullptr
            ? populate_from_arena(mp, max_objects, reserved, callback)
            : populate_from(mp, max_objects, static_cast<char *>(start), length, callback);
    end_population(mp, count != 0);
    return static_cast<int>(count);
}

void release(rte_mempool *mp) {
    rte_ring_free(ring_of(mp));
    release_resources(mp);
}

// An object's address anew. An mbuf keeps one more, of the buffer it points to now.
void resolve_object(rte_mempool *mp, void *opaque, void *object, unsigned int /*index*/) {
    bool *complete = static_cast<bool *>(opaque);
    rte_iova_t dma = rte_iommufd_virt2dma(object);
    if (rte_iommufd_dma_contiguous(object, mp->elt_size) < mp->elt_size) {
        dma = RTE_BAD_IOVA;
        *complete = false;
    }
    rte_mempool_get_header(object)->iova = dma;
    auto *mbuf = static_cast<rte_mbuf *>(object);
    if (mp->private_data_size >= sizeof(rte_pktmbuf_pool_private) &&
        mp->elt_size >= sizeof(rte_mbuf) && mbuf->pool == mp)
        rte_mbuf_iova_set(mbuf, rte_iommufd_virt2dma(mbuf->buf_addr));
}

void resolve_pool(rte_mempool *mp, void * /*arg*/) {
    if (rte_mempool_get_ops(mp->ops_index) != rte_mempool_get_ops(ops_index) ||
        mp->populated_size == 0 || (mp->flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG) != 0)
        return;
    bool complete = hold_again(mp) && !is_coming_apart(mp);
    if (!is_coming_apart(mp))
        (void)rte_mempool_obj_iter(mp, resolve_object, &complete);
    if (complete) {
        mp->flags &= ~RTE_MEMPOOL_F_NON_IO;
        return;
    }
    // Drivers take no buffers for DMA from a pool with this flag.
    mp->flags |= RTE_MEMPOOL_F_NON_IO;
    rte_log(RTE_LOG_ERR, static_cast<unsigned int>(iommufd_mempool_logtype),
            "mempool iommufd: pool %s: its memory is no longer in the address space; devices "
            "cannot use it\n",
            mp->name);
}

// The last device had gone and with it every pin: addresses in pools are void.
void resolve_all_pools() {
    const std::lock_guard lock(population());
    rte_mempool_walk(resolve_pool, nullptr);
}

constexpr rte_mempool_ops ops = {
    .name = "iommufd",
    .alloc = alloc,
    .free = release,
    .enqueue = enqueue,
    .dequeue = dequeue,
    .get_count = get_count,
    .calc_mem_size = calc_mem_size,
    .populate = populate,
    .get_info = nullptr,
    .dequeue_contig_blocks = nullptr,
};

void register_ops() {
    ops_index = rte_mempool_register_ops(&ops);
    if (ops_index >= 0)
        rte_iommufd_remap_callback_register(resolve_all_pools);
}

} // namespace

// RTE_MEMPOOL_REGISTER_OPS, unless built for another DPDK.
RTE_INIT(iommufd_mempool_register) {
    if (rte_iommufd_check_dpdk_version("mempool_iommufd", RTE_VER_YEAR, RTE_VER_MONTH))
        register_ops();
}
