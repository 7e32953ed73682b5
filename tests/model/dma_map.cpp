// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "dma_map.hpp"

#include <algorithm>

namespace model {

void DmaMap::map(std::uint64_t dma, void *va, std::size_t length) {
    ranges_[dma] = {static_cast<char *>(va), length};
}

void DmaMap::unmap(std::uint64_t dma) {
    ranges_.erase(dma);
}

void *DmaMap::translate(std::uint64_t dma, std::size_t length) const {
    auto it = ranges_.upper_bound(dma);

    if (it == ranges_.begin())
        return nullptr;
    --it;
    const std::uint64_t offset = dma - it->first;
    if (offset >= it->second.length || length > it->second.length - offset)
        return nullptr;
    return it->second.va + offset;
}

const std::pair<const std::uint64_t, DmaMap::Range> *DmaMap::find_va(const void *va) const {
    const auto *address = static_cast<const char *>(va);

    for (const auto &entry : ranges_)
        if (address >= entry.second.va && address < entry.second.va + entry.second.length)
            return &entry;
    return nullptr;
}

std::uint64_t DmaMap::dma_of(const void *va) const {
    const auto *entry = find_va(va);

    if (entry == nullptr)
        return ~std::uint64_t{0};
    return entry->first +
           static_cast<std::uint64_t>(static_cast<const char *>(va) - entry->second.va);
}

std::size_t DmaMap::contiguous(const void *va, std::size_t length) const {
    const auto *entry = find_va(va);

    if (entry == nullptr)
        return 0;
    const auto offset = static_cast<std::size_t>(static_cast<const char *>(va) - entry->second.va);
    return std::min(length, entry->second.length - offset);
}

} // namespace model
