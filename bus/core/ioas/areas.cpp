// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/areas.hpp"

#include <cerrno>
#include <iterator>
#include <string>
#include <utility>

#include "core/ioas/messages.hpp"

namespace iommufd {

Areas::Map::const_iterator Areas::overlapping(Va va, std::uint64_t length) const {
    const auto next = all_.upper_bound(raw(va));
    if (next != all_.begin() && std::prev(next)->first + std::prev(next)->second.length > raw(va))
        return std::prev(next);
    return next == all_.end() || next->first - raw(va) >= length ? all_.end() : next;
}

Result<void> Areas::check(Va va, std::uint64_t length, std::uint64_t page_size) const {
    const auto refuse = [&](int code, const std::string &why) {
        return failure(-code, range_text("mapping", va, length), why);
    };
    if (length == 0)
        return refuse(EINVAL, "the range is empty");
    if (page_size != page_4k && page_size != page_2m && page_size != page_1g)
        return refuse(EINVAL, "the page size is not 4 KiB, 2 MiB or 1 GiB");
    if (!is_aligned(raw(va) | length, page_size))
        return refuse(EINVAL, "start and length must be multiples of the page size");
    if (raw(va) + length < raw(va))
        return refuse(EINVAL, "the range wraps around the end of memory");
    if (length > (1ULL << va_bits) || raw(va) > (1ULL << va_bits) - length)
        return refuse(EINVAL, "the range ends above the 47-bit range");
    const auto other = overlapping(va, length);
    if (other == all_.end())
        return {};
    const auto &[start, area] = *other;
    if (area.retired)
        return refuse(EEXIST, range_text("its owner has freed the area", Va{start}, area.length) +
                                  ", and a queue still uses it");
    if (start == raw(va) && area.length == length)
        return refuse(EEXIST, "exactly this range is mapped already");
    return refuse(EEXIST, "part of it is mapped already, by " +
                              range_text("the area", Va{start}, area.length));
}

Areas::Iterator Areas::insert(Va va, Area area) {
    area.id = next_id_++;
    return all_.emplace(raw(va), std::move(area)).first;
}

Result<Areas::Iterator> Areas::find(Va va, std::uint64_t length) {
    if (length == 0)
        return failure(-EINVAL, range_text("unmapping", va, length), "the range is empty");
    const auto area = all_.find(raw(va));
    if (area != all_.end() && area->second.length == length && !area->second.retired)
        return area;
    const std::string rule = "memory is unmapped in the pieces it was mapped in";
    const auto other = overlapping(va, length);
    return failure(-ENOENT, range_text("unmapping", va, length),
                   other == all_.end()
                       ? "nothing is mapped there; " + rule
                       : rule + ", and here is " +
                             range_text("one", Va{other->first}, other->second.length));
}

Result<std::vector<Areas::Iterator>> Areas::covering(Va va, std::uint64_t length) {
    std::vector<Iterator> found;
    const std::uint64_t end = raw(va) + length;
    for (std::uint64_t at = raw(va); at < end;) {
        const auto next = all_.upper_bound(at);
        if (next == all_.begin() || std::prev(next)->first + std::prev(next)->second.length <= at ||
            std::prev(next)->second.retired)
            return failure(-EFAULT, range_text("use", va, length),
                           "part of it is not in the address space");
        found.push_back(std::prev(next));
        at = found.back()->first + found.back()->second.length;
    }
    return found;
}

Areas::Iterator Areas::find(AreaKey key) {
    const auto area = all_.find(key.start);
    return area != all_.end() && area->second.id == key.id ? area : all_.end();
}

} // namespace iommufd
