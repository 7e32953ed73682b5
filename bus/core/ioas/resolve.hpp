// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// From pinned areas to entries of the table: IOMMU_IOAS_NOIOMMU_GET_PA once per hugepage, and per
// contiguous run where nothing is known of the pages.

#include <cstdint>
#include <vector>

#include "core/ioas/areas.hpp"
#include "core/ioas/dma_table.hpp"
#include "core/ioas/ioas.hpp"

namespace iommufd {

// Enter a pinned area. On error the table has nothing of it.
Result<void> resolve(Ioas &ioas, DmaTable &table, Va va, const Area &area);

// The pages of a pinned file, the one at the lowest physical address first.
Result<std::vector<std::uint32_t>> physical_order(Ioas &ioas, Va va, std::uint64_t length,
                                                  std::uint64_t page_size);

// A part of an area that is contiguous in both addresses.
struct Run {
    Va va;
    DmaRange dma;
};

// What the table has of an area, in order.
std::vector<Run> runs_of(const DmaTable &table, Va va, const Area &area);
std::vector<DmaRange> dma_ranges(const std::vector<Run> &runs);

// Put back what has just been erased; its directories are there, so that it needs no memory.
void reenter(DmaTable &table, const std::vector<Run> &runs);

} // namespace iommufd
