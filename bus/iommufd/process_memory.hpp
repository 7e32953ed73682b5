// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What devices on the bus reach of this process, from the first device attached to the last one
// detached:
//
//     EAL      every memseg, and what EAL adds and frees while running (MemoryMirror)
//     dma_map  memory EAL does not know, one reference per device and one of the process
//              (ExternalMemory)
//     pools    memory of a mempool's own that EAL does not know, from the first queue that is
//              given the pool until the pool is freed
//     arenas   hugepages of our own
//
// What the process itself has mapped (mempools), and its arenas, are mapped again by the next
// start().

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/eal_memory/attachment.hpp"
#include "core/eal_memory/external_memory.hpp"
#include "core/eal_memory/mirror.hpp"
#include "core/ioas/arena.hpp"

struct rte_iommufd_device;
struct rte_mempool;

namespace iommufd::eal {

// What device arguments ask of the arenas that pools come from.
struct PoolArenas {
    std::uint64_t length = 0; // bytes, of each
    std::uint64_t page_size = 0;
    bool required = false; // pools for which there is no room are not made

    bool operator==(const PoolArenas &) const = default;
};

class ProcessMemory final : public DeviceMemory, private MemoryReport {
public:
    ProcessMemory(Kernel &kernel, DmaTable &table);

    AddressSpace &space() override { return space_; }

    // The first device has been attached. On error nothing stays mapped.
    Result<void> start();
    void stop() override;

    // rte_dev_dma_map() and its counterpart, whole ranges; dev is nullptr for the process, whose
    // memory goes whether it is still used or not. Errors as ExternalMemory's.
    Result<void> map_external(const rte_iommufd_device *dev, Va va, std::uint64_t length);
    Result<void> unmap_external(const rte_iommufd_device *dev, Va va, std::uint64_t length);
    // dev is gone; its references with it.
    void remove_device(const rte_iommufd_device *dev);

    // Memory of a pool, whole ranges, mapped unless it is already; whether it was not. Errors as
    // AddressSpace's.
    Result<bool> map_pool_memory(const rte_mempool *pool, Va va, std::uint64_t length);
    // The same ranges, and all of a pool that is being freed.
    void unmap_pool_memory(const rte_mempool *pool, Va va);
    void unmap_pool_memory(const rte_mempool *pool);

    // Arenas, owned here. Errors as Arena's.
    Result<Arena *> create_arena(const ArenaRequest &request);
    Result<void> destroy_arena(Arena *arena);
    // Arenas that the pools of the whole application come from, one for each NUMA node: none until
    // they are asked for, and none again once the last has been destroyed. EEXIST if others were
    // asked for before.
    Result<void> offer_pool_arenas(const PoolArenas &wanted);
    [[nodiscard]] std::optional<PoolArenas> pool_arenas() const;
    void withdraw_pool_arenas(); // before there is one
    // That of a node (negative: of any), made now if there is none; nullptr if none are offered.
    Result<Arena *> pool_arena(int node);
    [[nodiscard]] std::vector<const Arena *> arenas() const;

    // Memory events, called by EAL with its memory lock held.
    void added(Va va, std::uint64_t length) { mirror_.added(va, length); }
    void freed(Va va, std::uint64_t length) { mirror_.freed(va, length); }

private:
    struct PoolRange {
        const rte_mempool *pool;
        std::uint64_t length;
    };

    void failed(const char *what, const Error &error) override;
    void still_used(const char *what, Va va, std::uint64_t length) override;

    Result<void> register_pool_callback();
    void map_again();

    Kernel &kernel_;
    AddressSpace space_;
    MemoryMirror mirror_;
    bool has_pool_callback_ = false;
    mutable Mutex mutex_;
    ExternalMemory external_ GUARDED_BY(mutex_);
    std::map<std::uint64_t, PoolRange> pool_ranges_ GUARDED_BY(mutex_); // by start
    std::vector<std::unique_ptr<Arena>> arenas_ GUARDED_BY(mutex_);
    mutable Mutex pool_arena_mutex_; // taken before mutex_
    std::optional<PoolArenas> pool_arenas_ GUARDED_BY(pool_arena_mutex_);
    std::vector<Arena *> made_for_pools_ GUARDED_BY(pool_arena_mutex_); // of arenas_
};

// The one of the process; made at first use, never destroyed.
ProcessMemory &process_memory();

} // namespace iommufd::eal
