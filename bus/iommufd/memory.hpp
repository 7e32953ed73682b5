// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Keeps the address space equal to the memory EAL has, from the first device attached to the
// last one detached:
//
//     start()   every memseg, in the unit EAL frees, under EAL's memory lock
//     events    pages that EAL adds and frees while running
//     dma_map   memory EAL does not know, one reference per device and one of the process
//     pools     memory of a mempool's own that EAL does not know, from the first queue that is
//               given the pool until the pool is freed
//     arenas    hugepages of our own
//     stop()    everything, after DMA has stopped
//
// What the process itself has mapped (mempools), and its arenas, are mapped again by the next
// start().

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "core/ioas/arena.hpp"

struct rte_iommufd_device;
struct rte_mempool;

namespace iommufd::eal {

class Memory {
public:
    Memory(Kernel &kernel, DmaTable &table) : kernel_(kernel), space_(kernel, table) {}

    AddressSpace &space() { return space_; }

    // The first device has been attached. On error nothing stays mapped.
    Result<void> start();
    // The last device is about to be detached and does no DMA.
    void stop();

    // rte_dev_dma_map() and its counterpart, whole ranges; dev is nullptr for the process, whose
    // memory goes whether it is still used or not. Errors as AddressSpace's, and EEXIST if dev has
    // the range already, ENOENT if it has not.
    Result<void> map_external(const rte_iommufd_device *dev, Va va, std::uint64_t length);
    Result<void> unmap_external(const rte_iommufd_device *dev, Va va, std::uint64_t length);
    // Memory of a pool, whole ranges, mapped unless it is already; whether it was not. Errors as
    // AddressSpace's.
    Result<bool> map_for(const rte_mempool *pool, Va va, std::uint64_t length);
    // The same ranges, and all of a pool that is being freed.
    void unmap_for(const rte_mempool *pool, Va va);
    void unmap_for(const rte_mempool *pool);
    // dev is gone; its references with it. After stop(), if it was the last one.
    void forget(const rte_iommufd_device *dev);

    // Arenas, owned here. Errors as Arena's.
    Result<Arena *> create_arena(const ArenaRequest &request);
    Result<void> destroy_arena(Arena *arena);
    // The one that pools of the whole application come from; nullptr without one.
    [[nodiscard]] Arena *default_arena() const { return default_arena_; }
    void set_default_arena(Arena *arena) { default_arena_ = arena; }
    [[nodiscard]] std::vector<const Arena *> arenas() const;

    // Memory events, called by EAL with its memory lock held.
    void added(Va va, std::uint64_t length);
    void freed(Va va, std::uint64_t length);

private:
    struct External {
        std::uint64_t length;
        std::set<const rte_iommufd_device *> users;
    };

    struct OfPool {
        const rte_mempool *pool;
        std::uint64_t length;
    };

    void take_out(const char *what, Va va, std::uint64_t length,
                  AddressSpace::Objects objects = AddressSpace::Objects::go);
    Result<void> map_all();
    void map_again();

    Kernel &kernel_;
    AddressSpace space_;
    mutable std::mutex mutex_; // of what follows
    std::map<std::uint64_t, External> external_;
    std::map<std::uint64_t, OfPool> of_pools_;
    bool hears_of_pools_ = false;
    std::vector<std::unique_ptr<Arena>> arenas_;
    Arena *default_arena_ = nullptr;
};

// The one of the process; made at first use, never destroyed.
Memory &memory();

} // namespace iommufd::eal
