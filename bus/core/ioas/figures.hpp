// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What an address space tells of itself: what is there, and what it has cost.

#include <cstdint>
#include <vector>

#include "core/ioas/areas.hpp"
#include "core/ioas/dma_table.hpp"
#include "core/ioas/ioas.hpp"

namespace iommufd {

struct AddressSpaceStats : IoasCosts {
    std::uint64_t areas = 0;
    std::uint64_t held_areas = 0; // by queues
    std::uint64_t retired_areas = 0;
    std::uint64_t pages_4k = 0;
    std::uint64_t pages_2m = 0;
    std::uint64_t pages_1g = 0;
    std::uint64_t bytes = 0;       // pinned
    std::uint64_t longest_run = 0; // bytes, contiguous in both addresses
};

struct AreaInfo {
    Va va;
    std::uint64_t length;
    std::uint64_t page_size;
    unsigned int queues; // that hold it
    unsigned int pools;
    bool retired;
    bool from_file;
};

// Looks every page up.
AddressSpaceStats figures_of(const Areas &areas, const DmaTable &table, const Ioas &ioas);
std::vector<AreaInfo> list_of(const Areas &areas);

} // namespace iommufd
