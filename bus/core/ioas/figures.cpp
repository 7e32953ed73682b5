// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/figures.hpp"

#include <algorithm>
#include <optional>

namespace iommufd {

AddressSpaceStats figures_of(const Areas &areas, const DmaTable &table, const Ioas &ioas) {
    AddressSpaceStats stats;
    static_cast<IoasCosts &>(stats) = ioas.costs();
    stats.areas = areas.size();
    stats.bytes = ioas.pinned();
    std::uint64_t run = 0;
    std::optional<Dma> next_dma; // of the byte after the run
    Va next_va{};
    for (const auto &[start, area] : areas) {
        const std::uint64_t pages = area.length / area.page_size;
        (area.page_size == page_4k   ? stats.pages_4k
         : area.page_size == page_2m ? stats.pages_2m
                                     : stats.pages_1g) += pages;
        stats.held_areas += area.queues != 0 ? 1 : 0;
        stats.retired_areas += area.retired ? 1 : 0;
        for (std::uint64_t done = 0; done < area.length; done += area.page_size) {
            const Va va = Va{start} + done;
            const auto dma = table.lookup(va);
            run = (dma && dma == next_dma && va == next_va ? run : 0) + (dma ? area.page_size : 0);
            stats.longest_run = std::max(stats.longest_run, run);
            next_dma = dma ? std::optional(*dma + area.page_size) : std::nullopt;
            next_va = va + area.page_size;
        }
    }
    return stats;
}

std::vector<AreaInfo> list_of(const Areas &areas) {
    std::vector<AreaInfo> all;
    all.reserve(areas.size());
    for (const auto &[start, area] : areas)
        all.push_back({.va = Va{start},
                       .length = area.length,
                       .page_size = area.page_size,
                       .queues = area.queues,
                       .pools = area.pools,
                       .retired = area.retired,
                       .from_file = !area.page_order.empty()});
    return all;
}

} // namespace iommufd
