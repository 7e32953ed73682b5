// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/arena.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <sstream>
#include <system_error>
#include <thread>

#include "core/ioas/range_text.hpp"

namespace iommufd {
namespace {

std::string page_text(std::uint64_t page) {
    return page == page_1g ? "1 GiB" : "2 MiB";
}

std::string where(int node) {
    return node < 0 ? "" : " on NUMA node " + std::to_string(node);
}

std::string object(std::uint64_t length) {
    return "arena of " + mebibytes(length);
}

std::uint64_t round_up(std::uint64_t value, std::uint64_t power_of_two) {
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

// Sizes to try, the best first.
std::vector<std::uint64_t> candidates(const ArenaRequest &request,
                                      const std::vector<std::uint64_t> &known) {
    std::vector<std::uint64_t> sizes;
    for (const std::uint64_t page : {page_1g, page_2m}) {
        const bool wanted = request.page == page ||
                            (request.page == 0 && is_aligned(request.length, page)) ||
                            (request.page == 0 && page == page_2m);
        if (wanted && std::find(known.begin(), known.end(), page) != known.end())
            sizes.push_back(page);
    }
    return sizes;
}

std::string pool_remedy(Hugepages &hugepages, const ArenaRequest &request) {
    const std::uint64_t page = request.page == 0 ? page_2m : request.page;
    const std::uint64_t needed = round_up(request.length, page) / page;
    std::ostringstream text;
    text << "not enough free hugepages" << where(request.node) << ": ";
    for (const std::uint64_t size : hugepages.sizes())
        if (size == page_2m || size == page_1g)
            text << hugepages.free_pages(size, request.node) << " of " << page_text(size) << ", ";
    text << "where " << needed << " of " << page_text(page) << " are needed; raise ";
    if (request.node < 0)
        text << "/sys/kernel/mm";
    else
        text << "/sys/devices/system/node/node" << request.node;
    text << "/hugepages/hugepages-" << (page >> 10) << "kB/nr_hugepages";
    return text.str();
}

} // namespace

Result<std::unique_ptr<Arena>> Arena::create(Kernel &kernel, Hugepages &hugepages,
                                             AddressSpace &space, const ArenaRequest &request) {
    if (request.length == 0 || request.length > 1ULL << (va_bits - 1))
        return failure(-EINVAL, object(request.length), "the size must be above 0 and below 2^46");
    if (request.page != 0 && request.page != page_2m && request.page != page_1g)
        return failure(-EINVAL, object(request.length), "hugepages are of 2 MiB or 1 GiB");
    if (!space.is_open())
        return failure(-ENODEV, object(request.length),
                       "no device on the iommufd bus has been probed");
    const auto sizes = candidates(request, hugepages.sizes());
    if (sizes.empty())
        return failure(
            -ENOENT, object(request.length),
            "the kernel has no hugepages of that size (hugepagesz= on its command line)");
    Result<void> failed;
    for (const std::uint64_t page : sizes) {
        const std::uint64_t length = round_up(request.length, page);
        // Asked before anything is zeroed; without a size of its own the next one is tried.
        if (hugepages.free_pages(page, request.node) < length / page && page != sizes.back())
            continue;
        std::unique_ptr<Arena> arena(new Arena(kernel, hugepages, space));
        failed = arena->take(length, page, request.node, request.threads);
        if (failed)
            return arena;
        arena.reset(); // what it had taken is free again, and is told as such
        const int code = failed.error().code;
        if (failed.error().remedy.empty() && (code == ENOMEM || code == EFAULT))
            failed.error().remedy = pool_remedy(hugepages, request);
    }
    return tl::make_unexpected(failed.error());
}

Arena::~Arena() {
    if (pinned_)
        (void)space_.retire(start(), length_);
    if (addr_ != nullptr)
        (void)kernel_.munmap(addr_, length_);
}

Result<void> Arena::take(std::uint64_t length, std::uint64_t page, int node, unsigned int threads) {
    page_ = page;
    node_ = node;
    int ret = hugepages_.open(page);
    if (ret < 0)
        return failure(ret, "file of hugepages of " + page_text(page));
    file_ = Fd(kernel_, ret);
    ret = hugepages_.truncate(file_.get(), length);
    if (ret < 0)
        return failure(ret, "ftruncate for the " + object(length));
    void *addr = nullptr;
    ret = kernel_.mmap(length, file_.get(), 0, &addr);
    if (ret < 0)
        return failure(ret, "mmap of the " + object(length));
    addr_ = addr;
    length_ = length;
    if (node >= 0) {
        ret = hugepages_.bind(addr_, length_, node);
        if (ret < 0)
            return failure(ret, "mbind of the " + object(length) + where(node),
                           "is there such a node? (numactl --hardware)");
    }
    if (auto ok = populate(threads); !ok)
        return ok;
    if (auto ok = pin(); !ok)
        return ok;
    return show_sorted();
}

// Zeroing is what a hugepage costs; the kernel does it in the thread that faults.
Result<void> Arena::populate(unsigned int threads) {
    const std::uint64_t pages = length_ / page_;
    if (threads == 0)
        threads = hugepages_.cpus();
    threads = static_cast<unsigned int>(
        std::clamp<std::uint64_t>(threads, 1, std::min<std::uint64_t>(pages, 64)));
    std::atomic<std::uint64_t> next{0};
    std::atomic<int> error{0};
    const auto work = [&] {
        for (std::uint64_t i = next++; i < pages && error == 0; i = next++) {
            const int ret = hugepages_.populate(static_cast<char *>(addr_) + i * page_, page_);
            int none = 0;
            if (ret < 0)
                error.compare_exchange_strong(none, ret);
        }
    };
    std::vector<std::thread> helpers;
    try {
        for (unsigned int i = 1; i < threads; ++i)
            helpers.emplace_back([&] {
                hugepages_.use_all_cpus();
                work();
            });
    } catch (const std::system_error &) {
        // Fewer threads do it too.
    } catch (const std::bad_alloc &) {
    }
    work();
    for (std::thread &helper : helpers)
        helper.join();
    if (error < 0)
        return failure(error, "faulting in the " + object(length_));
    return {};
}

Result<void> Arena::pin() {
    auto ok = space_.map_file(start(), length_, page_, file_.get(), &order_);
    pinned_ = ok.has_value();
    return ok;
}

Result<void> Arena::unpin() {
    if (allocations() != 0)
        return failure(-EBUSY, object(length_),
                       std::to_string(allocations()) + " pieces of it are in use; free the pools "
                                                       "that were made from it first");
    if (!pinned_)
        return {};
    if (auto ok = space_.unmap(start(), length_); !ok && space_.is_open())
        return ok;
    pinned_ = false;
    return {};
}

Result<void> Arena::show_sorted() {
    const std::size_t count = order_.size();
    for (std::size_t i = 0; i < count;) {
        std::size_t end = i + 1;
        while (end < count && order_[end] == order_[end - 1] + 1)
            ++end;
        char *const at = static_cast<char *>(addr_) + i * page_;
        const int ret = hugepages_.map_over(at, (end - i) * page_, file_.get(), order_[i] * page_);
        if (ret < 0)
            return failure(ret, range_text("mmap in physical order", va_of(at), (end - i) * page_));
        i = end;
    }
    // The pages are there; only their entries in the page table are not.
    const int ret = hugepages_.populate(addr_, length_);
    if (ret < 0)
        return failure(ret, "faulting in the " + object(length_));
    return {};
}

void *Arena::allocate(std::uint64_t length, std::uint64_t alignment) {
    if (length == 0 || length > length_ || alignment == 0 || !std::has_single_bit(alignment))
        return nullptr;
    const std::lock_guard lock(mutex_);
    const std::uint64_t base = raw(start());
    std::uint64_t at = round_up(base, alignment) - base;
    for (auto next = used_.begin();; ++next) {
        const std::uint64_t end = next == used_.end() ? length_ : next->first;
        if (at <= end && length <= end - at) {
            used_.emplace(at, length);
            return static_cast<char *>(addr_) + at;
        }
        if (next == used_.end())
            return nullptr;
        at = round_up(base + next->first + next->second, alignment) - base;
    }
}

bool Arena::free(void *memory) {
    const std::lock_guard lock(mutex_);
    return used_.erase(raw(va_of(memory)) - raw(start())) != 0;
}

std::uint64_t Arena::free_bytes() const {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = length_;
    for (const auto &[offset, length] : used_)
        bytes -= length;
    return bytes;
}

std::size_t Arena::allocations() const {
    const std::lock_guard lock(mutex_);
    return used_.size();
}

} // namespace iommufd
