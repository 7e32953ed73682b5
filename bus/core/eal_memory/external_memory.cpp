// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/eal_memory/external_memory.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <iterator>
#include <new>
#include <string>

#include "core/ioas/messages.hpp"

namespace iommufd {

void retire_range(AddressSpace &space, MemoryReport *report, const char *what, Va va,
                  std::uint64_t length, Backing backing) {
    if (auto used = space.retire(va, length, backing); !used)
        report->failed(what, used.error());
    else if (*used)
        report->still_used(what, va, length);
}

Result<void> ExternalMemory::compare(Va va, std::uint64_t length, std::uint64_t iova) const {
    if (iova == 0)
        return {};
    for (std::uint64_t done = 0; done < length; done += page_4k) {
        const auto dma = table_.lookup(va + done);
        if (dma && raw(*dma) == iova + done)
            continue;
        char text[160];
        (void)std::snprintf(text, sizeof(text),
                            "the IOVA of 0x%" PRIx64 " is given as 0x%" PRIx64 " and is 0x%" PRIx64
                            ": without an IOMMU an IOVA is what "
                            "rte_mem_virt2iova() says of each page",
                            raw(va + done), iova + done, dma ? raw(*dma) : 0);
        return failure(-EINVAL, range_text("rte_dev_dma_map", va, length), text);
    }
    return {};
}

Result<void> ExternalMemory::map(User user, Va va, std::uint64_t length, std::uint64_t iova) {
    if (auto found = ranges_.find(raw(va));
        found != ranges_.end() && found->second.length == length) {
        TRY(compare(va, length, iova));
        if (!counts_users_ && found->second.users.contains(user))
            return failure(-EEXIST, range_text("rte_dev_dma_map", va, length),
                           "the device has this range already");
        found->second.users.insert(user);
        return {};
    }
    TRY(space_.map(va, length, page_4k));
    auto ok = compare(va, length, iova);
    try {
        if (ok)
            ranges_.insert_or_assign(raw(va), Range{length, {user}});
    } catch (const std::bad_alloc &) {
        (void)space_.unmap(va, length);
        throw;
    }
    if (!ok)
        (void)space_.unmap(va, length); // nobody has been given an address of it
    return ok;
}

Result<ExternalMemory::Ranges::iterator> ExternalMemory::find(User user, Va va,
                                                              std::uint64_t length) {
    const auto found = ranges_.find(raw(va));
    if (found == ranges_.end() || found->second.length != length ||
        !found->second.users.contains(user))
        return failure(-ENOENT, range_text("rte_dev_dma_unmap", va, length),
                       "no such range is mapped for it; memory is unmapped as it was mapped");
    return found;
}

Result<void> ExternalMemory::unmap(User user, Va va, std::uint64_t length) {
    const auto range = TRY(find(user, va, length));
    auto &users = range->second.users;
    // Without a device nothing is mapped: only claims are given up.
    if (users.size() == 1 && space_.is_open())
        TRY(space_.unmap(va, length));
    users.erase(users.find(user));
    if (users.empty())
        ranges_.erase(range);
    return {};
}

std::size_t ExternalMemory::users(Va va) const {
    const auto range = ranges_.find(raw(va));
    return range == ranges_.end() ? 0 : range->second.users.size();
}

std::vector<ExternalMemory::Listed> ExternalMemory::ranges() const {
    std::vector<Listed> all;
    for (const auto &[va, range] : ranges_)
        all.push_back({va, range.length, range.users.size()});
    return all;
}

Result<void> ExternalMemory::retire(User user, Va va, std::uint64_t length, MemoryReport *report) {
    const auto range = TRY(find(user, va, length));
    if (space_.is_open())
        retire_range(space_, report, "memory of a pool", va, length);
    ranges_.erase(range);
    return {};
}

void ExternalMemory::remove_user(User user, MemoryReport *report) {
    for (auto next = ranges_.begin(); next != ranges_.end();) {
        const auto range = next++;
        if (range->second.users.erase(user) == 0 || !range->second.users.empty())
            continue;
        if (space_.areas() != 0) // else it was the last device
            retire_range(space_, report, "memory of rte_dev_dma_map", Va{range->first},
                         range->second.length, Backing::kept);
        ranges_.erase(range);
    }
}

void ExternalMemory::map_again(MemoryReport *report) {
    for (auto next = ranges_.begin(); next != ranges_.end();) {
        const auto range = next++;
        if (auto ok = space_.map(Va{range->first}, range->second.length, page_4k); !ok) {
            report->failed("memory of rte_iommufd_dma_map", ok.error());
            ranges_.erase(range);
        }
    }
}

} // namespace iommufd
