// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/hold.hpp"

#include "core/ioas/address_space.hpp"

namespace iommufd {

Hold &Hold::operator=(Hold &&other) noexcept {
    if (this != &other) {
        release();
        space_ = other.space_;
        by_ = other.by_;
        areas_ = std::exchange(other.areas_, {});
    }
    return *this;
}

Result<void> Hold::add(Va va, std::uint64_t length) {
    return space_->add_to_hold(this, va, length);
}

void Hold::release() {
    if (!areas_.empty())
        space_->release_hold(this);
}

InFlightRegistration &InFlightRegistration::operator=(InFlightRegistration &&other) noexcept {
    if (this != &other) {
        reset();
        space_ = other.space_;
        queue_ = std::exchange(other.queue_, nullptr);
    }
    return *this;
}

void InFlightRegistration::reset() {
    if (queue_ != nullptr)
        space_->unregister_queue(std::exchange(queue_, nullptr));
}

} // namespace iommufd
