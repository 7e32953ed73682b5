// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The physical memory behind the virtual addresses of a test. Nothing is allocated: it only
// knows where each page would be.

#include <cstdint>
#include <map>
#include <optional>

#include "core/ioas/address.hpp"

namespace iommufd::test {

class FakeMemory {
public:
    // One physically contiguous run. What stood at these addresses moves.
    void back(Va va, std::uint64_t length, std::uint64_t pa);
    // Pages of page bytes, each contiguous in itself and none with its neighbour. The frames
    // are new at every call.
    void back_scattered(Va va, std::uint64_t length, std::uint64_t page);
    // All addresses that nothing else was said of, scattered in pages of page bytes.
    void back_everything(std::uint64_t page) { default_page_ = page; }
    // Nothing is there any more: a fault for whoever pins it.
    void remove(Va va, std::uint64_t length);

    [[nodiscard]] std::optional<std::uint64_t> pa(std::uint64_t va) const;
    [[nodiscard]] bool is_backed(std::uint64_t va, std::uint64_t length) const;
    // Contiguous bytes from va on, no more than limit; 0 if nothing is there.
    [[nodiscard]] std::uint64_t contiguous(std::uint64_t va, std::uint64_t limit) const;

private:
    struct Run {
        std::uint64_t length;
        std::uint64_t pa;
    };
    struct Piece { // from an address on
        std::uint64_t length;
        std::uint64_t pa;
    };

    [[nodiscard]] std::optional<Piece> piece(std::uint64_t va) const;

    std::map<std::uint64_t, Run> runs_; // by VA
    std::uint64_t default_page_ = 0;
    std::uint64_t next_frame_ = 1ULL << 46; // frames are handed out downwards
};

} // namespace iommufd::test
