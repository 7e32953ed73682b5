// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/page_pins.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <string>

#include "core/sys/broker_remedy.hpp"

namespace iommufd::preload {
namespace {

constexpr std::uint64_t first_iova = 1ULL << 62;
constexpr unsigned int process_shift = 40; // 2^22 processes (PID_MAX_LIMIT) below 2^62

std::string page_at(const char *call, std::uint64_t page) {
    char text[96];
    (void)std::snprintf(text, sizeof(text), "%s of the page at 0x%" PRIx64, call, page);
    return text;
}

} // namespace

void PagePins::use(int iommufd, std::uint32_t ioas, std::uint32_t process) {
    iommufd_ = iommufd;
    ioas_ = ioas;
    base_ = first_iova + (static_cast<std::uint64_t>(process) << process_shift);
    next_ = 0;
    free_.clear();
}

Result<PagePins::Pin> PagePins::make(std::uint64_t page) {
    const bool reuse = !free_.empty();
    if (!reuse && next_ == (1ULL << process_shift))
        return failure(-ENOSPC, page_at("pinning", page), "too many pages are pinned one by one");
    Pin pin{.iova = reuse ? free_.back() : base_ + next_, .pa = 0};
    int ret = ioas_map_at(kernel_, iommufd_, ioas_, page, page_4k, pin.iova);
    if (ret < 0)
        return failure(ret, page_at("IOMMU_IOAS_MAP", page),
                       ret == -EFAULT   ? "nothing is there that a device may write to"
                       : ret == -ENOMEM ? "raise RLIMIT_MEMLOCK or grant CAP_IPC_LOCK"
                                        : "");
    if (reuse)
        free_.pop_back();
    else
        next_ += page_4k;
    std::uint64_t length = 1;
    ret = ioas_noiommu_get_pa(kernel_, iommufd_, ioas_, pin.iova, &length, &pin.pa);
    if (ret < 0) {
        unmake(pin);
        return failure(ret, page_at("IOMMU_IOAS_NOIOMMU_GET_PA", page),
                       ret == -EPERM ? "CAP_SYS_RAWIO is needed" : broker_remedy(ret));
    }
    return pin;
}

void PagePins::unmake(const Pin &pin) {
    // An IOVA that could not be unmapped is not used again.
    if (ioas_unmap(kernel_, iommufd_, ioas_, pin.iova, page_4k) == 0)
        free_.push_back(pin.iova);
}

Result<std::uint64_t> PagePins::pin(Va va) {
    const std::uint64_t page = raw(va) & ~(page_4k - 1);
    const Pin made = TRY(make(page));
    const auto [known, is_new] = pins_.try_emplace(page, made);
    if (!is_new) {
        const bool same = known->second.pa == made.pa;
        unmake(same ? made : known->second);
        if (!same)
            known->second = made;
    }
    return known->second.pa + (raw(va) - page);
}

Result<std::uint64_t> PagePins::probe(Va va) {
    const std::uint64_t page = raw(va) & ~(page_4k - 1);
    const Pin made = TRY(make(page));
    unmake(made);
    return made.pa + (raw(va) - page);
}

void PagePins::release(Va va, std::uint64_t length) {
    auto it = pins_.lower_bound(raw(va));
    while (it != pins_.end() && it->first - raw(va) < length) {
        unmake(it->second);
        it = pins_.erase(it);
    }
}

void PagePins::sweep() {
    for (auto it = pins_.begin(); it != pins_.end();) {
        auto now = make(it->first);
        const bool same = now && now->pa == it->second.pa;
        if (now)
            unmake(*now);
        if (!same)
            unmake(it->second);
        it = same ? std::next(it) : pins_.erase(it);
    }
}

} // namespace iommufd::preload
