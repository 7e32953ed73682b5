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

// Memory with objects, held so that it is not unmapped while they carry its addresses.
struct Held {
    Region memory;
    rte_iommufd_hold *hold;
};
// Put into the address space by this file: EAL does not know it, so nobody else would.
struct Mapped {
    Region pages;
    Region chunk; // for which that was done
};
struct ArenaMemory {
    rte_iommufd_arena *arena;
    Region memory;
};
// What is released with a pool.
struct PoolResources {
    std::vector<ArenaMemory> reserved{}; // one at most
    std::vector<ArenaMemory> arena_memory{};
    std::vector<Mapped> mapped{};
    std::vector<Held> held{};
    bool failed = false; // its last population; chunks may go in silence
    bool dying = false;
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
        registry().locked([&](AllResources &all) {
            all[mp].mapped.push_back({.pages = region, .chunk = {start, length}});
        });
        return true;
    } catch (const std::bad_alloc &) {
        (void)rte_iommufd_dma_unmap(region.start, region.length);
        return false;
    }
}

bool overlap(const Region &a, const Region &b) {
    const auto first = reinterpret_cast<std::uintptr_t>(a.start);
    const auto second = reinterpret_cast<std::uintptr_t>(b.start);
    return first < second + b.length && second < first + a.length;
}

// Whether a pool of the calling thread's still has memory in a region.
bool is_live(const rte_mempool *mp, const Region &region) {
    const rte_mempool_memhdr *chunk = nullptr;
    STAILQ_FOREACH(chunk, &mp->mem_list, next) {
        if (overlap({chunk->addr, chunk->len}, region))
            return true;
    }
    return false;
}

// What is given to the pool mp may lie where memory was mapped before that went in silence: early
// chunks of a failed rte_mempool_populate_virt(). What is mapped there now is new.
void unmap_stale(const rte_mempool *mp, void *start, std::size_t length) {
    const Region chunk{start, length};
    registry().locked([&](AllResources &all) {
        for (auto &[pool, own] : all)
            std::erase_if(own.mapped, [&, pool = pool, failed = own.failed](const Mapped &each) {
                if (!overlap(chunk, each.pages))
                    return false;
                const bool has_gone =
                    pool == mp ? !is_live(pool, each.pages) : failed || overlap(chunk, each.chunk);
                return has_gone && rte_iommufd_dma_unmap(each.pages.start, each.pages.length) == 0;
            });
    });
}

void release_all(std::vector<Held> &held) {
    for (const Held &each : held)
        rte_iommufd_hold_release(each.hold);
    held.clear();
}

void unmap_all(std::vector<Mapped> &mapped) {
    for (const Mapped &each : mapped)
        (void)rte_iommufd_dma_unmap(each.pages.start, each.pages.length);
    mapped.clear();
}

void free_all(std::vector<ArenaMemory> &memory) {
    for (const ArenaMemory &each : memory)
        rte_iommufd_arena_free(each.arena, each.memory.start);
    memory.clear();
}

// f(PoolResources &) of a pool that has any.
template <class F>
void with_resources(const rte_mempool *mp, F &&f) {
    registry().locked([&](AllResources &all) {
        if (const auto found = all.find(mp); found != all.end())
            f(found->second);
    });
}

} // namespace

void begin_population(const rte_mempool *mp) {
    if (mp->populated_size != 0)
        return;
    // A pool without objects has nothing of an attempt that failed.
    with_resources(mp, [](PoolResources &own) {
        release_all(own.held);
        unmap_all(own.mapped);
        free_all(own.arena_memory);
    });
}

void end_population(const rte_mempool *mp, bool has_objects) {
    with_resources(mp, [=](PoolResources &own) { own.failed = !has_objects; });
}

bool is_coming_apart(const rte_mempool *mp) {
    bool failed = false;
    with_resources(mp, [&](const PoolResources &own) { failed = own.failed; });
    return failed;
}

void unmap_unknown(const rte_mempool *mp, void *start, std::size_t length) {
    const Region region = pages_of(start, length);
    with_resources(mp, [&](PoolResources &own) {
        if (std::erase_if(own.mapped, [&](const Mapped &each) {
                return each.pages.start == region.start && each.pages.length == region.length;
            }) != 0)
            (void)rte_iommufd_dma_unmap(region.start, region.length);
    });
}

bool is_reachable(const rte_mempool *mp, char *start, std::size_t length) {
    if (rte_mem_virt2memseg_list(start) == nullptr) {
        unmap_stale(mp, start, length);
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
        registry().locked(
            [&](AllResources &all) { all[mp].held.push_back({.memory = memory, .hold = made}); });
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

bool reserve(const rte_mempool *mp, rte_iommufd_arena *arena, std::size_t length,
             std::size_t align) {
    with_resources(mp, [](PoolResources &own) { free_all(own.reserved); }); // asked for in vain
    void *memory = rte_iommufd_arena_alloc(arena, length, align);
    if (memory == nullptr)
        return false;
    try {
        registry().locked([&](AllResources &all) {
            PoolResources &own = all[mp];
            own.arena_memory.reserve(own.arena_memory.size() + 1); // for take_reserved()
            own.reserved.push_back({.arena = arena, .memory = {memory, length}});
        });
        return true;
    } catch (const std::bad_alloc &) {
        rte_iommufd_arena_free(arena, memory);
        return false;
    }
}

Region take_reserved(const rte_mempool *mp) {
    Region memory{nullptr, 0};
    with_resources(mp, [&](PoolResources &own) {
        if (own.reserved.empty())
            return;
        memory = own.reserved.front().memory;
        own.arena_memory.push_back(own.reserved.front());
        own.reserved.clear();
    });
    return memory;
}

void free_arena_memory(const rte_mempool *mp, void *memory) {
    with_resources(mp, [=](PoolResources &own) {
        std::erase_if(own.arena_memory, [=](const ArenaMemory &each) {
            if (each.memory.start != memory)
                return false;
            rte_iommufd_arena_free(each.arena, memory);
            return true;
        });
    });
}

bool hold_again(const rte_mempool *mp) {
    return registry().locked([=](AllResources &all) {
        const auto found = all.find(mp);
        if (found == all.end())
            return true;
        bool held_all = true;
        for (Held &held : found->second.held) {
            rte_iommufd_hold_release(held.hold);
            held.hold =
                held_all ? rte_iommufd_hold_memory(held.memory.start, held.memory.length) : nullptr;
            held_all = held.hold != nullptr;
        }
        return held_all;
    });
}

std::optional<bool> dies_with_arena_memory(const rte_mempool *mp) {
    std::optional<bool> has_memory;
    with_resources(mp, [&](const PoolResources &own) {
        if (own.dying)
            has_memory = !own.arena_memory.empty();
    });
    return has_memory;
}

void unmap_resources(const rte_mempool *mp) {
    with_resources(mp, [](PoolResources &own) {
        own.dying = true;
        release_all(own.held);
        unmap_all(own.mapped);
    });
}

void release_resources(const rte_mempool *mp) {
    unmap_resources(mp);
    with_resources(mp, [](PoolResources &own) {
        free_all(own.reserved);
        free_all(own.arena_memory);
    });
    registry().locked([=](AllResources &all) { all.erase(mp); });
}

} // namespace iommufd::mempool
