// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/address_space.hpp"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <string>

#include <fcntl.h>

#include "core/ioas/range_text.hpp"
#include "core/ioas/stopwatch.hpp"
#include "core/sys/broker_remedy.hpp"

namespace iommufd {
namespace {

constexpr const char *iommu_path = "/dev/iommu";

std::string open_remedy(int ret) {
    switch (-ret) {
    case ENOENT:
        return "the kernel has no iommufd: Linux >= 7.3 with CONFIG_IOMMUFD is needed, and "
               "'modprobe iommufd' where it is a module";
    case EACCES:
        return "make /dev/iommu readable and writeable for this user";
    default:
        return broker_remedy(ret);
    }
}

} // namespace

Result<void> AddressSpace::open() {
    if (iommufd_)
        return {};
    const int fd = kernel_.open(iommu_path, O_RDWR);
    if (fd < 0)
        return failure(fd, std::string("open of ") + iommu_path, open_remedy(fd));
    Fd owned(kernel_, fd);
    // Only before the first object exists (Linux 7.3, iommufd_option_rlimit_mode()).
    if (rlimit_mode_ != RlimitMode::user)
        if (const int ret =
                option_rlimit_mode(kernel_, fd, static_cast<std::uint64_t>(rlimit_mode_));
            ret < 0)
            return failure(ret, "IOMMU_OPTION_RLIMIT_MODE",
                           ret == -EPERM ? "charging pins to the process needs CAP_SYS_RESOURCE; "
                                           "leave rlimit_mode=process out"
                                         : "");
    const int ret = ioas_alloc(kernel_, fd, &ioas_);
    if (ret < 0)
        return failure(ret, "IOMMU_IOAS_ALLOC");
    iommufd_ = std::move(owned);
    return {};
}

void AddressSpace::close() {
    (void)unmap_all(); // what it leaves behind goes with the IOAS
    iommufd_.reset();
}

// The frame of the page at an IOVA. run: in, how far to look; out, contiguous bytes.
Result<std::uint64_t> AddressSpace::get_pa(Va at, std::uint64_t page, std::uint64_t *run) {
    std::uint64_t pa = 0;
    const std::uint64_t limit = *run;
    ++done_.get_pa_calls;
    const int ret = ioas_noiommu_get_pa(kernel_, iommufd_.get(), ioas_, raw(at), run, &pa);
    if (ret < 0)
        return tl::make_unexpected(get_pa_error(ret, at));
    if (page != page_4k) // the rest of a hugepage follows, asked for or not
        *run = page;
    if (!is_aligned(pa, page) || !is_aligned(*run, page) || *run == 0 ||
        (page == page_4k && *run > limit))
        return failure(-EIO, range_text("IOMMU_IOAS_NOIOMMU_GET_PA", at, limit),
                       "the answer does not fit a page of " + std::to_string(page) + " bytes");
    return pa;
}

Result<void> AddressSpace::resolve_runs(Va va, std::uint64_t length, std::uint64_t page) {
    for (std::uint64_t done = 0; done < length;) {
        // The kernel walks 4 KiB at a time, so inside a hugepage one byte is asked for.
        std::uint64_t run = page == page_4k ? length - done : 1;
        const auto pa = get_pa(va + done, page, &run);
        if (!pa) {
            table_.erase(va, done);
            return tl::make_unexpected(pa.error());
        }
        if (!table_.insert(va + done, Dma{*pa}, run)) {
            table_.erase(va, done);
            return failure(-ENOMEM, range_text("table entry", va + done, run));
        }
        done += run;
    }
    return {};
}

// IOVAs run as the file does, virtual addresses as its pages are shown.
Result<void> AddressSpace::resolve_file(Va va, const Area &area) {
    for (std::size_t i = 0; i < area.order.size(); ++i) {
        std::uint64_t run = 1;
        const auto pa = get_pa(va + area.order[i] * area.page, area.page, &run);
        const std::uint64_t done = i * area.page;
        if (!pa) {
            table_.erase(va, done);
            return tl::make_unexpected(pa.error());
        }
        if (!table_.insert(va + done, Dma{*pa}, run)) {
            table_.erase(va, done);
            return failure(-ENOMEM, range_text("table entry", va + done, run));
        }
    }
    return {};
}

Result<void> AddressSpace::resolve(Va va, const Area &area) {
    const Stopwatch time(&done_.get_pa_ns);
    return area.order.empty() ? resolve_runs(va, area.length, area.page) : resolve_file(va, area);
}

Result<void> AddressSpace::sort_by_address(Va va, std::uint64_t length, std::uint64_t page,
                                           std::vector<std::uint32_t> *order) {
    const Stopwatch time(&done_.get_pa_ns);
    std::vector<std::uint64_t> frames(length / page);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        std::uint64_t run = 1;
        const auto pa = get_pa(va + i * page, page, &run);
        if (!pa)
            return tl::make_unexpected(pa.error());
        frames[i] = *pa;
    }
    order->resize(frames.size());
    std::iota(order->begin(), order->end(), 0U);
    std::sort(order->begin(), order->end(), [&](auto a, auto b) { return frames[a] < frames[b]; });
    return {};
}

