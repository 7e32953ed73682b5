// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/eal_memory/mirror.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <iterator>
#include <string>
#include <utility>

#include "core/eal_memory/memseg.hpp"
#include "core/sys/guarded.hpp"

namespace iommufd {
namespace {

std::string hex(std::uint64_t value) {
    char text[24];
    (void)std::snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return text;
}

void *pointer_to(Va va) {
    return reinterpret_cast<void *>(raw(va));
}

} // namespace

// One walk over EAL's memory, list by list and segment by segment. EAL calls back in C.
struct MemoryMirror::Walk {
    enum class Does : std::uint8_t { add_up, map, compare };

    MemoryMirror &mirror;
    Does does;
    std::uint64_t bytes = 0;
    Result<void> result{};

    // The mutex is held by whoever walks, which clang does not see through EAL.
    Result<void> visit(const rte_memseg_list *msl, Va va,
                       std::uint64_t length) NO_THREAD_SAFETY_ANALYSIS {
        bytes += length;
        return does == Does::map ? mirror.map(msl, va, length) : Result<void>();
    }

    static int keep_error(Walk *walk, Result<void> result) {
        walk->result = std::move(result);
        return walk->result ? 0 : -1;
    }
    template <class F>
    static int guarded(F &&f) {
        return catch_all(f, [](int, const char *) { return -1; });
    }

