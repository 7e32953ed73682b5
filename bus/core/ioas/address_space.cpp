// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/address_space.hpp"

#include <cerrno>
#include <new>
#include <string>
#include <utility>

#include "core/ioas/messages.hpp"
#include "core/ioas/resolve.hpp"

namespace iommufd {

Result<void> AddressSpace::open() {
    const LockGuard lock(mutex_);
    return ioas_.open(rlimit_mode_);
}

void AddressSpace::close() {
    const LockGuard lock(mutex_);
    (void)unmap_all_locked(); // what it leaves behind goes with the IOAS
    ioas_.close();
    keeps_pins_ = false;
}

// page_order: nullptr for memory of the process, else as map_file() says.
Result<void> AddressSpace::map_area(Va va, Area area, int fd,
                                    std::vector<std::uint32_t> *page_order) {
    const LockGuard lock(mutex_);
    if (!ioas_.is_open())
        return failure(-ENODEV, range_text("mapping", va, area.length),
                       "no device on the iommufd bus has been probed");
    reap_retired();
    TRY(areas_.check(va, area.length, area.page_size));
    // First, as it may throw: what is pinned is always noted.
    const auto entry = areas_.insert(va, std::move(area));
    auto ok = pin_and_resolve(entry, fd, page_order);
    if (!ok)
        areas_.erase(entry);
    return ok;
}

Result<void> AddressSpace::pin_and_resolve(Areas::Iterator entry, int fd,
                                           std::vector<std::uint32_t> *page_order) {
    const Va va{entry->first};
    const std::uint64_t length = entry->second.length;
    if (page_order == nullptr)
        TRY(ioas_.map(va, length));
    else
        TRY(ioas_.map_file(va, length, fd));
    const bool sorts = page_order != nullptr && page_order->empty();
    Result<void> ok;
    try {
        ok = resolve_pinned(entry, page_order);
    } catch (const std::bad_alloc &) {
        ok = failure(-ENOMEM, range_text("mapping", va, length));
    }
    if (ok)
        return ok;
    if (sorts)
        page_order->clear();
    if (!ioas_.unmap(va, length))
        ok.error().remedy += "; it stays pinned, as IOMMU_IOAS_UNMAP failed too";
    return ok;
}

Result<void> AddressSpace::resolve_pinned(Areas::Iterator entry,
                                          std::vector<std::uint32_t> *page_order) {
    const Va va{entry->first};
    Area &area = entry->second;
    if (page_order != nullptr) {
        if (page_order->empty())
            *page_order = TRY(physical_order(ioas_, va, area.length, area.page_size));
        area.page_order = *page_order;
    }
    return resolve(ioas_, table_, va, area);
}

Result<void> AddressSpace::map(Va va, std::uint64_t length, std::uint64_t page_size) {
    return map_area(va, Area{.length = length, .page_size = page_size}, -1, nullptr);
}

Result<void> AddressSpace::map_file(Va va, std::uint64_t length, std::uint64_t page_size, int fd,
                                    std::vector<std::uint32_t> *page_order) {
    return map_area(va, Area{.length = length, .page_size = page_size}, fd, page_order);
}

Result<void> AddressSpace::unpin(Areas::Iterator area) {
    const Va va{area->first};
    // First nobody finds it any more, then it may move.
    table_.erase(va, area->second.length);
    if (auto failed = ioas_.unmap(va, area->second.length); !failed) {
        if (!area->second.retired)
            if (auto again = resolve(ioas_, table_, va, area->second); !again)
                failed.error().remedy = "and no longer resolved: " + again.error().message();
        return failed;
    }
    use_.end_retired(area->second);
    areas_.erase(area);
    return {};
}

Result<void> AddressSpace::unmap(Va va, std::uint64_t length) {
    const auto busy = [=](const std::string &why) {
        return failure(-EBUSY, range_text("unmapping", va, length), why);
    };
    const LockGuard lock(mutex_);
    const auto found = TRY(areas_.find(va, length));
    const Area &area = found->second;
    if (area.queues != 0)
        return busy(held_by_queues_text(area.queues));
    if (area.pools != 0)
        return busy(held_by_pools_text(area.pools));
    if (keeps_pins_)
        return busy("a device that could not be stopped may still reach it; it stays pinned until "
                    "the last device has gone");
    return use_.has_queues() ? unmap_unless_in_flight(found) : unpin(found);
}

Result<void> AddressSpace::unmap_unless_in_flight(Areas::Iterator area) {
    const Va va{area->first};
    const std::uint64_t length = area->second.length;
    const auto busy = [=](std::size_t queues) {
        return failure(-EBUSY, range_text("unmapping", va, length), in_flight_text(queues));
    };
    const auto runs = runs_of(table_, va, area->second);
    ReaderQuery query = use_.query(dma_ranges(runs));
    // Once before anything is changed: a request that is refused is to disturb nobody.
    if (const auto queues = use_.readers(&query); queues != 0)
        return busy(queues);
    table_.erase(va, length);
    if (const auto queues = use_.possible_readers(&query); queues != 0) {
        reenter(table_, runs);
        return busy(queues);
    }
    return unpin(area);
}

Result<bool> AddressSpace::retire(Va va, std::uint64_t length, Backing backing) {
    const LockGuard lock(mutex_);
    const auto found = TRY(areas_.find(va, length));
    Area &area = found->second;
    area.backing = backing;
    bool knows_ranges = true;
    try {
        if (use_.has_queues() || area.is_used())
            area.ranges = dma_ranges(runs_of(table_, va, area));
    } catch (const std::bad_alloc &) {
        knows_ranges = false;
    }
    table_.erase(va, length);
    use_.retire(found, backing);
    if (!knows_ranges || !use_.add_readers(found)) {
        ++area.queues; // for good, as nobody knows which
        return failure(-ENOMEM, range_text("unmapping", va, length),
                       "no memory to ask who still uses it; it stays pinned");
    }
    if (area.is_used() || keeps_pins_)
        return true;
    TRY(unpin(found));
    return false;
}

// A retired area that nobody holds any more, unless packets in it are in flight: what had objects
// in it may have sent them since.
void AddressSpace::unpin_if_unused(Areas::Iterator area) {
    if (!use_.add_readers(area))
        ++area->second.queues; // for good
    if (area->second.is_used() || keeps_pins_)
        return;
    try {
        (void)unpin(area); // if it fails it stays pinned until the IOAS ends
    } catch (const std::bad_alloc &) {
        // It has failed, and there is no memory to say why.
    }
}

// Packets that were in flight when an area was retired may have been sent. Its owner maps new
// memory at the same place.
void AddressSpace::reap_retired() {
    for (auto next = areas_.begin(); use_.retired() != 0 && next != areas_.end();) {
        const auto area = next++;
        if (!area->second.retired)
            continue;
        use_.remove_readers(area);
        unpin_if_unused(area);
    }
}

Result<void> AddressSpace::unmap_all() {
    const LockGuard lock(mutex_);
    return unmap_all_locked();
}

Result<void> AddressSpace::unmap_all_locked() {
    Result<void> first;
    for (const auto &[start, area] : areas_) {
        table_.erase(Va{start}, area.length);
        if (keeps_pins_)
            continue;
        if (auto ok = ioas_.unmap(Va{start}, area.length); !ok && first)
            first = std::move(ok);
    }
    areas_.clear();
    use_.clear();
    return first;
}

} // namespace iommufd
