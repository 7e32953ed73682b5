// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Which of EAL's memory becomes which areas:
//
//     hugepages                      one area for each, as EAL frees them one by one
//     4 KiB pages (--no-huge)        one area for the list, which EAL never frees
//     external heap                  one area for the list, which goes as a whole
//     rte_extmem_register() alone    none: rte_dev_dma_map() says whether devices may reach it

#include <cstdint>

#include <rte_memory.h>

#include "core/ioas/address.hpp"

namespace iommufd {

// Whether a list, or what an event names of one, is one area.
inline bool is_one_area(const rte_memseg_list *msl) {
    return msl->external != 0 || msl->page_sz < page_2m;
}

// Whether the application has only registered it. While a heap is being made of external memory
// msl->heap is not set yet (DPDK 22.11.11, rte_malloc_heap_memory_add()); but what comes with an
// event is a heap's, as rte_extmem_register() sends none.
inline bool is_only_registered(const rte_memseg_list *msl) {
    return msl->external != 0 && msl->heap == 0;
}

// Of the pages that an area is made of. What an application says of its external memory is not
// believed, so there the kernel is asked for every 4 KiB.
inline std::uint64_t page_size_of(const rte_memseg_list *msl) {
    return is_one_area(msl) ? page_4k : msl->page_sz;
}

// The length of each area that length bytes of a list become.
inline std::uint64_t area_length(const rte_memseg_list *msl, std::uint64_t length) {
    return is_one_area(msl) ? length : msl->page_sz;
}

} // namespace iommufd
