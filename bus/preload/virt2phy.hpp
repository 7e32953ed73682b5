// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What rte_mem_virt2phy() answers, and why it stays true:
//
//     EAL's pages      asked for when EAL takes one -> pinned, "pending"; found in EAL's list ->
//                      compared, kept; given back -> unpinned (MemoryMirror)
//     rte_dev_dma_map  pinned as one range until rte_dev_dma_unmap (ExternalMemory)
//     anything else    PagePins
//     the first one    not kept: rte_eal_init() tests a variable on its stack before it has memory
//
// start() holds for all of EAL's memory at once: what EAL keeps as a page's physical address must
// be what the kernel says of the pinned page, or the device is refused. So addresses that were
// found before a device was there are never believed.

#include <atomic>
#include <cstdint>
#include <vector>

#include <unistd.h>

#include "core/eal_memory/attachment.hpp"
#include "core/eal_memory/external_memory.hpp"
#include "core/eal_memory/mirror.hpp"
#include "preload/page_pins.hpp"

namespace iommufd::preload {

struct EalApi;

class Virt2Phy final : public DeviceMemory, private MemoryReport {
public:
    Virt2Phy(Kernel &kernel, const EalApi &eal);

    AddressSpace &space() override { return space_; }

    // The address space is open and a device attached to it.
    void first_attached();
    // Pin all of EAL's memory and compare; nothing to do if that holds already. EAL's memory lock
    // is held. On error what was pinned before stays.
    Result<void> start();
    void stop() override;

    // The physical address of a byte, whose page stays pinned.
    Result<std::uint64_t> physical(const void *address);

    // Memory events; EAL holds its memory lock.
    void added(Va va, std::uint64_t length);
    void freed(Va va, std::uint64_t length);
    // EAL is about to take memory, and holds its memory lock: what it has asked about before and
    // not kept is unpinned, as it may be the very pages it needs.
    void before_allocation() { mirror_.drop_rolled_back(); }

    // rte_dev_dma_map(), per caller's range; a range may be mapped for several devices. iova: what
    // the caller takes for the physical address of va, or 0, and must be for every page.
    Result<void> map_external(Va va, std::uint64_t iova, std::uint64_t length);
    Result<void> unmap_external(Va va, std::uint64_t length);

    // Memory of the application's, which unmap (munmap() and its like) is to give back: what
    // was pinned of it page by page is unpinned. Its answer.
    int unmap_and_release(void *memory, std::size_t length, PagePins::Unmap unmap);
    // The same where it has gone already.
    void release(Va va, std::uint64_t length);
    // Whether unmap_and_release() may have anything to do. Not in a child of the process: the pins
    // are its parent's, and the mutex is as the fork has found it.
    [[nodiscard]] bool has_pages() const { return pages_of_ == getpid(); }

    // What is pinned, and why.
    struct Pinned {
        enum class For : std::uint8_t { eal, dma_map, virt2phy };
        Va va;
        std::uint64_t length;
        For what;
        std::size_t users; // of dma_map
    };
    std::vector<Pinned> pinned();

    struct Census {
        std::uint64_t bytes; // EAL's memory and what was mapped by hand
        std::size_t areas;
        std::size_t pages; // pinned one by one
        std::size_t external;
    };
    Census census();

private:
    void failed(const char *what, const Error &error) override;
    void still_used(const char *what, Va va, std::uint64_t length) override;
    [[nodiscard]] bool has_memory() const;

    const EalApi &eal_;
    DmaTable table_;
    AddressSpace space_;
    MemoryMirror mirror_;
    Mutex mutex_;
    ExternalMemory external_ GUARDED_BY(mutex_);
    PagePins pages_ GUARDED_BY(mutex_);
    std::atomic<pid_t> pages_of_{-1};
    bool started_ GUARDED_BY(mutex_) = false;
    bool was_asked_ GUARDED_BY(mutex_) = false;
};

} // namespace iommufd::preload
