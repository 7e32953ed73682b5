// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Who uses which area: holds are counted, transmit queues are asked what they have in flight
// (in_flight.hpp). An area that leaves the address space while it is used is retired: found no
// more, and pinned until its last user has gone. No system calls. Not thread-safe.

#include <cstddef>
#include <vector>

#include "core/ioas/areas.hpp"
#include "core/ioas/in_flight.hpp"

namespace iommufd {

// Asks queues what they have in flight of an area. All memory it needs is taken when it is made,
// so that nothing fails once the table has forgotten the area.
class ReaderQuery {
public:
    // capacity: most ranges that one of the queues has.
    ReaderQuery(std::vector<DmaRange> area, std::size_t capacity);

    // Whether a queue has something of the area in flight.
    bool reads(const InFlight &queue);
    // The same when the table has forgotten the area. Of whom nothing certain is known may read.
    bool may_still_read(const InFlight &queue) { return !queue.wait_for_lookups() || reads(queue); }

private:
    [[nodiscard]] bool is_in_area(const DmaRange &range) const;

    std::vector<DmaRange> area_;   // ascending, without overlaps
    std::vector<DmaRange> ranges_; // of one queue
};

class Use {
public:
    // areas outlives it.
    explicit Use(Areas &areas) : areas_(areas) {}
    Use(const Use &) = delete;
    Use &operator=(const Use &) = delete;

    // Add the areas that hold [va, va + length) to held, each once. EFAULT if a part is not
    // mapped; nothing has changed then.
    Result<void> hold(Va va, std::uint64_t length, HeldBy by, std::vector<AreaKey> *held);
    // A holder of an area, which may have gone, has ended. The area if it is retired and nobody
    // uses it any more, else areas.end().
    Areas::Iterator end_hold(AreaKey key, HeldBy by);

    // Transmit queues, each once; they outlive their registration.
    void register_queue(const InFlight *queue) { queues_.push_back({.in_flight = queue}); }
    // The retired areas that it has kept pinned.
    std::vector<AreaKey> unregister_queue(const InFlight *queue);
    [[nodiscard]] bool has_queues() const { return !queues_.empty(); }

    [[nodiscard]] ReaderQuery query(std::vector<DmaRange> area) const;
    // How many queues have something of the query's area in flight; and how many may have, after
    // the table has forgotten it.
    [[nodiscard]] std::size_t readers(ReaderQuery *query) const;
    [[nodiscard]] std::size_t possible_readers(ReaderQuery *query) const;

    // Mark an area retired. What it was for devices, if anybody has to be asked for it, is in
    // area.ranges.
    void retire(Areas::Iterator area, Backing backing);
    // It is unpinned, and about to be erased.
    void end_retired(const Area &area) { retired_ -= area.retired ? 1 : 0; }
    [[nodiscard]] std::size_t retired() const { return retired_; }

    // Let the queues that may still read a retired area hold it. False, without memory for that:
    // then it must not be unpinned.
    bool add_readers(Areas::Iterator area);
    // The opposite, before they are asked again.
    void remove_readers(Areas::Iterator area);

    // All areas are gone; queues are to be registered anew.
    void clear();

private:
    struct Queue {
        const InFlight *in_flight;
        std::vector<AreaKey> reads{}; // retired areas that it had in flight
    };

    Areas &areas_;
    std::vector<Queue> queues_;
    std::size_t retired_ = 0; // areas
};

} // namespace iommufd
