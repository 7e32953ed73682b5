// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/dma_table.hpp"

#include <new>

namespace iommufd {
namespace {

// The largest leaf that starts at va -> dma and ends within length.
std::uint64_t leaf_size(Va va, Dma dma, std::uint64_t length) {
    for (const std::uint64_t page : {page_1g, page_2m})
        if (length >= page && is_aligned(raw(va) | raw(dma), page))
            return page;
    return page_4k;
}

} // namespace

// Allocate and link what stands above a leaf of size page at va. Linking an empty directory
// changes no lookup's answer, so it need not be undone.
DmaTable::Directory *DmaTable::make_directory(Va va, std::uint64_t page) {
    const auto link = [](Word word, const Directory *to) {
        if ((word.load(std::memory_order_relaxed) & RTE_IOMMUFD_LEAF) == 0)
            word.store(reinterpret_cast<std::uintptr_t>(to) | RTE_IOMMUFD_DIRECTORY,
                       std::memory_order_release);
    };

    const std::uint64_t gib_index = raw(va) >> 30;
    auto &gib = gibs_[gib_index];
    if (!gib)
        gib.reset(new (std::nothrow) Gib);
    if (!gib)
        return nullptr;
    link(Word(root_[gib_index]), &gib->directory);
    if (page == page_2m)
        return &gib->directory;

    const std::uint64_t index = (raw(va) >> 21) & 511;
    auto &below = gib->below[index];
    if (!below)
        below.reset(new (std::nothrow) Directory);
    if (!below)
        return nullptr;
    link(Word(gib->directory.words[index]), below.get());
    return below.get();
}

// The word that a leaf of size page at va lives in; its directory exists.
DmaTable::Word DmaTable::slot(Va va, std::uint64_t page) {
    if (page == page_1g)
        return Word(root_[raw(va) >> 30]);
    Gib &gib = *gibs_[raw(va) >> 30];
    if (page == page_2m)
        return Word(gib.directory.words[(raw(va) >> 21) & 511]);
    return Word(gib.below[(raw(va) >> 21) & 511]->words[(raw(va) >> 12) & 511]);
}

bool DmaTable::insert(Va va, Dma dma, std::uint64_t length) {
    for (std::uint64_t done = 0; done < length;) {
        const std::uint64_t page = leaf_size(va + done, dma + done, length - done);
        if (page != page_1g && make_directory(va + done, page) == nullptr)
            return false;
        done += page;
    }
    const std::uint64_t word = (raw(dma) - raw(va)) | RTE_IOMMUFD_LEAF;
    for (std::uint64_t done = 0; done < length;) {
        const std::uint64_t page = leaf_size(va + done, dma + done, length - done);
        slot(va + done, page).store(word, std::memory_order_release);
        done += page;
    }
    return true;
}

void DmaTable::erase(Va va, std::uint64_t length) {
    for (std::uint64_t done = 0; done < length;) {
        const Va at = va + done;
        std::uint64_t page = page_1g;
        while ((slot(at, page).load(std::memory_order_relaxed) & RTE_IOMMUFD_DIRECTORY) != 0)
            page >>= 9;
        slot(at, page).store(0, std::memory_order_release);
        done += page - (raw(at) & (page - 1));
    }
}

} // namespace iommufd
