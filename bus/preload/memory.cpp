// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/memory.hpp"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <string>
#include <utility>

#include "preload/eal_api.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

// Memory that EAL keeps as a whole: an external heap, or 4 KiB pages (--no-huge).
bool is_whole(const rte_memseg_list *msl) {
    return msl->external != 0 || msl->page_sz < page_2m;
}

// Only registered with rte_extmem_register(), not a heap: rte_dev_dma_map() says whether devices
// may reach it.
bool is_foreign(const rte_memseg_list *msl) {
    return msl->external != 0 && msl->heap == 0;
}

std::string hex(std::uint64_t value) {
    char text[24];
    (void)std::snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return text;
}

} // namespace

// A walk of EAL's memory: first pin, then compare.
struct MemoryWalk {
    Memory &memory;
    bool pin;
    Result<void> result;

    static int segment(const rte_memseg_list *msl, const rte_memseg *ms, void *arg) {
        auto &walk = *static_cast<MemoryWalk *>(arg);
        return guarded(-1, [&] {
            if (is_foreign(msl))
                return 0;
            if (!walk.pin)
                walk.result = walk.memory.compare(const_cast<rte_memseg *>(ms), false);
            else if (!is_whole(msl))
                walk.result = walk.memory.keep(msl, va_of(ms->addr), ms->len, msl->page_sz);
            return walk.result ? 0 : -1;
        });
    }

    static int list(const rte_memseg_list *msl, void *arg) {
        auto &walk = *static_cast<MemoryWalk *>(arg);
        return guarded(-1, [&] {
            if (is_foreign(msl) || !is_whole(msl) || msl->memseg_arr.count == 0)
                return 0;
            walk.result = walk.memory.keep(msl, va_of(msl->base_va), msl->len, msl->len);
            return walk.result ? 0 : -1;
        });
    }
};

void Memory::attached() {
    const std::lock_guard lock(mutex_);
    pages_.use(space_.iommufd(), space_.ioas(), 0);
}

// Pin [va, va + length) in units, but for what is pinned already; none is pending afterwards.
Result<void> Memory::keep(const rte_memseg_list *msl, Va va, std::uint64_t length,
                          std::uint64_t unit) {
    const std::uint64_t page = is_whole(msl) ? page_4k : msl->page_sz;
    for (std::uint64_t done = 0; done < length; done += unit) {
        if (auto found = pending_.find(raw(va + done)); found != pending_.end()) {
            pending_.erase(found);
            pending_count_ = pending_.size();
        } else if (!table_.lookup(va + done)) {
            if (auto ok = space_.map(va + done, unit, page); !ok)
                return ok;
        }
    }
    return {};
}

