// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Arenas as the public header has them.

#include <algorithm>
#include <cerrno>

#include <rte_common.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "iommufd/bus_iommufd_driver.h"
#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

using iommufd::Arena;
using iommufd::eal::guarded;
using iommufd::eal::log_error;
using iommufd::eal::process_memory;

// The C names are views of the C++ objects.
namespace {

Arena *arena_of(rte_iommufd_arena *arena) {
    return reinterpret_cast<Arena *>(arena);
}

rte_iommufd_arena *to_c(Arena *arena) {
    return reinterpret_cast<rte_iommufd_arena *>(arena);
}

// A pool's chunk goes back where it came from.
void free_chunk(rte_mempool_memhdr *chunk, void *arena) {
    rte_iommufd_arena_free(static_cast<rte_iommufd_arena *>(arena), chunk->addr);
}

// 0 or a negative errno.
int fill(rte_mempool *pool, rte_iommufd_arena *arena) {
    int ret = rte_mempool_set_ops_byname(pool, "iommufd", nullptr);
    if (ret < 0) {
        iommufd::eal::log(RTE_LOG_ERR,
                          "pool %s: no mempool ops \"iommufd\": load "
                          "librte_mempool_iommufd.so",
                          pool->name);
        return ret;
    }
    std::size_t align = 0;
    const ssize_t size = rte_iommufd_arena_pool_size(pool, pool->size, &align);
    if (size < 0)
        return static_cast<int>(size);
    void *chunk = rte_iommufd_arena_alloc(arena, static_cast<std::size_t>(size), align);
    if (chunk == nullptr) {
        iommufd::eal::log(RTE_LOG_ERR, "pool %s needs %zd bytes of an arena that has %zu free",
                          pool->name, size,
                          static_cast<std::size_t>(arena_of(arena)->free_bytes()));
        return -ENOMEM;
    }
    ret = rte_mempool_populate_iova(pool, static_cast<char *>(chunk), RTE_BAD_IOVA,
                                    static_cast<std::size_t>(size), free_chunk, arena);
    if (ret <= 0) {
        rte_iommufd_arena_free(arena, chunk);
        return ret < 0 ? ret : -ENOBUFS;
    }
    return static_cast<unsigned int>(ret) == pool->size ? 0 : -ENOBUFS;
}

} // namespace

rte_iommufd_arena *rte_iommufd_arena_create(const rte_iommufd_arena_conf *conf) {
    Arena *made = nullptr;
    const int ret = guarded([&] {
        const auto arena = process_memory().create_arena({.length = conf->size,
                                                          .page_size = conf->page_size,
                                                          .node = conf->socket_id,
                                                          .threads = conf->threads});
        if (!arena)
            return log_error("rte_iommufd_arena_create", arena.error());
        made = *arena;
        return 0;
    });
    rte_errno = -ret;
    return to_c(made);
}

int rte_iommufd_arena_destroy(rte_iommufd_arena *arena) {
    return guarded([=] {
        if (arena == nullptr)
            return 0;
        auto ok = process_memory().destroy_arena(arena_of(arena));
        return ok ? 0 : log_error("rte_iommufd_arena_destroy", ok.error());
    });
}

void rte_iommufd_arena_info_get(const rte_iommufd_arena *c_arena, rte_iommufd_arena_info *info) {
    const Arena &arena = *reinterpret_cast<const Arena *>(c_arena);
    char *const start = reinterpret_cast<char *>(iommufd::raw(arena.start()));
    *info = {.addr = start,
             .size = arena.length(),
             .free = arena.free_bytes(),
             .page_size = arena.page_size(),
             .longest_run = 0,
             .socket_id = arena.node()};
    for (std::size_t at = 0; at < arena.length();) {
        const std::size_t run = rte_iommufd_dma_contiguous(start + at, arena.length() - at);
        info->longest_run = std::max(info->longest_run, run);
        at += std::max<std::size_t>(run, arena.page_size());
    }
}

void *rte_iommufd_arena_alloc(rte_iommufd_arena *arena, size_t size, size_t align) {
    void *memory = nullptr;
    (void)guarded([&] {
        memory = arena_of(arena)->allocate(size, align == 0 ? RTE_CACHE_LINE_SIZE : align);
        return 0;
    });
    return memory;
}

void rte_iommufd_arena_free(rte_iommufd_arena *arena, void *memory) {
    if (memory != nullptr && !arena_of(arena)->free(memory))
        // The analyzer takes Arena::free() for the C library's.
        // NOLINTNEXTLINE(clang-analyzer-unix.Malloc)
        iommufd::eal::log(RTE_LOG_ERR, "rte_iommufd_arena_free: %p is not what was handed out",
                          memory);
}

rte_mempool *rte_iommufd_arena_pktmbuf_pool_create(rte_iommufd_arena *arena, const char *name,
                                                   unsigned int n, unsigned int cache_size,
                                                   uint16_t priv_size, uint16_t data_room_size) {
    if (RTE_ALIGN(priv_size, RTE_MBUF_PRIV_ALIGN) != priv_size) {
        rte_errno = EINVAL;
        return nullptr;
    }
    const auto object = static_cast<unsigned int>(sizeof(rte_mbuf)) + priv_size + data_room_size;
    rte_mempool *pool = rte_mempool_create_empty(
        name, n, object, cache_size, sizeof(rte_pktmbuf_pool_private), arena_of(arena)->node(), 0);
    if (pool == nullptr)
        return nullptr;
    rte_pktmbuf_pool_private layout{};
    layout.mbuf_data_room_size = data_room_size;
    layout.mbuf_priv_size = priv_size;
    rte_pktmbuf_pool_init(pool, &layout);
    if (const int ret = guarded([=] { return fill(pool, arena); }); ret < 0) {
        rte_mempool_free(pool);
        rte_errno = -ret;
        return nullptr;
    }
    (void)rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
    return pool;
}

ssize_t rte_iommufd_arena_pool_size(const rte_mempool *pool, unsigned int n, size_t *align) {
    std::size_t page_size = 0;
    std::size_t least = 0;
    // DPDK's function only looks at the pool.
    if (rte_mempool_get_page_size(const_cast<rte_mempool *>(pool), &page_size) < 0)
        return -EINVAL;
    // An arena is contiguous in pages at least, and its smallest are of 2 MiB.
    page_size =
        page_size == 0 ? iommufd::page_2m : std::min<std::size_t>(page_size, iommufd::page_2m);
    return rte_mempool_op_calc_mem_size_helper(
        pool, n, static_cast<std::uint32_t>(rte_bsf64(page_size)), 0, &least, align);
}

rte_iommufd_arena *rte_iommufd_pool_arena(int socket_id, bool *required) {
    Arena *made = nullptr;
    const int ret = guarded([&] {
        const auto offered = process_memory().pool_arenas();
        *required = offered && offered->required;
        const auto arena = process_memory().pool_arena(socket_id);
        if (!arena) {
            iommufd::eal::log(*required ? RTE_LOG_ERR : RTE_LOG_NOTICE,
                              "no arena for pools of NUMA node %d: %s", socket_id,
                              arena.error().message().c_str());
            return arena.error().code != 0 ? -arena.error().code : -EINVAL;
        }
        made = *arena;
        return made == nullptr ? -ENOENT : 0;
    });
    rte_errno = -ret;
    return to_c(made);
}
