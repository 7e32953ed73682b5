// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/resolve.hpp"

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "core/ioas/messages.hpp"

namespace iommufd {
namespace {

Result<void> enter(DmaTable &table, Va va, std::uint64_t pa, std::uint64_t length) {
    if (!table.insert(va, Dma{pa}, length))
        return failure(-ENOMEM, range_text("table entry", va, length));
    return {};
}

// One page or run, seen at iova, into the table at va. Its length.
Result<std::uint64_t> resolve_one(Ioas &ioas, DmaTable &table, Va iova, Va va,
                                  std::uint64_t page_size, std::uint64_t limit) {
    // The kernel walks 4 KiB at a time, so inside a hugepage one byte is asked for.
    std::uint64_t run = page_size == page_4k ? limit : 1;
    const std::uint64_t pa = TRY(ioas.get_pa(iova, page_size, &run));
    TRY(enter(table, va, pa, run));
    return run;
}

} // namespace

// IOVAs run as a file does, virtual addresses as its pages are shown.
Result<void> resolve(Ioas &ioas, DmaTable &table, Va va, const Area &area) {
    const Stopwatch time = ioas.time_of_get_pa();
    for (std::uint64_t done = 0; done < area.length;) {
        const Va iova = area.page_order.empty()
                            ? va + done
                            : va + area.page_order[done / area.page_size] * area.page_size;
        const auto run =
            resolve_one(ioas, table, iova, va + done, area.page_size, area.length - done);
        if (!run) {
            table.erase(va, done);
            return tl::make_unexpected(run.error());
        }
        done += *run;
    }
    return {};
}

Result<std::vector<std::uint32_t>> physical_order(Ioas &ioas, Va va, std::uint64_t length,
                                                  std::uint64_t page_size) {
    const Stopwatch time = ioas.time_of_get_pa();
    std::vector<std::uint64_t> frames(length / page_size);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        std::uint64_t run = 1;
        frames[i] = TRY(ioas.get_pa(va + i * page_size, page_size, &run));
    }
    std::vector<std::uint32_t> order(frames.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return frames[a] < frames[b]; });
    return order;
}

std::vector<Run> runs_of(const DmaTable &table, Va va, const Area &area) {
    std::vector<Run> runs;
    for (std::uint64_t done = 0; done < area.length; done += area.page_size) {
        const auto dma = table.lookup(va + done);
        if (!dma)
            continue;
        if (!runs.empty() && runs.back().dma.start + runs.back().dma.length == *dma &&
            runs.back().va + runs.back().dma.length == va + done)
            runs.back().dma.length += area.page_size;
        else
            runs.push_back({.va = va + done, .dma = {.start = *dma, .length = area.page_size}});
    }
    return runs;
}

std::vector<DmaRange> dma_ranges(const std::vector<Run> &runs) {
    std::vector<DmaRange> ranges;
    ranges.reserve(runs.size());
    for (const Run &run : runs)
        ranges.push_back(run.dma);
    return ranges;
}

void reenter(DmaTable &table, const std::vector<Run> &runs) {
    for (const Run &run : runs)
        (void)table.insert(run.va, run.dma.start, run.dma.length);
}

} // namespace iommufd