// What EAL says of a segment with what the kernel says of the pinned page. repair: nobody has been
// given the segment's memory yet, so EAL is told the truth.
Result<void> Memory::compare(rte_memseg *ms, bool repair) {
    const auto dma = table_.lookup(va_of(ms->addr));
    if (dma && raw(*dma) == ms->iova)
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

void Memory::drop_pending() {
    for (const auto &[start, length] : pending_)
        if (auto ok = space_.unmap(Va{start}, length); !ok)
            (void)log_error("a page that EAL has given up", ok.error());
    pending_.clear();
    pending_count_ = 0;
}

Result<void> Memory::start() {
    const std::lock_guard lock(mutex_);
    if (started_)
        return {};
    MemoryWalk walk{.memory = *this, .pin = true, .result = {}};
    int ret = eal_.rte_memseg_list_walk_thread_unsafe(MemoryWalk::list, &walk);
    if (ret == 0)
        ret = eal_.rte_memseg_walk_thread_unsafe(MemoryWalk::segment, &walk);
    walk.pin = false;
    if (ret == 0)
        ret = eal_.rte_memseg_walk_thread_unsafe(MemoryWalk::segment, &walk);
    if (ret < 0)
        return walk.result ? failure(-ENOMEM, "walk of EAL's memory") : walk.result;
    // Of pages that EAL has looked at and not kept, and of the first places of --legacy-mem.
    drop_pending();
    pages_.sweep();
    started_ = true;
    log(RTE_LOG_INFO, "%" PRIu64 " MiB pinned and compared in %zu areas",
        space_.bytes_mapped() >> 20, space_.areas());
    return {};
}

void Memory::stop() {
    const std::lock_guard lock(mutex_);
    if (auto ok = space_.unmap_all(); !ok)
        (void)log_error("unmapping", ok.error());
    pages_.release_all();
    pending_.clear();
    pending_count_ = 0;
    external_.clear();
    started_ = false;
}

Result<std::uint64_t> Memory::physical(const void *address) {
    const Va va = va_of(address);
    if (pending_count_.load(std::memory_order_acquire) == 0)
        if (const auto dma = table_.lookup(va))
            return raw(*dma);

    const std::lock_guard lock(mutex_);
    if (std::exchange(is_first_, false) && !has_memory())
        return pages_.probe(va);
    const rte_memseg_list *msl = eal_.rte_mem_virt2memseg_list(address);
    const bool is_hugepage = msl != nullptr && !is_whole(msl);
    const Va page = Va{raw(va) & ~((is_hugepage ? msl->page_sz : page_4k) - 1)};
    if (auto pending = pending_.find(raw(page)); is_hugepage && pending != pending_.end()) {
        // EAL has not kept it, so no device has its address: it may be another page by now.
        if (auto ok = space_.unmap(page, pending->second); !ok)
            return tl::make_unexpected(ok.error());
        pending_.erase(pending);
        pending_count_ = pending_.size();
    }
    if (const auto dma = table_.lookup(va))
        return raw(*dma);
    if (!is_hugepage)
        return pages_.pin(va);
    if (auto ok = space_.map(page, msl->page_sz, msl->page_sz); !ok)
        return tl::make_unexpected(ok.error());
    pending_.emplace(raw(page), msl->page_sz);
    pending_count_ = pending_.size();
    const auto dma = table_.lookup(va);
    if (!dma)
        return failure(-EIO, "lookup of " + hex(raw(va)));
    return raw(*dma);
}

bool Memory::has_memory() const {
    const auto found = [](const rte_memseg_list * /*msl*/, void * /*arg*/) { return 1; };
    return eal_.rte_memseg_list_walk_thread_unsafe(found, nullptr) != 0;
}

void Memory::added(Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    if (!space_.is_open())
        return;
    void *address = reinterpret_cast<void *>(raw(va));
    const rte_memseg_list *msl = eal_.rte_mem_virt2memseg_list(address);
    if (msl == nullptr || is_foreign(msl))
        return;
    auto ok = keep(msl, va, length, is_whole(msl) ? length : msl->page_sz);
    // The application has named the addresses of its own heap: those are not ours to change.
    const bool repair = msl->external == 0;
    for (std::uint64_t done = 0; done < length && ok; done += msl->page_sz) {
        void *at = reinterpret_cast<void *>(raw(va + done));
        if (auto *ms = eal_.rte_mem_virt2memseg(at, msl); ms != nullptr)
            ok = compare(ms, repair);
    }
    if (!ok)
        (void)log_error("memory that was added is out of reach for devices", ok.error());
    drop_pending();
}

void Memory::freed(Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    pages_.release(va, length);
    const rte_memseg_list *msl = eal_.rte_mem_virt2memseg_list(reinterpret_cast<void *>(raw(va)));
    if (!space_.is_open() || msl == nullptr || is_foreign(msl))
        return;
    const std::uint64_t unit = is_whole(msl) ? length : msl->page_sz;
    for (std::uint64_t done = 0; done < length; done += unit) {
        pending_.erase(raw(va + done));
        if (!table_.lookup(va + done))
            continue;
        if (auto ok = space_.unmap(va + done, unit); !ok)
            (void)log_error("memory that EAL frees", ok.error());
    }
    pending_count_ = pending_.size();
}

Result<void> Memory::map_external(Va va, std::uint64_t iova, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    auto found = external_.find(raw(va));
    if (found != external_.end() && found->second.length == length) {
        ++found->second.users;
        return {};
    }
    if (auto ok = space_.map(va, length, page_4k); !ok)
        return ok;
    const auto dma = table_.lookup(va);
    if (iova != 0 && dma && raw(*dma) != iova) {
        (void)space_.unmap(va, length);
        return failure(-EINVAL, "rte_dev_dma_map at " + hex(raw(va)),
                       "its IOVA is given as " + hex(iova) + " and is " + hex(raw(*dma)) +
                           ": without an IOMMU an IOVA is what rte_mem_virt2iova() says");
    }
    external_.emplace(raw(va), External{length, 1});
    return {};
}

Result<void> Memory::unmap_external(Va va, std::uint64_t length) {
    const std::lock_guard lock(mutex_);
    auto found = external_.find(raw(va));
    if (found == external_.end() || found->second.length != length)
        return failure(-ENOENT, "rte_dev_dma_unmap at " + hex(raw(va)),
                       "there is no such range; it is unmapped as it was mapped");
    if (--found->second.users > 0)
        return {};
    external_.erase(found);
    return space_.unmap(va, length);
}

Memory::Census Memory::census() {
    const std::lock_guard lock(mutex_);
    return {space_.bytes_mapped(), space_.areas(), pages_.count(), external_.size()};
}

} // namespace iommufd::preload
