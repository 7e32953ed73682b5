// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Who uses an area, and how one is let go.

#include "address_space.hpp"

#include <algorithm>
#include <cerrno>
#include <string>

#include "range_text.hpp"
#include "stopwatch.hpp"

namespace iommufd {

int AddressSpace::unmap_ioctl(std::uint64_t va, std::uint64_t length) {
    const Stopwatch time(&done_.unmap_ns);
    ++done_.unmap_calls;
    return ioas_unmap(kernel_, iommufd_.get(), ioas_, va, length);
}

Result<void> AddressSpace::unmap_area(Areas::iterator area) {
    const Va va{area->first};
    const std::uint64_t length = area->second.length;
    // First nobody finds it any more, then it may move.
    table_.erase(va, length);
    const int ret = unmap_ioctl(raw(va), length);
    if (ret < 0) {
        auto failed = failure(ret, range_text("IOMMU_IOAS_UNMAP", va, length));
        if (!area->second.retired)
            if (auto again = resolve(va, area->second); !again)
                failed.value().remedy = "and no longer resolved: " + again.error().message();
        return failed;
    }
    bytes_ -= length;
    areas_.erase(area);
    return {};
}

Result<AddressSpace::Areas::iterator> AddressSpace::find_area(Va va, std::uint64_t length,
                                                              const char *what) {
    if (length == 0)
        return failure(-EINVAL, range_text(what, va, length), "the range is empty");
    const auto area = areas_.find(raw(va));
    if (area == areas_.end() || area->second.length != length || area->second.retired)
        return failure(-ENOENT, range_text(what, va, length), not_an_area(va, length));
    return area;
}

Result<void> AddressSpace::unmap(Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    const auto area = find_area(va, length, "unmapping");
    if (!area)
        return tl::make_unexpected(area.error());
    if (const unsigned int users = (*area)->second.users; users != 0)
        return failure(-EBUSY, range_text("unmapping", va, length),
                       "a device may still write to it: " + std::to_string(users) +
                           (users == 1 ? " queue uses" : " queues use") +
                           " it; stop the port and release its queues first");
    return unmap_area(*area);
}

Result<bool> AddressSpace::retire(Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    const auto area = find_area(va, length, "unmapping");
    if (!area)
        return tl::make_unexpected(area.error());
    if ((*area)->second.users == 0) {
        if (auto ok = unmap_area(*area); !ok)
            return tl::make_unexpected(ok.error());
        return false;
    }
    table_.erase(va, length);
    (*area)->second.retired = true;
    return true;
}

Result<void> AddressSpace::hold(Va va, std::uint64_t length, Hold *hold) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t end = raw(va) + length;
    std::vector<Areas::iterator> found;
    for (std::uint64_t at = raw(va); at < end;) {
        auto area = areas_.upper_bound(at);
        if (area == areas_.begin() ||
            std::prev(area)->first + std::prev(area)->second.length <= at ||
            std::prev(area)->second.retired)
            return failure(-EFAULT, range_text("use", va, length),
                           "part of it is not in the address space");
        --area;
        found.push_back(area);
        at = area->first + area->second.length;
    }
    std::erase_if(found, [&](const auto &area) {
        const std::pair<std::uint64_t, std::uint64_t> key{area->first, area->second.id};
        return std::find(hold->areas_.begin(), hold->areas_.end(), key) != hold->areas_.end();
    });
    hold->areas_.reserve(hold->areas_.size() + found.size());
    for (const auto &area : found) {
        hold->areas_.emplace_back(area->first, area->second.id);
        ++area->second.users;
    }
    return {};
}

void AddressSpace::release(Hold *hold) {
    const std::lock_guard lock(mutex_);
    for (const auto &[start, id] : hold->areas_) {
        const auto area = areas_.find(start);
        if (area == areas_.end() || area->second.id != id)
            continue;
        if (--area->second.users == 0 && area->second.retired)
            (void)unmap_area(area); // if it fails it stays pinned until the IOAS ends
    }
    hold->areas_.clear();
}

} // namespace iommufd
