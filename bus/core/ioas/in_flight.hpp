// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Memory that a device reads though nobody holds it: what a transmit queue has been told to send
// may lie anywhere, and to hold and release it packet by packet would cost the data path. So
// whoever wants to unmap asks the queues instead:
//
//     queue's thread                              who unmaps
//     --------------                              ----------
//     a lookup begins          (1)                the table forgets the area   (2)
//     addresses from the table                    wait_for_lookups()           (3)
//     they appear in ranges()                     is one of them in the area?
//     the lookup has ended                        yes: the table knows it again; no: unpin it
//
// A full barrier after (1) and one between (2) and (3) leave two cases: the queue finds the area
// no more, or (3) waits for it and ranges() tells.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/ioas/address.hpp"

namespace iommufd {

struct DmaRange {
    Dma start;
    std::uint64_t length; // bytes

    [[nodiscard]] bool overlaps(const DmaRange &other) const {
        return raw(start) < raw(other.start) + other.length &&
               raw(other.start) < raw(start) + length;
    }
};

class InFlight {
public:
    InFlight() = default;
    InFlight(const InFlight &) = delete;
    InFlight &operator=(const InFlight &) = delete;
    virtual ~InFlight() = default;

    // Most elements that ranges() gives.
    [[nodiscard]] virtual std::size_t capacity() const = 0;
    // Append what the device may still read. From any thread, while packets come and go: what
    // was in flight before the call and still is afterwards must be there.
    virtual void ranges(std::vector<DmaRange> *all) const = 0;
    // Wait until every lookup that had begun before the call has ended; a full barrier comes
    // first. False if one had not by a deadline.
    [[nodiscard]] virtual bool wait_for_lookups() const = 0;
};

} // namespace iommufd
