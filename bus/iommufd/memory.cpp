// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "iommufd/memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>

#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include "core/broker/client.hpp"
#include "iommufd/log.hpp"
#include "iommufd/rte_bus_iommufd.h"

namespace iommufd::eal {
namespace {

constexpr const char *event_name = "iommufd";

// Read by lookups at any time, so it is there before constructors and outlives every thread.
alignas(page_4k) constinit std::uint64_t root[DmaTable::root_words]{};

// What one memseg or memseg list is mapped as: [va, va + length) in pieces of unit bytes, each
// made of pages of page bytes.
struct Piece {
    Va va;
    std::uint64_t length;
    std::uint64_t unit;
    std::uint64_t page;
};

// EAL frees its own hugepages one by one; memory of 4 KiB pages (--no-huge) never, and an
// external heap as a whole. What an application says of its external memory is not believed,
// so there the kernel is asked for every page.
Piece piece_of(const rte_memseg_list *msl, Va va, std::uint64_t length) {
    const bool whole = msl->external != 0 || msl->page_sz < page_2m;
    return {va, length, whole ? length : msl->page_sz, whole ? page_4k : msl->page_sz};
}

// Lists that are mapped as one; the others segment by segment.
bool is_whole(const rte_memseg_list *msl) {
    return msl->external != 0 || msl->page_sz < page_2m;
}

// Registered with rte_extmem_register() alone: the application says with rte_dev_dma_map()
// whether devices may reach it.
bool is_foreign(const rte_memseg_list *msl) {
    return msl->external != 0 && msl->heap == 0;
}

struct Walk {
    AddressSpace *space; // nullptr: only add up
    std::uint64_t bytes = 0;
    Result<void> result;
};

int visit(Walk *walk, const Piece &piece) {
    walk->bytes += piece.length;
    for (std::uint64_t done = 0; walk->space != nullptr && done < piece.length;
         done += piece.unit) {
        walk->result = walk->space->map(piece.va + done, piece.unit, piece.page);
        if (!walk->result)
            return -1;
    }
    return 0;
}

int visit_list(const rte_memseg_list *msl, void *arg) {
    if (is_foreign(msl) || !is_whole(msl) || msl->memseg_arr.count == 0)
        return 0;
    return guarded([&] {
        return visit(static_cast<Walk *>(arg), piece_of(msl, va_of(msl->base_va), msl->len));
    });
}

int visit_segment(const rte_memseg_list *msl, const rte_memseg *ms, void *arg) {
    if (is_whole(msl))
        return 0;
    return guarded(
        [&] { return visit(static_cast<Walk *>(arg), piece_of(msl, va_of(ms->addr), ms->len)); });
}

void walk_memory(Walk *walk) {
    int ret = rte_memseg_list_walk_thread_unsafe(visit_list, walk);
    if (ret == 0)
        ret = rte_memseg_walk_thread_unsafe(visit_segment, walk);
    if (ret < 0 && walk->result)
        walk->result = failure(-ENOMEM, "walk of EAL's memory");
}

void on_event(rte_mem_event type, const void *addr, size_t length, void * /*arg*/) {
    (void)guarded([&] {
        if (type == RTE_MEM_EVENT_ALLOC)
            memory().added(va_of(addr), length);
        else
            memory().freed(va_of(addr), length);
        return 0;
    });
}

void on_pool_event(rte_mempool_event type, rte_mempool *pool, void * /*arg*/) {
    if (type != RTE_MEMPOOL_EVENT_DESTROY)
        return;
    (void)guarded([=] {
        memory().unmap_for(pool);
        return 0;
    });
}

// Whether a device reaches every byte.
bool is_mapped(Va va, std::uint64_t length) {
    for (std::uint64_t done = 0; done < length; done += page_4k)
        if (rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(va + done))) == RTE_BAD_IOVA)
            return false;
    return true;
}

// EAL's lock against hugepages that come and go.
class MemoryLock {
public:
    MemoryLock() { rte_mcfg_mem_read_lock(); }
    ~MemoryLock() { rte_mcfg_mem_read_unlock(); }
    MemoryLock(const MemoryLock &) = delete;
    MemoryLock &operator=(const MemoryLock &) = delete;
};

} // namespace

Memory &memory() {
    static auto *the_memory = new Memory(broker::process_kernel(), *new DmaTable(root));
    return *the_memory;
}

