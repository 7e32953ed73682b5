// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Hugepages of the project's own, for pools:
//
//     file of hugepages --- bound to a node, faulted in by several threads
//          |
//          |-- one IOMMU_IOAS_MAP_FILE pins all of it, one GET_PA per page resolves it
//          |
//          `-- shown to the process in the order of physical addresses
//
//     virtual    | p0  | p1  | p2  | p3  |     page_order[i]: the page of the file at i
//     physical   | 7   | 8   | 9   | 12  |     runs as long as the memory allows
//
// The kernel's free list hands hugepages out in no useful order; sorted, neighbours in physical
// memory are neighbours in virtual memory too, so that a large object or a pool's chunk is
// contiguous far more often.

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "core/ioas/address_space.hpp"
#include "core/sys/hugepages.hpp"
#include "core/sys/mapping.hpp"
#include "core/sys/mutex.hpp"

namespace iommufd {

struct ArenaRequest {
    std::uint64_t length = 0;    // bytes; rounded up to whole pages
    std::uint64_t page_size = 0; // 2 MiB or 1 GiB; 0: 1 GiB where it divides length, else 2 MiB
    int node = -1;               // NUMA node; -1: any
    unsigned int threads = 0;    // that fault pages in; 0: as many as the process has CPUs
};

class Arena {
public:
    // A device is attached to the address space. Everything outlives the arena.
    static Result<std::unique_ptr<Arena>> create(Kernel &kernel, Hugepages &hugepages,
                                                 AddressSpace &space, const ArenaRequest &request);
    // Nobody uses the memory any more.
    ~Arena();
    Arena(const Arena &) = delete;
    Arena &operator=(const Arena &) = delete;

    // Put the arena back into an address space that was emptied; addresses may be others. pin(),
    // unpin() and mark_unpinned() are called by one thread at a time, the rest by any.
    Result<void> pin();
    // Take it out: EBUSY while it is held or allocated from.
    Result<void> unpin();

    // The address space was emptied, and the arena with it.
    void mark_unpinned() { pinned_ = false; }

    // Memory of it, aligned to a power of two; nullptr if no gap is large enough.
    void *allocate(std::uint64_t length, std::uint64_t alignment);
    // Exactly what allocate() gave; false if it was not.
    bool free(void *memory);

    [[nodiscard]] Va start() const { return va_of(mapping_.addr()); }
    [[nodiscard]] std::uint64_t length() const { return mapping_.length(); }
    [[nodiscard]] std::uint64_t page_size() const { return page_size_; }
    [[nodiscard]] int node() const { return node_; }
    [[nodiscard]] std::uint64_t free_bytes() const;
    [[nodiscard]] std::size_t allocations() const;

private:
    Arena(Kernel &kernel, Hugepages &hugepages, AddressSpace &space)
        : kernel_(kernel), hugepages_(hugepages), space_(space) {}

    Result<void> take(std::uint64_t length, std::uint64_t page_size, int node,
                      unsigned int threads);
    Result<void> populate(unsigned int threads);
    Result<void> remap_in_physical_order();

    Kernel &kernel_;
    Hugepages &hugepages_;
    AddressSpace &space_;
    Fd file_;
    Mapping mapping_;
    std::uint64_t page_size_ = 0;
    int node_ = -1;
    bool pinned_ = false;
    std::vector<std::uint32_t> page_order_;
    mutable Mutex mutex_;
    std::map<std::uint64_t, std::uint64_t> used_ GUARDED_BY(mutex_); // offset -> length
};

} // namespace iommufd
