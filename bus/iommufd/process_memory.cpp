// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "iommufd/process_memory.hpp"

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

constexpr EalFunctions eal_functions = {
    .virt2memseg_list = rte_mem_virt2memseg_list,
    .virt2memseg = rte_mem_virt2memseg,
    .memseg_list_walk = rte_memseg_list_walk_thread_unsafe,
    .memseg_walk = rte_memseg_walk_thread_unsafe,
};

void on_event(rte_mem_event type, const void *addr, size_t length, void * /*arg*/) {
    (void)guarded([&] {
        if (type == RTE_MEM_EVENT_ALLOC)
            process_memory().added(va_of(addr), length);
        else
            process_memory().freed(va_of(addr), length);
        return 0;
    });
}

void on_pool_event(rte_mempool_event type, rte_mempool *pool, void * /*arg*/) {
    if (type != RTE_MEMPOOL_EVENT_DESTROY)
        return;
    (void)guarded([=] {
        process_memory().unmap_pool_memory(pool);
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
class EalMemoryLock {
public:
    EalMemoryLock() { rte_mcfg_mem_read_lock(); }
    ~EalMemoryLock() { rte_mcfg_mem_read_unlock(); }
    EalMemoryLock(const EalMemoryLock &) = delete;
    EalMemoryLock &operator=(const EalMemoryLock &) = delete;
};

} // namespace

ProcessMemory &process_memory() {
    static auto *memory = new ProcessMemory(broker::process_kernel(), *new DmaTable(root));
    return *memory;
}

ProcessMemory::ProcessMemory(Kernel &kernel, DmaTable &table)
    : kernel_(kernel), space_(kernel, table),
      mirror_(space_, table, eal_functions, {.compares_iova = false}, *this),
      external_(space_, table, false) {}

void ProcessMemory::failed(const char *what, const Error &error) {
    (void)log_error(what, error);
}

void ProcessMemory::still_used(const char *what, Va va, std::uint64_t length) {
    log(RTE_LOG_ERR,
        "%s: a queue or a pool still uses 0x%" PRIx64 " bytes at 0x%" PRIx64
        ", whose ports should have been stopped first; they stay pinned until it does not",
        what, length, raw(va));
}

// What the process had mapped when the last device went. It may be gone by now: then it is
// forgotten, and its users find no addresses.
void ProcessMemory::map_again() {
    const LockGuard lock(mutex_);
    external_.map_again(this);
    for (const auto &arena : arenas_)
        if (auto ok = arena->pin(); !ok)
            failed("arena", ok.error());
}

// For good: DPDK lets nobody unregister but the callback itself. Before EAL's memory lock is taken,
// as EAL takes the two in this order.
Result<void> ProcessMemory::register_pool_callback() {
    if (!has_pool_callback_ && rte_mempool_event_callback_register(on_pool_event, nullptr) < 0)
        return failure(-rte_errno, "rte_mempool_event_callback_register");
    has_pool_callback_ = true;
    return {};
}

Result<void> ProcessMemory::start() {
    TRY(register_pool_callback());
    // Between the walk and the callback no page may come or go.
    const EalMemoryLock lock;
    auto mapped = mirror_.start();
    if (mapped && rte_mem_event_callback_register(event_name, on_event, nullptr) < 0 &&
        rte_errno != ENOTSUP) // static memory (--legacy-mem, --no-huge) has no events
        mapped = failure(-rte_errno, "rte_mem_event_callback_register");
    if (!mapped) {
        (void)space_.unmap_all();
        mirror_.clear();
        return mapped;
    }
    map_again();
    log(RTE_LOG_INFO, "%" PRIu64 " MiB pinned and resolved in %zu areas",
        space_.bytes_mapped() >> 20, space_.areas());
    return mapped;
}

void ProcessMemory::stop() {
    (void)rte_mem_event_callback_unregister(event_name, nullptr);
    if (auto ok = space_.unmap_all(); !ok)
        failed("unmapping", ok.error());
    mirror_.clear();
    const LockGuard lock(mutex_);
    pool_ranges_.clear();
    for (const auto &arena : arenas_)
        arena->mark_unpinned();
}

Result<void> ProcessMemory::map_external(const rte_iommufd_device *dev, Va va,
                                         std::uint64_t length) {
    const LockGuard lock(mutex_);
    return external_.map(dev, va, length);
}

Result<void> ProcessMemory::unmap_external(const rte_iommufd_device *dev, Va va,
                                           std::uint64_t length) {
    const LockGuard lock(mutex_);
    return dev == nullptr ? external_.retire(dev, va, length, this)
                          : external_.unmap(dev, va, length);
}

void ProcessMemory::remove_device(const rte_iommufd_device *dev) {
    const LockGuard lock(mutex_);
    external_.remove_user(dev, this);
}

Result<bool> ProcessMemory::map_pool_memory(const rte_mempool *pool, Va va, std::uint64_t length) {
    const LockGuard lock(mutex_);
    if (const auto found = pool_ranges_.find(raw(va));
        found != pool_ranges_.end() && found->second.pool == pool && found->second.length == length)
        return false;
    // By the application, then, in the ranges it chose. The hold keeps it from unmapping them.
    if (is_mapped(va, length))
        return false;
    TRY(space_.map(va, length, page_4k));
    try {
        pool_ranges_.insert_or_assign(raw(va), PoolRange{pool, length});
    } catch (const std::bad_alloc &) {
        (void)space_.retire(va, length);
        throw;
    }
    return true;
}

void ProcessMemory::unmap_pool_memory(const rte_mempool *pool, Va va) {
    const LockGuard lock(mutex_);
    const auto found = pool_ranges_.find(raw(va));
    if (found == pool_ranges_.end() || found->second.pool != pool)
        return;
    retire_range(space_, this, "memory of a pool", va, found->second.length);
    pool_ranges_.erase(found);
}

void ProcessMemory::unmap_pool_memory(const rte_mempool *pool) {
    const LockGuard lock(mutex_);
    std::erase_if(pool_ranges_, [=, this](const auto &each) {
        if (each.second.pool != pool)
            return false;
        retire_range(space_, this, "memory of a pool that is freed", Va{each.first},
                     each.second.length);
        return true;
    });
}

Result<Arena *> ProcessMemory::create_arena(const ArenaRequest &request) {
    auto arena = TRY(Arena::create(kernel_, linux_hugepages(), space_, request));
    const LockGuard lock(mutex_);
    arenas_.push_back(std::move(arena));
    return arenas_.back().get();
}

Result<void> ProcessMemory::destroy_arena(Arena *arena) {
    const LockGuard pool_lock(pool_arena_mutex_);
    const LockGuard lock(mutex_);
    TRY(arena->unpin());
    if (std::erase(made_for_pools_, arena) != 0 && made_for_pools_.empty())
        pool_arenas_.reset();
    std::erase_if(arenas_, [=](const auto &each) { return each.get() == arena; });
    return {};
}

Result<void> ProcessMemory::offer_pool_arenas(const PoolArenas &wanted) {
    const LockGuard lock(pool_arena_mutex_);
    if (pool_arenas_ && *pool_arenas_ != wanted)
        return failure(-EEXIST, "arenas for pools", "others were asked for before");
    pool_arenas_ = wanted;
    return {};
}

std::optional<PoolArenas> ProcessMemory::pool_arenas() const {
    const LockGuard lock(pool_arena_mutex_);
    return pool_arenas_;
}

void ProcessMemory::withdraw_pool_arenas() {
    const LockGuard lock(pool_arena_mutex_);
    if (made_for_pools_.empty())
        pool_arenas_.reset();
}

Result<Arena *> ProcessMemory::pool_arena(int node) {
    const LockGuard lock(pool_arena_mutex_);
    if (!pool_arenas_)
        return nullptr;
    // One that is bound to no node is where a machine without nodes has its own.
    for (Arena *arena : made_for_pools_)
        if (node < 0 || arena->node() < 0 || arena->node() == node)
            return arena;
    Arena *arena = TRY(create_arena({.length = pool_arenas_->length,
                                     .page_size = pool_arenas_->page_size,
                                     .node = node,
                                     .threads = 0}));
    made_for_pools_.push_back(arena);
    log(RTE_LOG_INFO,
        "mbuf pools of NUMA node %d come from an arena of %" PRIu64 " MiB in hugepages of %" PRIu64
        " MiB",
        node, arena->length() >> 20, arena->page_size() >> 20);
    return arena;
}

std::vector<const Arena *> ProcessMemory::arenas() const {
    const LockGuard lock(mutex_);
    std::vector<const Arena *> all;
    for (const auto &arena : arenas_)
        all.push_back(arena.get());
    return all;
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
