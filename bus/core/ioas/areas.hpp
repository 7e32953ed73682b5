// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What is mapped: ranges of virtual addresses that do not overlap, each as it was mapped, because
// the kernel unmaps an area only as it was mapped. No system calls. Not thread-safe.

#include <cstdint>
#include <map>
#include <vector>

#include "core/ioas/address.hpp"
#include "core/ioas/in_flight.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

// Who holds an area: a queue, whose device reaches the memory, so that its pins stay; or a pool,
// whose objects carry addresses in it.
enum class HeldBy : std::uint8_t { queue, pool };

// What becomes of memory that leaves the address space: its owner frees it, and the objects in it
// go too; or the owner keeps it, with pools' objects in it, whose holds then keep the pins.
enum class Backing : std::uint8_t { freed, kept };

struct Area {
    std::uint64_t length;
    std::uint64_t page_size;
    std::vector<std::uint32_t> page_order{}; // pages of the file as seen; empty: no file
    std::uint64_t id = 0;                    // of this area and no later one
    unsigned int queues = 0;                 // that hold it
    unsigned int pools = 0;
    bool retired = false;             // no address of it is found any more
    Backing backing = Backing::freed; // if retired
    std::vector<DmaRange> ranges{};   // if retired: what devices may still read

    // Whether a retired area must stay pinned.
    [[nodiscard]] bool is_used() const {
        return queues != 0 || (backing == Backing::kept && pools != 0);
    }
    unsigned int &holders(HeldBy by) { return by == HeldBy::queue ? queues : pools; }
};

// Names an area as long as it lives, and none after it.
struct AreaKey {
    std::uint64_t start;
    std::uint64_t id;

    bool operator==(const AreaKey &) const = default;
};

class Areas {
public:
    using Map = std::map<std::uint64_t, Area>; // by start
    using Iterator = Map::iterator;

    // Whether [va, va + length) in pages of page_size may become an area. EINVAL for a range that
    // is empty, misaligned, wraps or is above the 47-bit range; EEXIST if it overlaps one.
    [[nodiscard]] Result<void> check(Va va, std::uint64_t length, std::uint64_t page_size) const;

    // A checked range; it is given an id.
    Iterator insert(Va va, Area area);
    void erase(Iterator area) { all_.erase(area); }
    void clear() { all_.clear(); }

    // The area that is exactly [va, va + length) and not retired. EINVAL for an empty range,
    // ENOENT if there is none.
    Result<Iterator> find(Va va, std::uint64_t length);
    // The areas that hold [va, va + length), none of them retired. EFAULT if they leave a gap.
    Result<std::vector<Iterator>> covering(Va va, std::uint64_t length);
    // end() if it has gone.
    Iterator find(AreaKey key);

    [[nodiscard]] static AreaKey key_of(Map::const_iterator area) {
        return {area->first, area->second.id};
    }

    [[nodiscard]] std::size_t size() const { return all_.size(); }
    [[nodiscard]] bool empty() const { return all_.empty(); }
    Iterator begin() { return all_.begin(); }
    Iterator end() { return all_.end(); }
    [[nodiscard]] Map::const_iterator begin() const { return all_.begin(); }
    [[nodiscard]] Map::const_iterator end() const { return all_.end(); }

private:
    // The first area that overlaps the range; end() if none does.
    [[nodiscard]] Map::const_iterator overlapping(Va va, std::uint64_t length) const;

    Map all_;
    std::uint64_t next_id_ = 1;
};

} // namespace iommufd
