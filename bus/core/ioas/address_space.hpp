// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The one address space of the process:
//
//     /dev/iommu --- IOAS --- area [va, va+len)   IOMMU_IOAS_MAP      pins, iova = va
//                      |        `-- page          IOAS_NOIOMMU_GET_PA -> DmaTable
//                      `-- devices attached       VFIO_DEVICE_ATTACH_IOMMUFD_PT
//
// It joins parts that stand alone, and locks:
//
//     Ioas (ioas.hpp)     the ioctls             Areas (areas.hpp)      what is mapped
//     resolve.hpp         GET_PA -> DmaTable     Use (use.hpp)          who uses what
//     figures.hpp         what it has cost       messages.hpp           how it is said
//
// MAP before a device is attached pins nothing and GET_PA then answers EOPNOTSUPP (Linux 7.3,
// drivers/iommu/iommufd/io_pagetable.c, iopt_get_phys()), so the caller attaches first and
// unmaps everything before it detaches the last device.
//
// An area is unmapped as it was mapped: the kernel answers ENOENT to a part of one.
//
// What a receive queue or a pool uses is held, and a transmit queue is asked what it has in flight;
// unmap() refuses an area in use. Where the owner of the memory cannot be refused (EAL frees a
// page), retire() takes the addresses away and keeps the pins, so that the kernel gives the pages
// to nobody while a device may still reach them.
//
// map() and unmap() may be called from any thread; lookups go on meanwhile. After an error the
// address space is as before the call.

#include <cstdint>
#include <string>
#include <vector>

#include "core/ioas/address.hpp"
#include "core/ioas/areas.hpp"
#include "core/ioas/dma_table.hpp"
#include "core/ioas/figures.hpp"
#include "core/ioas/hold.hpp"
#include "core/ioas/ioas.hpp"
#include "core/ioas/use.hpp"
#include "core/sys/mutex.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

class AddressSpace {
public:
    // table outlives the address space and is empty when it starts and ends; nobody else writes it.
    AddressSpace(Kernel &kernel, DmaTable &table) : table_(table), ioas_(kernel), use_(areas_) {}
    AddressSpace(const AddressSpace &) = delete;
    AddressSpace &operator=(const AddressSpace &) = delete;
    ~AddressSpace() { close(); }

    // Whom pins are charged to, from the next open() on.
    using RlimitMode = Ioas::RlimitMode;
    void set_rlimit_mode(RlimitMode mode);
    [[nodiscard]] RlimitMode rlimit_mode() const;

    // Open /dev/iommu and allocate the IOAS; nothing to do if it is open.
    Result<void> open();
    // Unmap everything and close /dev/iommu, which destroys the IOAS. All devices must have
    // stopped DMA and the cdevs bound to it must be closed after unmap_all().
    void close();

    [[nodiscard]] bool is_open() const;
    [[nodiscard]] int iommufd() const;
    [[nodiscard]] std::uint32_t ioas() const;

    // Pin [va, va + length) and enter its DMA addresses. page_size: of the pages behind it, inside
    // which memory is contiguous by construction (hugepages), asked for once each; page_4k if
    // nothing is known, then the kernel is asked for contiguous runs.
    // Errors: EINVAL for a range that is empty, misaligned, wraps or is above the 47-bit
    // range; EEXIST if it overlaps an area; else those of the two ioctls.
    Result<void> map(Va va, std::uint64_t length, std::uint64_t page_size);

    // The same for pages of a file, hugepages of page_size bytes, in one call to the kernel: the
    // page of the file that is seen at va + i * page_size is page_order[i]. An empty order is
    // filled so that physically contiguous runs are as long as they can be, and the caller then
    // shows the pages in that order (mmap(2)) before anybody uses the addresses.
    Result<void> map_file(Va va, std::uint64_t length, std::uint64_t page_size, int fd,
                          std::vector<std::uint32_t> *page_order);

    // Release exactly an area that map() made. Errors: ENOENT if there is none, EINVAL for an
    // empty range, EBUSY if it is held or packets in it are in flight; if a packet has been sent
    // out of it just now, other lookups may have missed it for a moment.
    Result<void> unmap(Va va, std::uint64_t length);

    // unmap() for a caller who will not wait: the area loses its addresses now, and its pins when
    // no queue uses it any more; whether one does.
    Result<bool> retire(Va va, std::uint64_t length, Backing backing = Backing::freed);

    // Hold the areas of [va, va + length). Error: EFAULT if a part is not mapped.
    Result<Hold> hold(Va va, std::uint64_t length, HeldBy by = HeldBy::queue);

    // From now on nothing is unmapped that a queue has in flight, until the registration ends,
    // which says that its device reads nothing any more, or unmap_all(). The queue outlives it.
    [[nodiscard]] InFlightRegistration register_queue(const InFlight &queue);

    // A device could not be stopped and is left to the kernel, which stops it at the last close of
    // its cdev, BARs and other processes' descriptors included. Until close() nothing is unpinned
    // any more; then the kernel unpins, once no device is bound to the IOAS.
    void keep_pins();
    [[nodiscard]] bool keeps_pins() const;

    // Release every area, after DMA has stopped. The first error is returned and the rest
    // released all the same; the table is empty afterwards.
    Result<void> unmap_all();

    // Ioas::memlock_remedy().
    [[nodiscard]] std::string memlock_remedy(std::uint64_t needed) const;

    [[nodiscard]] std::uint64_t bytes_mapped() const;
    [[nodiscard]] std::size_t areas() const;
    // Looks every page up: not for a data path.
    [[nodiscard]] AddressSpaceStats stats() const;
    [[nodiscard]] std::vector<AreaInfo> list() const;

private:
    friend class Hold;
    friend class InFlightRegistration;

    Result<void> add_to_hold(Hold *hold, Va va, std::uint64_t length);
    void release_hold(Hold *hold);
    void unregister_queue(const InFlight *queue);

    Result<void> map_area(Va va, Area area, int fd, std::vector<std::uint32_t> *page_order);
    Result<void> pin_and_resolve(Areas::Iterator entry, int fd,
                                 std::vector<std::uint32_t> *page_order) REQUIRES(mutex_);
    Result<void> resolve_pinned(Areas::Iterator entry, std::vector<std::uint32_t> *page_order)
        REQUIRES(mutex_);
    Result<void> unmap_unless_in_flight(Areas::Iterator area) REQUIRES(mutex_);
    Result<void> unpin(Areas::Iterator area) REQUIRES(mutex_);
    void unpin_if_unused(Areas::Iterator area) REQUIRES(mutex_);
    void reap_retired() REQUIRES(mutex_);
    Result<void> unmap_all_locked() REQUIRES(mutex_);

    DmaTable &table_; // written with the mutex held, read by anybody
    mutable Mutex mutex_;
    Ioas ioas_ GUARDED_BY(mutex_);
    Areas areas_ GUARDED_BY(mutex_);
    Use use_ GUARDED_BY(mutex_);
    RlimitMode rlimit_mode_ GUARDED_BY(mutex_) = RlimitMode::user;
    bool keeps_pins_ GUARDED_BY(mutex_) = false;
};

} // namespace iommufd
