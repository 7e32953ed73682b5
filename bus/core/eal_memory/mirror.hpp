// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Keeps an address space equal to the memory that EAL has:
//
//     start()       every memseg, in the unit EAL frees, under EAL's memory lock
//     added()       EAL has taken memory: its event           -> mapped
//     freed()       EAL gives memory back: its event          -> retired
//     pin_asked()   EAL asks for the address of a hugepage that it is about to take (only in IOVA
//                   mode PA) -> mapped, "pending" until an event or start() finds it in EAL's list
//
// A pending page may be one that EAL gives up without a word: it was on the wrong NUMA node, or
// not all pages of the attempt were to be had. Its pin would keep the page from the kernel's pool,
// so drop_rolled_back() is called before EAL's next attempt; and whoever asks about the address
// again gets a new pin.
//
// Thread-safe. Of EAL's locks the caller's own comment tells.

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>

#include "core/eal_memory/eal_functions.hpp"
#include "core/eal_memory/report.hpp"
#include "core/ioas/address_space.hpp"

namespace iommufd {

// Where bus and preload library differ.
struct MirrorPolicy {
    // EAL runs in IOVA mode PA, and devices are given what it keeps as a page's IOVA: that must be
    // what the kernel says of the pinned page. Where nobody has been given the memory yet, EAL is
    // told the truth; else it is an error, EFAULT.
    bool compares_iova = false;
};

class MemoryMirror {
public:
    // All of it outlives the mirror; table is the space's.
    MemoryMirror(AddressSpace &space, const DmaTable &table, const EalFunctions &eal,
                 MirrorPolicy policy, MemoryReport &report)
        : space_(space), table_(table), eal_(eal), policy_(policy), report_(report) {}
    MemoryMirror(const MemoryMirror &) = delete;
    MemoryMirror &operator=(const MemoryMirror &) = delete;

    // Map what is not mapped yet, then compare; nothing is pending afterwards. EAL's memory lock is
    // held, so that no page comes or goes. On error what was mapped before stays.
    Result<void> start();
    // The address space has been emptied.
    void clear();

    // Memory events; EAL holds its memory lock. Errors go to the report.
    void added(Va va, std::uint64_t length);
    void freed(Va va, std::uint64_t length);

    // The address of a byte in a hugepage of EAL's, pinned now if it was not. Nothing if the byte
    // is in none.
    Result<std::optional<Dma>> pin_asked(const void *address);
    [[nodiscard]] bool has_pending() const { return pending_.load(std::memory_order_acquire) != 0; }
    // [address, bytes] of what is mapped, neighbours as one.
    std::map<std::uint64_t, std::uint64_t> ranges();
    // Unpin what EAL has asked about and not kept. Not while it is taking pages.
    void drop_rolled_back();

private:
    struct Mapped {
        std::uint64_t length;
        bool pending;
    };
    using AllMapped = std::map<std::uint64_t, Mapped>; // by start
    struct Walk;

    Result<void> map(const rte_memseg_list *msl, Va va, std::uint64_t length) REQUIRES(mutex_);
    Result<void> compare(const rte_memseg_list *msl, rte_memseg *ms, bool repair) const;
    Result<void> compare_added(const rte_memseg_list *msl, Va va, std::uint64_t length) const;
    Result<void> walk(Walk *walk) REQUIRES(mutex_);
    Result<void> map_all() REQUIRES(mutex_);
    AllMapped::iterator unpin_pending(AllMapped::iterator page) REQUIRES(mutex_);
    void drop_pending(bool kept_too) REQUIRES(mutex_);
    void set_pending(Mapped *page, bool pending) REQUIRES(mutex_);
    [[nodiscard]] bool is_kept(Va va) const;

    AddressSpace &space_;
    const DmaTable &table_;
    const EalFunctions eal_;
    const MirrorPolicy policy_;
    MemoryReport &report_;
    std::atomic<std::size_t> pending_{0}; // changed with the mutex held
    Mutex mutex_;
    AllMapped mapped_ GUARDED_BY(mutex_);
};

} // namespace iommufd