    static int on_list(const rte_memseg_list *msl, void *arg) {
        auto *walk = static_cast<Walk *>(arg);
        if (is_only_registered(msl) || !is_one_area(msl) || msl->memseg_arr.count == 0)
            return 0;
        return guarded(
            [&] { return keep_error(walk, walk->visit(msl, va_of(msl->base_va), msl->len)); });
    }
    static int on_segment(const rte_memseg_list *msl, const rte_memseg *ms, void *arg) {
        auto *walk = static_cast<Walk *>(arg);
        if (is_only_registered(msl))
            return 0;
        return guarded([&] {
            if (walk->does == Does::compare)
                return keep_error(walk,
                                  walk->mirror.compare(msl, const_cast<rte_memseg *>(ms), false));
            return is_one_area(msl) ? 0
                                    : keep_error(walk, walk->visit(msl, va_of(ms->addr), ms->len));
        });
    }
};

Result<void> MemoryMirror::walk(Walk *walk) {
    int ret = walk->does == Walk::Does::compare ? 0 : eal_.memseg_list_walk(Walk::on_list, walk);
    if (ret == 0)
        ret = eal_.memseg_walk(Walk::on_segment, walk);
    if (ret < 0 && walk->result)
        return failure(-ENOMEM, "walk of EAL's memory");
    return walk->result;
}

void MemoryMirror::set_pending(Mapped *page, bool pending) {
    if (page->pending == pending)
        return;
    page->pending = pending;
    pending ? ++pending_ : --pending_;
}

// What is mapped already, and as it would be, was asked for or found before.
Result<void> MemoryMirror::map(const rte_memseg_list *msl, Va va, std::uint64_t length) {
    const std::uint64_t unit = area_length(msl, length);
    for (std::uint64_t done = 0; done < length; done += unit) {
        const auto [page, is_new] =
            mapped_.try_emplace(raw(va + done), Mapped{.length = unit, .pending = false});
        if (!is_new && page->second.length == unit) {
            set_pending(&page->second, false);
            continue;
        }
        auto ok = space_.map(va + done, unit, page_size_of(msl));
        if (!ok) {
            if (is_new)
                mapped_.erase(page);
            return ok;
        }
        page->second.length = unit;
    }
    return {};
}

// What EAL says of a segment with what the kernel says of the pinned page. repair: nobody has been
// given the segment's memory yet, so EAL is told the truth.
Result<void> MemoryMirror::compare(const rte_memseg_list *msl, rte_memseg *ms, bool repair) const {
    const auto dma = table_.lookup(va_of(ms->addr));
    if (dma && raw(*dma) == ms->iova)
        return {};
    // An application may give EAL memory without a word of where it is: then EAL says so to
    // whoever asks, and gives no device an address in it.
    if (msl->external != 0 && ms->iova == RTE_BAD_IOVA)
        return {};
    // 4 KiB pages (--no-huge) have no physical address in EAL until somebody gives them one.
    if (dma && (repair || ms->iova == RTE_BAD_IOVA)) {
        ms->iova = raw(*dma);
        return {};
    }
    return failure(-EFAULT, "comparing the page at " + hex(raw(va_of(ms->addr))),
                   "DPDK takes it to be at " + hex(ms->iova) + " and it is at " +
                       (dma ? hex(raw(*dma)) : "no known place") +
                       ": it has moved while no device held it; start the application again, with "
                       "the device");
}

Result<void> MemoryMirror::compare_added(const rte_memseg_list *msl, Va va,
                                         std::uint64_t length) const {
    // The application has named the addresses of its own heap: those are not ours to change.
    const bool repair = msl->external == 0;
    for (std::uint64_t done = 0; done < length; done += msl->page_sz)
        if (auto *ms = eal_.virt2memseg(pointer_to(va + done), msl); ms != nullptr)
            TRY(compare(msl, ms, repair));
    return {};
}

// With all that is needed in the message if it is too much.
Result<void> MemoryMirror::map_all() {
    Walk total{.mirror = *this, .does = Walk::Does::add_up};
    TRY(walk(&total));
    Walk mapping{.mirror = *this, .does = Walk::Does::map};
    auto mapped = walk(&mapping);
    if (!mapped && mapped.error().code == ENOMEM)
        if (auto remedy = space_.memlock_remedy(total.bytes); !remedy.empty())
            mapped.error().remedy = std::move(remedy);
    return mapped;
}

Result<void> MemoryMirror::start() {
    const LockGuard lock(mutex_);
    TRY(map_all());
    if (policy_.compares_iova) {
        Walk comparing{.mirror = *this, .does = Walk::Does::compare};
        TRY(walk(&comparing));
    }
    // Pages that EAL has looked at and not kept.
    drop_pending(true);
    return {};
}

void MemoryMirror::clear() {
    const LockGuard lock(mutex_);
    mapped_.clear();
    pending_ = 0;
}

void MemoryMirror::added(Va va, std::uint64_t length) {
    const rte_memseg_list *msl = eal_.virt2memseg_list(pointer_to(va));
    const LockGuard lock(mutex_);
    if (msl == nullptr || !space_.is_open())
        return;
    auto ok = map(msl, va, length);
    if (ok && policy_.compares_iova)
        ok = compare_added(msl, va, length);
    if (!ok)
        report_.failed("memory that EAL added is out of reach for devices", ok.error());
    drop_pending(false);
}

void MemoryMirror::freed(Va va, std::uint64_t length) {
    const rte_memseg_list *msl = eal_.virt2memseg_list(pointer_to(va));
    const LockGuard lock(mutex_);
    if (msl == nullptr)
        return;
    const std::uint64_t unit = area_length(msl, length);
    for (std::uint64_t done = 0; done < length; done += unit) {
        const auto page = mapped_.find(raw(va + done));
        if (page == mapped_.end()) // that it could not be mapped has been said
            continue;
        set_pending(&page->second, false);
        mapped_.erase(page);
        constexpr const char *what = "memory that EAL frees";
        if (auto used = space_.retire(va + done, unit); !used)
            report_.failed(what, used.error());
        else if (*used)
            report_.still_used(what, va + done, unit);
    }
}

MemoryMirror::AllMapped::iterator MemoryMirror::unpin_pending(AllMapped::iterator page) {
    set_pending(&page->second, false);
    if (auto ok = space_.unmap(Va{page->first}, page->second.length); !ok)
        report_.failed("a page that EAL has given up", ok.error());
    return mapped_.erase(page);
}

// alloc_seg() fills in a memseg when it has the page; a rollback clears it (DPDK v22.11 to v25.11,
// lib/eal/linux/eal_memalloc.c, alloc_seg() and free_seg()).
bool MemoryMirror::is_kept(Va va) const {
    const rte_memseg_list *msl = eal_.virt2memseg_list(pointer_to(va));
    const rte_memseg *ms = msl == nullptr ? nullptr : eal_.virt2memseg(pointer_to(va), msl);
    return ms != nullptr && ms->len != 0;
}

void MemoryMirror::drop_pending(bool kept_too) {
    for (auto page = mapped_.begin(); pending_ != 0 && page != mapped_.end();)
        page = page->second.pending && (kept_too || !is_kept(Va{page->first})) ? unpin_pending(page)
                                                                               : std::next(page);
}

std::map<std::uint64_t, std::uint64_t> MemoryMirror::ranges() {
    std::map<std::uint64_t, std::uint64_t> found;
    std::uint64_t *last = nullptr;
    std::uint64_t end = 0;
    const LockGuard lock(mutex_);
    for (const auto &[start, page] : mapped_) {
        if (last == nullptr || start != end)
            last = &found[start];
        *last += page.length;
        end = start + page.length;
    }
    return found;
}

void MemoryMirror::drop_rolled_back() {
    const LockGuard lock(mutex_);
    drop_pending(false);
}

Result<std::optional<Dma>> MemoryMirror::pin_asked(const void *address) {
    const rte_memseg_list *msl = eal_.virt2memseg_list(address);
    if (msl == nullptr || is_one_area(msl))
        return std::nullopt;
    const LockGuard lock(mutex_);
    const Va va = va_of(address);
    const Va start{raw(va) & ~(msl->page_sz - 1)};
    // If EAL has not kept a pending page no device has its address: it may be another by now.
    if (auto old = mapped_.find(raw(start));
        old != mapped_.end() && old->second.pending && !is_kept(start)) {
        TRY(space_.unmap(start, old->second.length));
        set_pending(&old->second, false);
        mapped_.erase(old);
    }
    if (const auto dma = table_.lookup(va))
        return dma;
    const auto page =
        mapped_.try_emplace(raw(start), Mapped{.length = msl->page_sz, .pending = false}).first;
    if (auto ok = space_.map(start, msl->page_sz, msl->page_sz); !ok) {
        mapped_.erase(page);
        return tl::make_unexpected(ok.error());
    }
    set_pending(&page->second, true);
    if (const auto dma = table_.lookup(va))
        return dma;
    return failure(-EIO, "lookup of " + hex(raw(va)));
}

} // namespace iommufd
