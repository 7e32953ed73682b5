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

#include "core/ioas/messages.hpp"

namespace iommufd {
namespace {

std::string page_text(std::uint64_t page_size) {
    return page_size == page_1g ? "1 GiB" : "2 MiB";
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
    for (const std::uint64_t page_size : {page_1g, page_2m}) {
        const bool wanted = request.page_size == page_size ||
                            (request.page_size == 0 && is_aligned(request.length, page_size)) ||
                            (request.page_size == 0 && page_size == page_2m);
        if (wanted && std::find(known.begin(), known.end(), page_size) != known.end())
            sizes.push_back(page_size);
    }
    return sizes;
}

std::string pool_remedy(Hugepages &hugepages, const ArenaRequest &request) {
    const std::uint64_t page_size = request.page_size == 0 ? page_2m : request.page_size;
    const std::uint64_t needed = round_up(request.length, page_size) / page_size;
    std::ostringstream text;
    text << "not enough free hugepages" << where(request.node) << ": ";
    for (const std::uint64_t size : hugepages.sizes())
        if (size == page_2m || size == page_1g)
            text << hugepages.free_pages(size, request.node) << " of " << page_text(size) << ", ";
    text << "where " << needed << " of " << page_text(page_size) << " are needed; raise ";
    if (request.node < 0)
        text << "/sys/kernel/mm";
    else
        text << "/sys/devices/system/node/node" << request.node;
    text << "/hugepages/hugepages-" << (page_size >> 10) << "kB/nr_hugepages";
    return text.str();
}

} // namespace

Result<std::unique_ptr<Arena>> Arena::create(Kernel &kernel, Hugepages &hugepages,
                                             AddressSpace &space, const ArenaRequest &request) {
    if (request.length == 0 || request.length > 1ULL << (va_bits - 1))
        return failure(-EINVAL, object(request.length), "the size must be above 0 and below 2^46");
    if (request.page_size != 0 && request.page_size != page_2m && request.page_size != page_1g)
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
    for (const std::uint64_t page_size : sizes) {
        const std::uint64_t length = round_up(request.length, page_size);
        // Asked before anything is zeroed; without a size of its own the next one is tried.
        if (hugepages.free_pages(page_size, request.node) < length / page_size &&
            page_size != sizes.back())
            continue;
        std::unique_ptr<Arena> arena(new Arena(kernel, hugepages, space));
        failed = arena->take(length, page_size, request.node, request.threads);
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
        (void)space_.retire(start(), length());
}

Result<void> Arena::take(std::uint64_t length, std::uint64_t page_size, int node,
                         unsigned int threads) {
    page_size_ = page_size;
    node_ = node;
    int ret = hugepages_.open(page_size);
    if (ret < 0)
        return failure(ret, "file of hugepages of " + page_text(page_size));
    file_ = Fd(kernel_, ret);
    ret = hugepages_.truncate(file_.get(), length);
    if (ret < 0)
        return failure(ret, "ftruncate for the " + object(length));
    mapping_ = TRY(Mapping::create(kernel_, length, file_.get(), 0, "of the " + object(length)));
    if (node >= 0) {
        ret = hugepages_.bind(mapping_.addr(), length, node);
        if (ret < 0)
            return failure(ret, "mbind of the " + object(length) + where(node),
                           "is there such a node? (numactl --hardware)");
    }
    TRY(populate(threads));
    TRY(pin());
    return remap_in_physical_order();
}

// Zeroing is what a hugepage costs; the kernel does it in the thread that faults.
Result<void> Arena::populate(unsigned int threads) {
    const std::uint64_t pages = length() / page_size_;
    char *const first = static_cast<char *>(mapping_.addr());
    if (threads == 0)
        threads = hugepages_.cpus();
    threads = static_cast<unsigned int>(
        std::clamp<std::uint64_t>(threads, 1, std::min<std::uint64_t>(pages, 64)));
    std::atomic<std::uint64_t> next{0};
    std::atomic<int> error{0};
    const auto work = [&] {
        for (std::uint64_t i = next++; i < pages && error == 0; i = next++) {
            const int ret = hugepages_.populate(first + i * page_size_, page_size_);
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
        return failure(error, "faulting in the " + object(length()));
    return {};
}

Result<void> Arena::pin() {
    auto ok = space_.map_file(start(), length(), page_size_, file_.get(), &page_order_);
    pinned_ = ok.has_value();
    return ok;
}

Result<void> Arena::unpin() {
    if (allocations() != 0)
        return failure(-EBUSY, object(length()),
                       std::to_string(allocations()) +
                           " allocations of it are in use; free the pools "
                           "that were made from it first");
    if (!pinned_)
        return {};
    if (auto ok = space_.unmap(start(), length()); !ok && space_.is_open())
        return ok;
    pinned_ = false;
    return {};
}

Result<void> Arena::remap_in_physical_order() {
    const std::size_t count = page_order_.size();
    for (std::size_t i = 0; i < count;) {
        std::size_t end = i + 1;
        while (end < count && page_order_[end] == page_order_[end - 1] + 1)
            ++end;
        char *const at = static_cast<char *>(mapping_.addr()) + i * page_size_;
        const int ret = hugepages_.map_over(at, (end - i) * page_size_, file_.get(),
                                            page_order_[i] * page_size_);
        if (ret < 0)
            return failure(ret,
                           range_text("mmap in physical order", va_of(at), (end - i) * page_size_));
        i = end;
    }
    // The pages are there; only their entries in the page table are not.
    const int ret = hugepages_.populate(mapping_.addr(), length());
    if (ret < 0)
        return failure(ret, "faulting in the " + object(length()));
    return {};
}

void *Arena::allocate(std::uint64_t length, std::uint64_t alignment) {
    if (length == 0 || length > this->length() || alignment == 0 || !std::has_single_bit(alignment))
        return nullptr;
    const LockGuard lock(mutex_);
    const std::uint64_t base = raw(start());
    std::uint64_t at = round_up(base, alignment) - base;
    for (auto next = used_.begin();; ++next) {
        const std::uint64_t end = next == used_.end() ? this->length() : next->first;
        if (at <= end && length <= end - at) {
            used_.emplace(at, length);
            return static_cast<char *>(mapping_.addr()) + at;
        }
        if (next == used_.end())
            return nullptr;
        at = round_up(base + next->first + next->second, alignment) - base;
    }
}

bool Arena::free(void *memory) {
    const LockGuard lock(mutex_);
    return used_.erase(raw(va_of(memory)) - raw(start())) != 0;
}

std::uint64_t Arena::free_bytes() const {
    const LockGuard lock(mutex_);
    std::uint64_t bytes = mapping_.length();
    for (const auto &[offset, length] : used_)
        bytes -= length;
    return bytes;
}

std::size_t Arena::allocations() const {
    const LockGuard lock(mutex_);
    return used_.size();
}

} // namespace iommufd
