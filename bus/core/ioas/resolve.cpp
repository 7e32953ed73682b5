// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/resolve.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <span>

#include "core/ioas/messages.hpp"

namespace iommufd {
namespace {

Result<void> enter(DmaTable &table, Va va, std::uint64_t pa, std::uint64_t length) {
    if (!table.insert(va, Dma{pa}, length))
        return failure(-ENOMEM, range_text("table entry", va, length));
    return {};
}

// IOVAs run as a file does, virtual addresses as its pages are shown.
Va iova_of(const Area &area, Va va, std::uint64_t offset) {
    return area.page_order.empty() ? va + offset
                                   : va + area.page_order[offset / area.page_size] * area.page_size;
}

// Whether a batch of questions has found a run that is longer than what it can ask about page by
// page: then one question tells more.
bool is_long_run(std::span<const PaQuery> queries, std::size_t batch) {
    std::uint64_t length = 0;
    for (const PaQuery &query : queries) {
        if (query.pa != queries.front().pa + length)
            return false;
        length += query.run;
    }
    return length >= batch * page_4k;
}

// The kernel walks 4 KiB at a time, so inside a hugepage one byte is asked for. Of 4 KiB pages it
// is not known whether they are neighbours: one question about all that is left, as long as the
// runs are long; where they are short and each question is a message, about as many pages as fit
// into one.
Result<void> resolve_from(Ioas &ioas, DmaTable &table, Va va, const Area &area,
                          std::uint64_t *done) {
    std::array<PaQuery, 256> room; // nothing here may throw half-way
    const std::size_t batch = std::min(ioas.pa_batch(), room.size());
    const bool is_huge = area.page_size != page_4k;
    bool by_page = is_huge;
    while (*done < area.length) {
        const std::uint64_t left = area.length - *done;
        const std::uint64_t count =
            by_page ? std::min<std::uint64_t>(batch, left / area.page_size) : 1;
        const std::uint64_t limit = is_huge ? 1 : by_page ? page_4k : left;
        const std::span queries(room.data(), count);
        for (std::uint64_t i = 0; i < count; ++i)
            queries[i] = {.iova = raw(iova_of(area, va, *done + i * area.page_size)),
                          .limit = limit};
        TRY(ioas.get_pa(queries, area.page_size));
        for (const PaQuery &query : queries) {
            TRY(enter(table, va + *done, query.pa, query.run));
            *done += query.run;
        }
        by_page = is_huge || (batch > 1 && !is_long_run(queries, batch));
    }
    return {};
}

} // namespace

Result<void> resolve(Ioas &ioas, DmaTable &table, Va va, const Area &area) {
    const Stopwatch time = ioas.time_of_get_pa();
    std::uint64_t done = 0;
    auto ok = resolve_from(ioas, table, va, area, &done);
    if (!ok)
        table.erase(va, done);
    return ok;
}

Result<std::vector<std::uint32_t>> physical_order(Ioas &ioas, Va va, std::uint64_t length,
                                                  std::uint64_t page_size) {
    const Stopwatch time = ioas.time_of_get_pa();
    std::vector<PaQuery> frames(length / page_size);
    for (std::size_t i = 0; i < frames.size(); ++i)
        frames[i] = {.iova = raw(va + i * page_size), .limit = 1};
    TRY(ioas.get_pa(frames, page_size));
    std::vector<std::uint32_t> order(frames.size());
    std::iota(order.begin(), order.end(), 0U);
    std::sort(order.begin(), order.end(),
              [&](auto a, auto b) { return frames[a].pa < frames[b].pa; });
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
