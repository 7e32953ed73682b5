// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The one address space of the process:
//
//     /dev/iommu --- IOAS --- area [va, va+len)   IOMMU_IOAS_MAP      pins, iova = va
//                      |        `-- page          IOAS_NOIOMMU_GET_PA -> DmaTable
//                      `-- devices attached       VFIO_DEVICE_ATTACH_IOMMUFD_PT
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
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "core/ioas/address.hpp"
#include "core/ioas/dma_table.hpp"
#include "core/ioas/in_flight.hpp"
#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

// Areas that somebody uses, until AddressSpace::release().
class Hold {
public:
    // A queue's device reaches the memory: its pins stay. The objects of a pool carry addresses
    // in it: it is not unmapped, but if it is the pool's owner who takes it away (retire()) the
    // objects go with it.
    enum class By : std::uint8_t { queue, pool };

    explicit Hold(By by = By::queue) : by_(by) {}
    [[nodiscard]] bool empty() const { return areas_.empty(); }

private:
    friend class AddressSpace;
    By by_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> areas_; // start and id
};

// What has been done and what is there, all since the process started except the second part.
struct AddressSpaceStats {
    std::uint64_t map_calls = 0; // IOMMU_IOAS_MAP and IOMMU_IOAS_MAP_FILE
    std::uint64_t map_ns = 0;
    std::uint64_t get_pa_calls = 0;
    std::uint64_t get_pa_ns = 0; // with the entry into the table
    std::uint64_t unmap_calls = 0;
    std::uint64_t unmap_ns = 0;

    std::uint64_t areas = 0;
    std::uint64_t held_areas = 0;
    std::uint64_t retired_areas = 0;
    std::uint64_t pages_4k = 0;
    std::uint64_t pages_2m = 0;
    std::uint64_t pages_1g = 0;
    std::uint64_t bytes = 0;       // pinned
    std::uint64_t longest_run = 0; // bytes, contiguous in both addresses
};

class AddressSpace {
public:
    // table outlives the address space and is empty when it starts and ends.
    AddressSpace(Kernel &kernel, DmaTable &table) : kernel_(kernel), table_(table) {}
    AddressSpace(const AddressSpace &) = delete;
    AddressSpace &operator=(const AddressSpace &) = delete;
    ~AddressSpace() { close(); }

    // Whom pins are charged to, IOMMU_OPTION_RLIMIT_MODE: the user (the kernel's default: all
    // of the user's processes share RLIMIT_MEMLOCK) or the process. For the next open().
    enum class RlimitMode : std::uint8_t { user = 0, process = 1 };
    void set_rlimit_mode(RlimitMode mode) { rlimit_mode_ = mode; }
    [[nodiscard]] RlimitMode rlimit_mode() const { return rlimit_mode_; }

    // Open /dev/iommu and allocate the IOAS; nothing to do if it is open.
    Result<void> open();
    // Unmap everything and close /dev/iommu, which destroys the IOAS. All devices must have
    // stopped DMA and the cdevs bound to it must be closed after unmap_all().
    void close();

    [[nodiscard]] bool is_open() const { return static_cast<bool>(iommufd_); }
    [[nodiscard]] int iommufd() const { return iommufd_.get(); }
    [[nodiscard]] std::uint32_t ioas() const { return ioas_; }

    // Pin [va, va + length) and enter its DMA addresses. page: the size of the pages behind
    // it, inside which memory is contiguous by construction (hugepages), asked for once each;
    // page_4k if nothing is known, then the kernel is asked for contiguous runs.
    // Errors: EINVAL for a range that is empty, misaligned, wraps or is above the 47-bit
    // range; EEXIST if it overlaps an area; else those of the two ioctls.
    Result<void> map(Va va, std::uint64_t length, std::uint64_t page);

    // The same for pages of a file, hugepages of page bytes, in one call to the kernel: the
    // page of the file that is seen at va + i * page is order[i]. An empty order is filled so
    // that physically contiguous runs are as long as they can be, and the caller then shows
    // the pages in that order (mmap(2)) before anybody uses the addresses.
    Result<void> map_file(Va va, std::uint64_t length, std::uint64_t page, int fd,
                          std::vector<std::uint32_t> *order);

    // Release exactly an area that map() made. Errors: ENOENT if there is none, EINVAL for an
    // empty range, EBUSY if it is held or packets in it are in flight; if a packet has been sent
    // out of it just now, other lookups may have missed it for a moment.
    Result<void> unmap(Va va, std::uint64_t length);

