// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// VA -> DMA address, in the unit the memory is backed by: the writer of the table that
// rte_iommufd_dma_table.h draws and reads.
//
// A filled directory is published with a release store that the reader's acquire load pairs
// with; a leaf is one word and needs no more than to be whole. Directories are never freed nor
// given another range while the table lives, so a reader can never follow a stale one.
//
// Size: 8 bytes for a 4 KiB page, 16 for a 2 MiB page (its leaf and the writer's note of the
// directory that once stood there), and 1 MiB each for the root and the writer's notes.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/ioas/address.hpp"
#include "core/ioas/rte_iommufd_dma_table.h"

namespace iommufd {

static_assert(va_bits == RTE_IOMMUFD_VA_BITS);

class DmaTable {
public:
    static constexpr std::size_t root_words = RTE_IOMMUFD_ROOT_WORDS;

    // With a root of its own.
    DmaTable() : own_(new std::uint64_t[root_words]()), root_(own_.get()) {}
    // Over root_words words that are zero and outlive the table. Readers of the root must have
    // ended before the table does.
    explicit DmaTable(std::uint64_t *root) : root_(root) {}
    DmaTable(const DmaTable &) = delete;
    DmaTable &operator=(const DmaTable &) = delete;

    // Where a device finds the byte at va; nothing if it is not mapped.
    [[nodiscard]] std::optional<Dma> lookup(Va va) const {
        const std::uint64_t dma = rte_iommufd_table_lookup(root_, raw(va));
        return dma == RTE_IOMMUFD_NO_DMA ? std::nullopt : std::optional(Dma{dma});
    }

    // Enter [va, va + length) -> [dma, dma + length) with the largest leaves that alignment
    // allows. One writer at a time. The range must be 4 KiB aligned in both addresses, below
    // 2^47 and not mapped. False, with the table as before, if memory is short.
    [[nodiscard]] bool insert(Va va, Dma dma, std::uint64_t length);

    // Forget what is mapped of [va, va + length). One writer at a time; the range must consist
    // of whole leaves as insert() made them.
    void erase(Va va, std::uint64_t length);

private:
    // A word of the table, which readers may load at any time.
    using Word = std::atomic_ref<std::uint64_t>;

    // Aligned so that the low bits of its address are free.
    struct alignas(page_4k) Directory {
        std::array<std::uint64_t, RTE_IOMMUFD_DIRECTORY_WORDS> words{};
    };
    // The writer's view of a GiB: what it has allocated, whether or not it is linked now.
    struct Gib {
        Directory directory;
        std::array<std::unique_ptr<Directory>, RTE_IOMMUFD_DIRECTORY_WORDS> below{};
    };

    Directory *make_directory(Va va, std::uint64_t page);
    Word slot(Va va, std::uint64_t page);

    std::unique_ptr<std::uint64_t[]> own_; // NOLINT(*-avoid-c-arrays)
    std::uint64_t *root_;
    std::array<std::unique_ptr<Gib>, root_words> gibs_{};
};

} // namespace iommufd
