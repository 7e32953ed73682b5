// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/page_pins.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

#include "core/sys/broker_remedy.hpp"

namespace iommufd::preload {
namespace {

constexpr std::uint64_t first_iova = 1ULL << 62;
constexpr unsigned int process_shift = 40; // 2^22 processes (PID_MAX_LIMIT) above that
constexpr std::uint64_t processes = 1ULL << 22;
constexpr int max_moves = 1024;

std::uint64_t base_of(std::uint64_t process) {
    return first_iova + (process % processes << process_shift);
}

std::string page_at(const char *call, std::uint64_t page) {
    char text[96];
    (void)std::snprintf(text, sizeof(text), "%s of the page at 0x%" PRIx64, call, page);
    return text;
}

} // namespace

void PagePins::use(int iommufd, std::uint32_t ioas, std::uint32_t process) {
    iommufd_ = iommufd;
    ioas_ = ioas;
    start_at(process);
}

void PagePins::start_at(std::uint64_t process) {
    process_ = process;
    next_ = 0;
    free_.clear();
}

// Another process may have pinned where this one would: one of the same number in another PID
// namespace, or one that was killed and whose number has come again. The kernel says so (EEXIST),
// and this one goes on where the next number would.
int PagePins::map_apart(std::uint64_t page, std::uint64_t *iova) {
    int ret = ioas_map_at(kernel_, iommufd_, ioas_, page, page_4k, *iova);
    for (int moves = 0; ret == -EEXIST && moves < max_moves; ++moves) {
        start_at(process_ + 1);
        *iova = base_of(process_);
        ret = ioas_map_at(kernel_, iommufd_, ioas_, page, page_4k, *iova);
    }
    return ret;
}

std::uint64_t PagePins::steady_clock() {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count());
}

// The IOVA at which the page is pinned now.
Result<std::uint64_t> PagePins::map(std::uint64_t page) {
    const bool reuse = !free_.empty();
    if (!reuse && next_ == (1ULL << process_shift))
        return failure(-ENOSPC, page_at("pinning", page), "too many pages are pinned one by one");
    std::uint64_t iova = reuse ? free_.back() : base_of(process_) + next_;
    if (const int ret = map_apart(page, &iova); ret < 0)
        return failure(ret, page_at("IOMMU_IOAS_MAP", page),
                       ret == -EFAULT   ? "nothing is there that a device may write to"
                       : ret == -ENOMEM ? "raise RLIMIT_MEMLOCK or grant CAP_IPC_LOCK"
                                        : "");
    if (!free_.empty() && free_.back() == iova)
        free_.pop_back();
    else
        next_ += page_4k;
    return iova;
}

void PagePins::unmake(const Pin &pin) {
    // An IOVA that could not be unmapped is not used again.
    if (ioas_unmap(kernel_, iommufd_, ioas_, pin.iova, page_4k) == 0)
        free_.push_back(pin.iova);
}

// Each page anew, up to the first that cannot be pinned, which is the last answer then.
std::vector<Result<PagePins::Pin>> PagePins::make(std::span<const std::uint64_t> pages) {
    std::vector<Result<Pin>> made;
    std::vector<PaQuery> queries;
    made.reserve(pages.size());
    queries.reserve(pages.size());
    for (const std::uint64_t page : pages) {
        auto iova = map(page);
        if (!iova) {
            made.emplace_back(tl::make_unexpected(std::move(iova).error()));
            break;
        }
        made.emplace_back(Pin{.iova = *iova, .pa = 0});
        queries.push_back({.iova = *iova, .limit = 1});
    }
    const int failed = queries.empty() ? 0 : kernel_.noiommu_get_pa(iommufd_, ioas_, queries);
    for (std::size_t i = 0; i < queries.size(); ++i) {
        made[i]->pa = queries[i].pa;
        const int ret = failed < 0 ? failed : queries[i].error;
        if (ret >= 0)
            continue;
        unmake(*made[i]);
        made[i] = failure(ret, page_at("IOMMU_IOAS_NOIOMMU_GET_PA", pages[i]),
                          ret == -EPERM ? "CAP_SYS_RAWIO is needed" : broker_remedy(ret));
    }
    return made;
}

void PagePins::drop_ahead() {
    for (const Pin &pin : ahead_)
        unmake(pin);
    ahead_.clear();
}

// A new pin of the page, which may have been made ahead, and if it follows the last one perhaps
// pins of those behind it.
Result<PagePins::Pin> PagePins::make_following(std::uint64_t page) {
    const bool follows = page == std::exchange(expected_, page + page_4k);
    if (!follows || now_() > ahead_until_)
        drop_ahead();
    if (!ahead_.empty()) {
        const Pin made = ahead_.front();
        ahead_.pop_front();
        return made;
    }
    in_a_row_ = follows ? std::min(2 * in_a_row_, kernel_.pa_batch()) : 1;
    std::vector<std::uint64_t> pages(in_a_row_);
    for (std::size_t i = 0; i < pages.size(); ++i)
        pages[i] = page + i * page_4k;
    auto made = make(pages);
    bool is_whole = true;
    for (std::size_t i = 1; i < made.size(); ++i) {
        is_whole = is_whole && made[0] && made[i];
        if (is_whole)
            ahead_.push_back(*made[i]);
        else if (made[i])
            unmake(*made[i]);
    }
    ahead_until_ = now_() + 1'000'000'000;
    return made[0];
}

Result<std::uint64_t> PagePins::pin(Va va) {
    const std::uint64_t page = raw(va) & ~(page_4k - 1);
    const Pin made = TRY(make_following(page));
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
    drop_ahead();
    const std::uint64_t page = raw(va) & ~(page_4k - 1);
    const Pin made = TRY(make({&page, 1}).front());
    unmake(made);
    return made.pa + (raw(va) - page);
}

void PagePins::release(Va va, std::uint64_t length) {
    drop_ahead();
    auto it = pins_.lower_bound(raw(va));
    while (it != pins_.end() && it->first - raw(va) < length) {
        unmake(it->second);
        it = pins_.erase(it);
    }
}

int PagePins::unmap_and_release(void *memory, std::size_t length, Unmap unmap) {
    const int ret = unmap(memory, length);
    if (ret != 0)
        return ret;
    const int before = errno;
    release(va_of(memory), length);
    errno = before;
    return ret;
}

std::map<std::uint64_t, std::uint64_t> PagePins::ranges() const {
    std::map<std::uint64_t, std::uint64_t> found;
    std::uint64_t *last = nullptr;
    std::uint64_t end = 0;
    for (const auto &[page, pin] : pins_) {
        if (last == nullptr || page != end)
            last = &found[page];
        *last += page_4k;
        end = page + page_4k;
    }
    return found;
}

void PagePins::sweep() {
    drop_ahead();
    for (auto it = pins_.begin(); it != pins_.end();) {
        std::vector<std::uint64_t> pages;
        for (auto next = it; next != pins_.end() && pages.size() < kernel_.pa_batch(); ++next)
            pages.push_back(next->first);
        for (const auto &now : make(pages)) {
            const bool same = now && now->pa == it->second.pa;
            if (now)
                unmake(*now);
            if (!same)
                unmake(it->second);
            it = same ? std::next(it) : pins_.erase(it);
        }
    }
}

} // namespace iommufd::preload
