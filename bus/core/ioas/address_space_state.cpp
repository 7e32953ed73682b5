// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What AddressSpace refuses and how it explains a failure; and what it tells of itself.

#include "core/ioas/address_space.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "core/ioas/range_text.hpp"
#include "core/sys/broker_remedy.hpp"

namespace iommufd {

std::string range_text(const char *call, Va va, std::uint64_t length) {
    char text[128];
    (void)std::snprintf(text, sizeof(text), "%s of 0x%" PRIx64 " bytes at 0x%" PRIx64, call, length,
                        raw(va));
    return text;
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string((bytes >> 20) + (bytes % (1U << 20) != 0 ? 1 : 0)) + " MiB";
}

namespace {

template <class Areas>
std::string overlap_text(const Areas &areas, Va va, std::uint64_t length) {
    auto next = areas.upper_bound(raw(va));
    if (next != areas.begin() && std::prev(next)->first + std::prev(next)->second.length > raw(va))
        --next;
    else if (next == areas.end() || next->first - raw(va) >= length)
        return {};
    const auto &[start, area] = *next;
    if (area.retired)
        return range_text("its owner has freed the area", Va{start}, area.length) +
               ", and a queue still uses it";
    if (start == raw(va) && area.length == length)
        return "exactly this range is mapped already";
    return "part of it is mapped already, by " + range_text("the area", Va{start}, area.length);
}

} // namespace

Result<void> AddressSpace::check(Va va, std::uint64_t length, std::uint64_t page) const {
    const auto refuse = [&](int code, const std::string &why) {
        return failure(-code, range_text("mapping", va, length), why);
    };
    if (!iommufd_)
        return refuse(ENODEV, "no device on the iommufd bus has been probed");
    if (length == 0)
        return refuse(EINVAL, "the range is empty");
    if (page != page_4k && page != page_2m && page != page_1g)
        return refuse(EINVAL, "the page size is not 4 KiB, 2 MiB or 1 GiB");
    if (!is_aligned(raw(va) | length, page))
        return refuse(EINVAL, "start and length must be multiples of the page size");
    if (raw(va) + length < raw(va))
        return refuse(EINVAL, "the range wraps around the end of memory");
    if (length > (1ULL << va_bits) || raw(va) > (1ULL << va_bits) - length)
        return refuse(EINVAL, "the range ends above the 47-bit range");
    if (const auto why = overlap_text(areas_, va, length); !why.empty())
        return refuse(EEXIST, why);
    return {};
}

// Why a range to be unmapped is no area.
std::string AddressSpace::not_an_area(Va va, std::uint64_t length) const {
    constexpr const char *rule = "memory is unmapped in the pieces it was mapped in";
    auto next = areas_.upper_bound(raw(va));
    const bool inside =
        next != areas_.begin() && std::prev(next)->first + std::prev(next)->second.length > raw(va);
    if (inside)
        --next;
    else if (next == areas_.end() || next->first - raw(va) >= length)
        return std::string("nothing is mapped there; ") + rule;
    return std::string(rule) + ", and here is " +
           range_text("one", Va{next->first}, next->second.length);
}

std::string AddressSpace::memlock_remedy(std::uint64_t needed) const {
    std::uint64_t limit = UINT64_MAX;
    if (kernel_.memlock_limit(&limit) < 0 || limit >= needed)
        return {};
    return "pinning is charged against RLIMIT_MEMLOCK, which is " + mebibytes(limit) + " where " +
           mebibytes(needed) + " are needed: raise it ('ulimit -l " + std::to_string(needed >> 10) +
           "', LimitMEMLOCK=) or grant CAP_IPC_LOCK";
}

Error AddressSpace::map_error(int ret, Va va, std::uint64_t length, bool from_file) const {
    std::string remedy;
    switch (-ret) {
    case ENOMEM:
        remedy = memlock_remedy(bytes_ + length);
        break;
    case EFAULT:
        remedy = "the memory is not there, not writeable, or the hugepage pool is empty";
        break;
    case EEXIST:
        remedy = "something else is mapped there in the IOAS; nothing was taken for granted";
        break;
    default:
        break;
    }
    return {-ret, range_text(from_file ? "IOMMU_IOAS_MAP_FILE" : "IOMMU_IOAS_MAP", va, length),
            remedy};
}

Error AddressSpace::get_pa_error(int ret, Va va) const {
    std::string remedy;
    switch (-ret) {
    case EPERM:
        remedy = "CAP_SYS_RAWIO is needed, and a user namespace's does not count";
        break;
    case ENOTTY:
        remedy = "the kernel is older than 7.3 or built without IOMMUFD_NOIOMMU";
        break;
    case EOPNOTSUPP:
        remedy = "no no-IOMMU device is attached to the address space";
        break;
    default:
        remedy = broker_remedy(ret);
        break;
    }
    return {-ret, range_text("IOMMU_IOAS_NOIOMMU_GET_PA", va, 1), remedy};
}

std::uint64_t AddressSpace::bytes_mapped() const {
    const std::lock_guard lock(mutex_);
    return bytes_;
}

std::size_t AddressSpace::areas() const {
    const std::lock_guard lock(mutex_);
    return areas_.size();
}

AddressSpaceStats AddressSpace::stats() const {
    const std::lock_guard lock(mutex_);
    AddressSpaceStats stats = done_;
    stats.areas = areas_.size();
    stats.bytes = bytes_;
    std::uint64_t run = 0;
    std::optional<Dma> next_dma; // of the byte after the run
    Va next_va{};
    for (const auto &[start, area] : areas_) {
        const std::uint64_t pages = area.length / area.page;
        (area.page == page_4k   ? stats.pages_4k
         : area.page == page_2m ? stats.pages_2m
                                : stats.pages_1g) += pages;
        stats.held_areas += area.queues != 0 ? 1 : 0;
        stats.retired_areas += area.retired ? 1 : 0;
        for (std::uint64_t done = 0; done < area.length; done += area.page) {
            const Va va = Va{start} + done;
            const auto dma = table_.lookup(va);
            run = (dma && dma == next_dma && va == next_va ? run : 0) + (dma ? area.page : 0);
            stats.longest_run = std::max(stats.longest_run, run);
            next_dma = dma ? std::optional(*dma + area.page) : std::nullopt;
            next_va = va + area.page;
        }
    }
    return stats;
}

std::vector<AddressSpace::AreaInfo> AddressSpace::list() const {
    const std::lock_guard lock(mutex_);
    std::vector<AreaInfo> all;
    all.reserve(areas_.size());
    for (const auto &[start, area] : areas_)
        all.push_back({.va = Va{start},
                       .length = area.length,
                       .page = area.page,
                       .queues = area.queues,
                       .pools = area.pools,
                       .retired = area.retired,
                       .from_file = !area.order.empty()});
    return all;
}

} // namespace iommufd