Result<void> Memory::map_all() {
    Walk total{.space = nullptr, .result = {}};
    walk_memory(&total);
    Walk walk{.space = &space_, .result = {}};
    walk_memory(&walk);
    if (!walk.result && walk.result.error().code == ENOMEM)
        if (auto remedy = space_.memlock_remedy(total.bytes); !remedy.empty())
            walk.result.error().remedy = std::move(remedy);
    return walk.result;
}

// What the process had mapped when the last device went. It may be gone by now: then it is
// forgotten, and its users find no addresses.
void Memory::map_again() {
    const std::lock_guard guard(mutex_);
    for (auto it = external_.begin(); it != external_.end();) {
        if (auto ok = space_.map(Va{it->first}, it->second.length, page_4k); !ok) {
            (void)log_error("memory of rte_iommufd_dma_map", ok.error());
            it = external_.erase(it);
        } else {
            ++it;
        }
    }
    for (const auto &arena : arenas_)
        if (auto ok = arena->pin(); !ok)
            (void)log_error("arena", ok.error());
}

Result<void> Memory::start() {
    // For good: DPDK lets nobody unregister but the callback itself. Before the memory lock, as
    // EAL takes the two in this order.
    if (!hears_of_pools_ && rte_mempool_event_callback_register(on_pool_event, nullptr) < 0)
        return failure(-rte_errno, "rte_mempool_event_callback_register");
    hears_of_pools_ = true;
    // Between the walk and the callback no page may come or go.
    const MemoryLock lock;
    auto mapped = map_all();
    if (mapped && rte_mem_event_callback_register(event_name, on_event, nullptr) < 0 &&
        rte_errno != ENOTSUP) // static memory (--legacy-mem, --no-huge) has no events
        mapped = failure(-rte_errno, "rte_mem_event_callback_register");
    if (!mapped) {
        (void)space_.unmap_all();
        return mapped;
    }
    map_again();
    log(RTE_LOG_INFO, "%" PRIu64 " MiB pinned and resolved in %zu areas",
        space_.bytes_mapped() >> 20, space_.areas());
    return mapped;
}

void Memory::stop() {
    (void)rte_mem_event_callback_unregister(event_name, nullptr);
    if (auto ok = space_.unmap_all(); !ok)
        (void)log_error("unmapping", ok.error());
    const std::lock_guard guard(mutex_);
    of_pools_.clear();
    for (const auto &arena : arenas_)
        arena->lost_pins();
}

void Memory::added(Va va, std::uint64_t length) {
    // External memory that comes with an event is being added to a heap: msl->heap is set after
    // it (DPDK 22.11.11, rte_malloc_heap_memory_add()), and rte_extmem_register() sends none.
    const rte_memseg_list *msl = rte_mem_virt2memseg_list(reinterpret_cast<void *>(raw(va)));
    if (msl == nullptr)
        return;
    Walk walk{.space = &space_, .result = {}};
    if (visit(&walk, piece_of(msl, va, length)) < 0)
        (void)log_error("memory that EAL added is out of reach for devices", walk.result.error());
}

void Memory::freed(Va va, std::uint64_t length) {
    const rte_memseg_list *msl = rte_mem_virt2memseg_list(reinterpret_cast<void *>(raw(va)));
    if (msl == nullptr)
        return;
    const Piece piece = piece_of(msl, va, length);
    for (std::uint64_t done = 0; done < length; done += piece.unit)
        take_out("memory that EAL frees", va + done, piece.unit);
}

Result<void> Memory::map_external(const rte_iommufd_device *dev, Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    if (auto found = external_.find(raw(va));
        found != external_.end() && found->second.length == length) {
        if (found->second.users.insert(dev).second)
            return {};
        return failure(-EEXIST, "rte_dev_dma_map", "the device has this range already");
    }
    if (auto ok = space_.map(va, length, page_4k); !ok)
        return ok;
    external_.emplace(raw(va), External{length, {dev}});
    return {};
}

Result<void> Memory::unmap_external(const rte_iommufd_device *dev, Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    auto found = external_.find(raw(va));
    if (found == external_.end() || found->second.length != length ||
        found->second.users.count(dev) == 0)
        return failure(-ENOENT, "rte_dev_dma_unmap",
                       "the device has no such range; it is unmapped as it was mapped");
    // Without a device nothing is mapped: only claims are given up.
    if (dev == nullptr) { // the memory goes, whoever else has been given it
        if (space_.is_open())
            take_out("memory of a pool", va, length);
    } else if (found->second.users.size() > 1) {
        found->second.users.erase(dev);
        return {};
    } else if (space_.is_open()) {
        if (auto ok = space_.unmap(va, length); !ok)
            return ok;
    }
    external_.erase(found);
    return {};
}

