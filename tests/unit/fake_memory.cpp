// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "fake_memory.hpp"

#include <algorithm>
#include <iterator>

namespace iommufd::test {

void FakeMemory::remove(Va va, std::uint64_t length) {
    const std::uint64_t start = raw(va);
    const std::uint64_t end = start + length;
    auto it = runs_.upper_bound(start);
    if (it != runs_.begin())
        --it;
    while (it != runs_.end() && it->first < end) {
        const auto [run_start, run] = *it;
        const std::uint64_t run_end = run_start + run.length;
        if (run_end <= start) {
            ++it;
            continue;
        }
        it = runs_.erase(it);
        if (run_start < start)
            runs_.insert({run_start, Run{start - run_start, run.pa}});
        if (run_end > end)
            runs_.insert({end, Run{run_end - end, run.pa + (end - run_start)}});
    }
}

void FakeMemory::back(Va va, std::uint64_t length, std::uint64_t pa) {
    remove(va, length);
    runs_.insert({raw(va), Run{length, pa}});
}

void FakeMemory::back_scattered(Va va, std::uint64_t length, std::uint64_t page) {
    for (std::uint64_t done = 0; done < length; done += page) {
        next_frame_ = (next_frame_ - page) & ~(page - 1);
        back(va + done, page, next_frame_);
    }
}

std::optional<FakeMemory::Piece> FakeMemory::piece(std::uint64_t va) const {
    const auto next = runs_.upper_bound(va);
    if (next != runs_.begin()) {
        const auto &[start, run] = *std::prev(next);
        if (va < start + run.length)
            return Piece{start + run.length - va, run.pa + (va - start)};
    }
    if (default_page_ == 0)
        return std::nullopt;
    // Descending, so that no two pages are neighbours.
    const std::uint64_t offset = va & (default_page_ - 1);
    return Piece{default_page_ - offset, (1ULL << 50) - (va - offset) + offset};
}

std::optional<std::uint64_t> FakeMemory::pa(std::uint64_t va) const {
    const auto found = piece(va);
    return found ? std::optional(found->pa) : std::nullopt;
}

bool FakeMemory::is_backed(std::uint64_t va, std::uint64_t length) const {
    for (std::uint64_t done = 0; done < length;) {
        const auto found = piece(va + done);
        if (!found)
            return false;
        done += found->length;
    }
    return true;
}

std::uint64_t FakeMemory::contiguous(std::uint64_t va, std::uint64_t limit) const {
    std::uint64_t run = 0;
    std::uint64_t first = 0;
    while (run < limit) {
        const auto found = piece(va + run);
        if (!found || (run != 0 && found->pa != first + run))
            break;
        if (run == 0)
            first = found->pa;
        run += found->length;
    }
    return std::min(run, limit);
}

} // namespace iommufd::test
