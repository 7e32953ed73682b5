// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What AddressSpace passes on to its parts, locked.

#include "core/ioas/address_space.hpp"

#include <utility>

namespace iommufd {

void AddressSpace::set_rlimit_mode(RlimitMode mode) {
    const LockGuard lock(mutex_);
    rlimit_mode_ = mode;
}

AddressSpace::RlimitMode AddressSpace::rlimit_mode() const {
    const LockGuard lock(mutex_);
    return rlimit_mode_;
}

bool AddressSpace::is_open() const {
    const LockGuard lock(mutex_);
    return ioas_.is_open();
}

int AddressSpace::iommufd() const {
    const LockGuard lock(mutex_);
    return ioas_.iommufd();
}

std::uint32_t AddressSpace::ioas() const {
    const LockGuard lock(mutex_);
    return ioas_.id();
}

Result<Hold> AddressSpace::hold(Va va, std::uint64_t length, HeldBy by) {
    Hold made(*this, by);
    TRY(made.add(va, length));
    return made;
}

Result<void> AddressSpace::add_to_hold(Hold *hold, Va va, std::uint64_t length) {
    const LockGuard lock(mutex_);
    return use_.hold(va, length, hold->by_, &hold->areas_);
}

void AddressSpace::release_hold(Hold *hold) {
    const LockGuard lock(mutex_);
    for (const AreaKey key : hold->areas_)
        if (const auto area = use_.end_hold(key, hold->by_); area != areas_.end())
            unpin_if_unused(area);
    hold->areas_.clear();
}

InFlightRegistration AddressSpace::register_queue(const InFlight &queue) {
    const LockGuard lock(mutex_);
    use_.register_queue(&queue);
    return {*this, queue};
}

void AddressSpace::unregister_queue(const InFlight *queue) {
    const LockGuard lock(mutex_);
    for (const AreaKey key : use_.unregister_queue(queue))
        if (const auto area = use_.end_hold(key, HeldBy::queue); area != areas_.end())
            unpin_if_unused(area);
}

void AddressSpace::keep_pins() {
    const LockGuard lock(mutex_);
    keeps_pins_ = true;
}

bool AddressSpace::keeps_pins() const {
    const LockGuard lock(mutex_);
    return keeps_pins_;
}

std::string AddressSpace::memlock_remedy(std::uint64_t needed) const {
    const LockGuard lock(mutex_);
    return ioas_.memlock_remedy(needed);
}

std::uint64_t AddressSpace::bytes_mapped() const {
    const LockGuard lock(mutex_);
    return ioas_.pinned();
}

std::size_t AddressSpace::areas() const {
    const LockGuard lock(mutex_);
    return areas_.size();
}

AddressSpaceStats AddressSpace::stats() const {
    const LockGuard lock(mutex_);
    return figures_of(areas_, table_, ioas_);
}

std::vector<AreaInfo> AddressSpace::list() const {
    const LockGuard lock(mutex_);
    return list_of(areas_);
}

} // namespace iommufd
