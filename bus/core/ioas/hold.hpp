// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What keeps areas from being unmapped, and undoes itself at its end. Both may outlive the areas
// (the last device ends all holds) but not the address space.

#include <cstdint>
#include <utility>
#include <vector>

#include "core/ioas/areas.hpp"
#include "core/ioas/in_flight.hpp"

namespace iommufd {

class AddressSpace;

// Areas that somebody uses; see AddressSpace::hold(). Move-only.
class Hold {
public:
    // Of nothing yet.
    explicit Hold(AddressSpace &space, HeldBy by = HeldBy::queue) : space_(&space), by_(by) {}
    Hold(Hold &&other) noexcept
        : space_(other.space_), by_(other.by_), areas_(std::exchange(other.areas_, {})) {}
    Hold &operator=(Hold &&other) noexcept;
    Hold(const Hold &) = delete;
    Hold &operator=(const Hold &) = delete;
    ~Hold() { release(); }

    // Hold the areas of [va, va + length) too. EFAULT if a part is not mapped; the hold is then as
    // before.
    Result<void> add(Va va, std::uint64_t length);
    // What has been unmapped by the end of the last device is no error.
    void release();

    [[nodiscard]] bool empty() const { return areas_.empty(); }

private:
    friend class AddressSpace;

    AddressSpace *space_;
    HeldBy by_;
    std::vector<AreaKey> areas_;
};

// A transmit queue that is asked what it has in flight before anything is unmapped; see
// AddressSpace::register_queue(). Move-only.
class InFlightRegistration {
public:
    InFlightRegistration() = default;
    InFlightRegistration(InFlightRegistration &&other) noexcept
        : space_(other.space_), queue_(std::exchange(other.queue_, nullptr)) {}
    InFlightRegistration &operator=(InFlightRegistration &&other) noexcept;
    InFlightRegistration(const InFlightRegistration &) = delete;
    InFlightRegistration &operator=(const InFlightRegistration &) = delete;
    ~InFlightRegistration() { reset(); }

    // The queue's device reads nothing through it any more.
    void reset();

private:
    friend class AddressSpace;
    InFlightRegistration(AddressSpace &space, const InFlight &queue)
        : space_(&space), queue_(&queue) {}

    AddressSpace *space_ = nullptr;
    const InFlight *queue_ = nullptr;
};

} // namespace iommufd