Result<bool> Memory::map_for(const rte_mempool *pool, Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    if (const auto found = of_pools_.find(raw(va));
        found != of_pools_.end() && found->second.pool == pool && found->second.length == length)
        return false;
    // By the application, then, in the pieces it chose. The hold keeps it from unmapping them.
    if (is_mapped(va, length))
        return false;
    if (auto ok = space_.map(va, length, page_4k); !ok)
        return tl::make_unexpected(ok.error());
    try {
        of_pools_.insert_or_assign(raw(va), OfPool{pool, length});
    } catch (const std::bad_alloc &) {
        (void)space_.retire(va, length);
        throw;
    }
    return true;
}

void Memory::unmap_for(const rte_mempool *pool, Va va) {
    const std::lock_guard lock(mutex_);
    const auto found = of_pools_.find(raw(va));
    if (found == of_pools_.end() || found->second.pool != pool)
        return;
    take_out("memory of a pool", va, found->second.length);
    of_pools_.erase(found);
}

void Memory::unmap_for(const rte_mempool *pool) {
    const std::lock_guard lock(mutex_);
    std::erase_if(of_pools_, [=, this](const auto &each) {
        if (each.second.pool != pool)
            return false;
        take_out("memory of a pool that is freed", Va{each.first}, each.second.length);
        return true;
    });
}

// Memory that goes, or that nobody gives to devices any more, whoever uses it.
void Memory::take_out(const char *what, Va va, std::uint64_t length,
                      AddressSpace::Objects objects) {
    if (auto held = space_.retire(va, length, objects); !held)
        (void)log_error(what, held.error());
    else if (*held)
        log(RTE_LOG_ERR,
            "%s: a queue or a pool still uses 0x%" PRIx64 " bytes at 0x%" PRIx64
            ", whose ports should have been stopped first; they stay pinned until it does not",
            what, length, raw(va));
}

Result<Arena *> Memory::create_arena(const ArenaRequest &request) {
    auto arena = Arena::create(kernel_, linux_hugepages(), space_, request);
    if (!arena)
        return tl::make_unexpected(arena.error());
    const std::lock_guard lock(mutex_);
    arenas_.push_back(std::move(*arena));
    return arenas_.back().get();
}

Result<void> Memory::destroy_arena(Arena *arena) {
    const std::lock_guard lock(mutex_);
    if (auto ok = arena->unpin(); !ok)
        return ok;
    if (default_arena_ == arena)
        default_arena_ = nullptr;
    std::erase_if(arenas_, [=](const auto &each) { return each.get() == arena; });
    return {};
}

std::vector<const Arena *> Memory::arenas() const {
    const std::lock_guard lock(mutex_);
    std::vector<const Arena *> all;
    for (const auto &arena : arenas_)
        all.push_back(arena.get());
    return all;
}

void Memory::forget(const rte_iommufd_device *dev) {
    const std::lock_guard lock(mutex_);
    for (auto it = external_.begin(); it != external_.end();) {
        if (it->second.users.erase(dev) == 1 && it->second.users.empty()) {
            if (space_.areas() != 0) // else it was the last device
                take_out("memory of rte_dev_dma_map", Va{it->first}, it->second.length,
                         AddressSpace::Objects::stay);
            it = external_.erase(it);
        } else {
            ++it;
        }
    }
}

} // namespace iommufd::eal

constinit const std::uint64_t *const rte_iommufd_dma_root = iommufd::eal::root;

size_t rte_iommufd_dma_contiguous(const void *va, size_t len) {
    using namespace iommufd;
    const auto start = reinterpret_cast<const char *>(va);
    const rte_iova_t first = rte_iommufd_virt2dma(start);
    if (first == RTE_BAD_IOVA)
        return 0;
    // 4 KiB is the smallest page: inside one nothing needs asking.
    std::size_t run = std::min<std::size_t>(len, page_4k - (first & (page_4k - 1)));
    while (run < len && rte_iommufd_virt2dma(start + run) == first + run)
        run += std::min<std::size_t>(len - run, page_4k);
    return run;
}
