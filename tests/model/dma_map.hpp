// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The memory a modelled device can reach. Its DMA addresses differ from virtual ones, so a
// driver that hands out the wrong kind is found: the model faults instead of guessing.

#include <cstddef>
#include <cstdint>
#include <map>

namespace model {

class DmaMap {
public:
    // Let the device reach [va, va + length) at dma.
    void map(std::uint64_t dma, void *va, std::size_t length);
    void unmap(std::uint64_t dma);
    void clear() { ranges_.clear(); }

    // Where the device's access lands, or nullptr if any byte of it is not mapped.
    void *translate(std::uint64_t dma, std::size_t length) const;

    // DMA address of va, or ~0 if it is not mapped.
    std::uint64_t dma_of(const void *va) const;

    // Bytes from va on that are mapped in one piece, up to length.
    std::size_t contiguous(const void *va, std::size_t length) const;

private:
    struct Range {
        char *va;
        std::size_t length;
    };
    const std::pair<const std::uint64_t, Range> *find_va(const void *va) const;

    std::map<std::uint64_t, Range> ranges_; // by DMA address
};

} // namespace model