    // unmap() for a caller who will not wait: the area loses its addresses now, and its pins when
    // no queue uses it any more; whether one does. Does the memory itself go, and the objects in
    // it, or do they stay, so that a pool keeps the pins too?
    enum class Objects : std::uint8_t { go, stay };
    Result<bool> retire(Va va, std::uint64_t length, Objects objects = Objects::go);

    // Add the areas that hold [va, va + length) to a hold. Error: EFAULT if a part is not
    // mapped; the hold is then as before.
    Result<void> hold(Va va, std::uint64_t length, Hold *hold);
    // Areas that unmap_all() has taken meanwhile are no error.
    void release(Hold *hold);

    // From now on nothing is unmapped that a queue has in flight, until unwatch() says that its
    // device reads nothing any more, or unmap_all(). The queue outlives that time.
    void watch(const InFlight *queue);
    void unwatch(const InFlight *queue);

    // Release every area, after DMA has stopped. The first error is returned and the rest
    // released all the same; the table is empty afterwards.
    Result<void> unmap_all();

    // What to do where needed bytes must be pinned and RLIMIT_MEMLOCK is the obstacle, as a
    // sentence without its full stop; empty if the limit is high enough.
    [[nodiscard]] std::string memlock_remedy(std::uint64_t needed) const;

    [[nodiscard]] std::uint64_t bytes_mapped() const;
    [[nodiscard]] std::size_t areas() const;
    // Looks every page up: not for a data path.
    [[nodiscard]] AddressSpaceStats stats() const;

    struct AreaInfo {
        Va va;
        std::uint64_t length;
        std::uint64_t page;
        unsigned int queues; // that hold it
        unsigned int pools;
        bool retired;
        bool from_file;
    };
    [[nodiscard]] std::vector<AreaInfo> list() const;

private:
    struct Area {
        std::uint64_t length;
        std::uint64_t page;
        std::vector<std::uint32_t> order{}; // pages of the file as seen; empty: no file
        std::uint64_t id = 0;
        unsigned int queues = 0; // that hold it
        unsigned int pools = 0;
        bool retired = false;
        Objects objects = Objects::go;  // if retired
        std::vector<DmaRange> ranges{}; // if retired: what devices may still read

        [[nodiscard]] bool is_used() const {
            return queues != 0 || (objects == Objects::stay && pools != 0);
        }
        unsigned int &holders(Hold::By by) { return by == Hold::By::queue ? queues : pools; }
    };
    using Areas = std::map<std::uint64_t, Area>; // by start

    struct Watched {
        const InFlight *queue;
        Hold hold; // retired areas that it had in flight
    };
    // Of an area, contiguous in both addresses.
    struct Run {
        Va va;
        DmaRange dma;
    };
    class Reading;

    Result<void> check(Va va, std::uint64_t length, std::uint64_t page) const;
    [[nodiscard]] std::string not_an_area(Va va, std::uint64_t length) const;
    // Enter what is pinned into the table.
    Result<void> resolve(Va va, const Area &area);
    Result<void> resolve_runs(Va va, std::uint64_t length, std::uint64_t page);
    Result<void> resolve_file(Va va, const Area &area);
    Result<void> sort_by_address(Va va, std::uint64_t length, std::uint64_t page,
                                 std::vector<std::uint32_t> *order);
    Result<std::uint64_t> get_pa(Va at, std::uint64_t page, std::uint64_t *run);
    Result<void> map_area(Va va, Area area, int fd, std::vector<std::uint32_t> *order);
    int unmap_ioctl(std::uint64_t va, std::uint64_t length);
    Result<void> unmap_area(Areas::iterator area);
    [[nodiscard]] std::vector<Run> runs_of(Va va, const Area &area) const;
    bool hand_to_readers(Areas::iterator area);
    void let_go(Areas::iterator area);
    void ask_again();
    void release_locked(Hold *hold);
    Result<Areas::iterator> find_area(Va va, std::uint64_t length, const char *what);
    [[nodiscard]] Error map_error(int ret, Va va, std::uint64_t length, bool from_file) const;
    [[nodiscard]] Error get_pa_error(int ret, Va va) const;

    Kernel &kernel_;
    DmaTable &table_;
    Fd iommufd_;
    std::uint32_t ioas_ = 0;
    RlimitMode rlimit_mode_ = RlimitMode::user;
    mutable std::mutex mutex_; // of what follows, and the table's writers
    Areas areas_;
    std::uint64_t bytes_ = 0;
    std::uint64_t next_id_ = 1;
    std::vector<Watched> watched_;
    std::size_t retired_ = 0; // areas
    AddressSpaceStats done_;  // the first part of it
};

} // namespace iommufd