// order: nullptr for memory of the process, else as map_file() says.
Result<void> AddressSpace::map_area(Va va, Area area, int fd, std::vector<std::uint32_t> *order) {
    const std::lock_guard lock(mutex_);
    const std::uint64_t length = area.length;
    ask_again();
    if (auto ok = check(va, length, area.page); !ok)
        return ok;
    // First, as it may throw: what is pinned is always noted.
    area.id = next_id_++;
    const auto entry = areas_.emplace(raw(va), std::move(area)).first;
    int ret = 0;
    {
        const Stopwatch time(&done_.map_ns);
        ++done_.map_calls;
        ret = order == nullptr ? ioas_map(kernel_, iommufd_.get(), ioas_, raw(va), length)
                               : ioas_map_file(kernel_, iommufd_.get(), ioas_, fd, raw(va), length);
    }
    if (ret < 0) {
        areas_.erase(entry);
        return tl::make_unexpected(map_error(ret, va, length, order != nullptr));
    }
    Result<void> ok;
    const bool sorts = order != nullptr && order->empty();
    try {
        if (sorts)
            ok = sort_by_address(va, length, entry->second.page, order);
        if (ok && order != nullptr)
            entry->second.order = *order;
        if (ok)
            ok = resolve(va, entry->second);
    } catch (const std::bad_alloc &) {
        ok = failure(-ENOMEM, range_text("mapping", va, length));
    }
    if (!ok) {
        if (sorts)
            order->clear();
        areas_.erase(entry);
        ret = unmap_ioctl(raw(va), length);
        if (ret < 0)
            ok.error().remedy += "; it stays pinned, as IOMMU_IOAS_UNMAP failed too";
        return ok;
    }
    bytes_ += length;
    return {};
}

Result<void> AddressSpace::map(Va va, std::uint64_t length, std::uint64_t page) {
    return map_area(va, Area{.length = length, .page = page}, -1, nullptr);
}

Result<void> AddressSpace::map_file(Va va, std::uint64_t length, std::uint64_t page, int fd,
                                    std::vector<std::uint32_t> *order) {
    return map_area(va, Area{.length = length, .page = page}, fd, order);
}

Result<void> AddressSpace::unmap_all() {
    const std::lock_guard lock(mutex_);
    Result<void> first;
    for (const auto &[start, area] : areas_) {
        table_.erase(Va{start}, area.length);
        const int ret = unmap_ioctl(start, area.length);
        if (ret < 0 && first)
            first = failure(ret, range_text("IOMMU_IOAS_UNMAP", Va{start}, area.length));
    }
    areas_.clear();
    watched_.clear();
    retired_ = 0;
    bytes_ = 0;
    return first;
}

} // namespace iommufd
