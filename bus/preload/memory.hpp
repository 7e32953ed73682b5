// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What rte_mem_virt2phy() answers, and why it stays true:
//
//     EAL's pages      asked for when EAL takes one -> pinned, "pending"
//                      event or start() finds it in EAL's list -> compared, kept
//                      EAL gives it back -> unpinned
//     rte_dev_dma_map  pinned as one range until rte_dev_dma_unmap
//     anything else    PagePins
//     the first one    not kept: rte_eal_init() tests a variable on its stack before it has memory
//
// A pending page may be one that EAL gives up without a word (it was on the wrong NUMA node): then
// the next question about that address pins anew, and the next event drops the rest.
//
// start() holds for all of EAL's memory at once: what EAL keeps as a page's physical address must
// be what the kernel says of the pinned page, or the device is refused. So addresses that were
// found before a device was there are never believed.

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>

#include <rte_memory.h>

#include "core/ioas/address_space.hpp"
#include "preload/page_pins.hpp"

namespace iommufd::preload {

struct EalApi;

class Memory {
public:
    Memory(Kernel &kernel, const EalApi &eal) : eal_(eal), space_(kernel, table_), pages_(kernel) {}

    AddressSpace &space() { return space_; }

    // The address space is open and a device attached to it.
    void attached();
    // Pin all of EAL's memory and compare; nothing to do if that holds already. EAL's memory lock
    // is held. On error what was pinned before stays.
    Result<void> start();
    // No device is attached any more, or none that does DMA.
    void stop();

    Result<std::uint64_t> physical(const void *address);

    // Memory events; EAL holds its memory lock.
    void added(Va va, std::uint64_t length);
    void freed(Va va, std::uint64_t length);

    // rte_dev_dma_map(), per caller's range; a range may be mapped for several devices. iova: what
    // the caller takes for the physical address of va, or 0, and must be.
    Result<void> map_external(Va va, std::uint64_t iova, std::uint64_t length);
    Result<void> unmap_external(Va va, std::uint64_t length);

    struct Census {
        std::uint64_t bytes; // EAL's memory and what was mapped by hand
        std::size_t areas;
        std::size_t pages; // pinned one by one
        std::size_t external;
    };
    Census census();

private:
    struct External {
        std::uint64_t length;
        unsigned int users;
    };

    Result<void> keep(const rte_memseg_list *msl, Va va, std::uint64_t length, std::uint64_t unit);
    Result<void> compare(rte_memseg *ms, bool repair);
    void drop_pending();
    [[nodiscard]] bool has_memory() const;

    friend struct MemoryWalk;

    const EalApi &eal_;
    DmaTable table_;
    AddressSpace space_;
    std::mutex mutex_; // of all that follows
    std::atomic<std::size_t> pending_count_{0};
    std::map<std::uint64_t, std::uint64_t> pending_; // start -> length
    std::map<std::uint64_t, External> external_;
    PagePins pages_;
    bool started_ = false;
    bool is_first_ = true; // question
};

} // namespace iommufd::preload
