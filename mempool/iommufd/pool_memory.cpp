// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "pool_memory.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <vector>

#include <rte_log.h>
#include <rte_memory.h>

namespace iommufd::mempool {
namespace {

constexpr std::size_t page_size = 4096; // bytes; the unit of rte_iommufd_dma_map()

struct Region {
    void *start;
    std::size_t length;
};
// Memory with objects, held so that it is not unmapped while they carry its addresses.
struct Held {
    Region memory;
    rte_iommufd_hold *hold;
};
// What is released with a pool.
struct PoolResources {
    std::vector<Region> mapped{};       // by this file: EAL does not know it, so nobody else would
    std::vector<void *> arena_memory{}; // of the application's arena
    std::vector<Held> held{};
};
using AllResources = std::map<const rte_mempool *, PoolResources>;

// The resources of all pools, which any thread makes and frees: reached with the lock held, and in
// no other way. f(AllResources &).
class Registry {
public:
    template <class F>
    auto locked(F &&f) {
        const std::lock_guard lock(mutex_);
        return f(all_);
    }

private:
    std::mutex mutex_;
    AllResources all_;
};
Registry &registry() {
    static auto *the_registry = new Registry;
    return *the_registry;
}

Region pages_of(void *start, std::size_t length) {
    char *first = RTE_PTR_ALIGN_FLOOR(static_cast<char *>(start), page_size);
    char *end = RTE_PTR_ALIGN_CEIL(static_cast<char *>(start) + length, page_size);
    return {first, static_cast<std::size_t>(end - first)};
}

// Anonymous memory (rte_mempool_populate_anon(), rte_mempool_populate_virt()): map the pages
// that hold [start, start + length).
bool map_unknown(const rte_mempool *mp, void *start, std::size_t length) {
    const Region region = pages_of(start, length);
    if (rte_iommufd_dma_map(region.start, region.length) < 0)
        return false;
    try {
        registry().locked([&](AllResources &all) { all[mp].mapped.push_back(region); });
        return true;
    } catch (const std::bad_alloc &) {
        (void)rte_iommufd_dma_unmap(region.start, region.length);
        return false;
    }
}

bool overlap(const void *a, std::size_t a_length, const void *b, std::size_t b_length) {
    const auto first = reinterpret_cast<std::uintptr_t>(a);
    const auto second = reinterpret_cast<std::uintptr_t>(b);
    return first < second + b_length && second < first + a_length;
}

// Whether a pool still has memory in a region of its own.
bool is_live(const rte_mempool *mp, const Region &region) {
    const rte_mempool_memhdr *chunk = nullptr;
    STAILQ_FOREACH(chunk, &mp->mem_list, next) {
        if (overlap(chunk->addr, chunk->len, region.start, region.length))
            return true;
    }
    return false;
}

// rte_mempool.c gives a pool's memory back to the system before it calls release(), and early
// chunks of a failed rte_mempool_populate_virt() likewise. What is mapped there now is new.
void unmap_stale(void *start, std::size_t length) {
    registry().locked([=](AllResources &all) {
        for (auto &[mp, own] : all)
            std::erase_if(own.mapped, [=, pool = mp](const Region &region) {
                return overlap(start, length, region.start, region.length) &&
                       !is_live(pool, region) &&
                       rte_iommufd_dma_unmap(region.start, region.length) == 0;
            });
    });
}

void release_all(std::vector<Held> &held) {
    for (const Held &each : held)
        rte_iommufd_hold_release(each.hold);
    held.clear();
}

} // namespace

void unmap_unknown(const rte_mempool *mp, void *start, std::size_t length) {
    const Region region = pages_of(start, length);
    registry().locked([&](AllResources &all) {
        const auto pool = all.find(mp);
        if (pool == all.end())
            return;
        if (std::erase_if(pool->second.mapped, [&](const Region &r) {
                return r.start == region.start && r.length == region.length;
            }) != 0)
            (void)rte_iommufd_dma_unmap(region.start, region.length);
    });
}

bool is_reachable(const rte_mempool *mp, char *start, std::size_t length) {
    if (rte_mem_virt2memseg_list(start) == nullptr) {
        unmap_stale(start, length);
        if (rte_iommufd_virt2dma(start) == RTE_BAD_IOVA && !map_unknown(mp, start, length))
            return false;
    }
    for (std::size_t at = 0; at < length;) {
        const std::size_t run = rte_iommufd_dma_contiguous(start + at, length - at);
        if (run == 0) {
            rte_log(RTE_LOG_ERR, static_cast<unsigned int>(iommufd_mempool_logtype),
                    "mempool iommufd: pool %s: memory at %p is not in the address space: give a "
                    "device to the bus first (-a iommufd:<BDF> --no-pci), and external memory to "
                    "rte_dev_dma_map()\n",
                    mp->name, static_cast<const void *>(start + at));
            return false;
        }
        at += run;
    }
    return true;
}

bool hold(const rte_mempool *mp, void *start, std::size_t length) {
    const Region memory{start, length};
    rte_iommufd_hold *made = rte_iommufd_hold_memory(start, length);
    if (made == nullptr)
        return false;
    try {
        registry().locked([&](AllResources &all) {
            std::vector<Held> &held = all[mp].held;
            // Chunks of an attempt that failed: rte_mempool.c has freed them without a word.
            if (mp->populated_size == 0)
                release_all(held);
            held.push_back({.memory = memory, .hold = made});
        });
        return true;
    } catch (const std::bad_alloc &) {
        rte_iommufd_hold_release(made);
        return false;
    }
}

void release_last_hold(const rte_mempool *mp) {
    registry().locked([=](AllResources &all) {
        std::vector<Held> &held = all[mp].held;
        rte_iommufd_hold_release(held.back().hold);
        held.pop_back();
    });
}

bool keep_arena_memory(const rte_mempool *mp, rte_iommufd_arena *arena, void *memory) {
    try {
        registry().locked([=](AllResources &all) { all[mp].arena_memory.push_back(memory); });
        return true;
    } catch (const std::bad_alloc &) {
        rte_iommufd_arena_free(arena, memory);
        return false;
    }
}

bool hold_again(const rte_mempool *mp) {
    return registry().locked([=](AllResources &all) {
        const auto found = all.find(mp);
        bool held_all = true;
        if (found == all.end())
            return held_all;
        for (Held &held : found->second.held) {
            rte_iommufd_hold_release(held.hold);
            held.hold =
                held_all ? rte_iommufd_hold_memory(held.memory.start, held.memory.length) : nullptr;
            held_all = held.hold != nullptr;
        }
        return held_all;
    });
}

void release_resources(const rte_mempool *mp) {
    registry().locked([=](AllResources &all) {
        const auto found = all.find(mp);
        if (found == all.end())
            return;
        release_all(found->second.held);
        for (const Region &region : found->second.mapped)
            (void)rte_iommufd_dma_unmap(region.start, region.length);
        for (void *memory : found->second.arena_memory)
            rte_iommufd_arena_free(rte_iommufd_default_arena(), memory);
        all.erase(found);
    });
}

} // namespace iommufd::mempool
