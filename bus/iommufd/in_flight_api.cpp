// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit queues as bus_iommufd_driver.h has them.

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "iommufd/bus_iommufd_driver.h"
#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

namespace iommufd::eal {
namespace {

// A burst that looks addresses up takes microseconds; its thread may have lost the CPU.
constexpr std::chrono::milliseconds lookup_limit{100};

class Queue final : public InFlight {
public:
    explicit Queue(const rte_iommufd_in_flight *queue)
        : queue_(queue), buffer_(std::make_unique<rte_iommufd_dma_range[]>(queue->capacity)),
          registration_(process_memory().space().register_queue(*this)) {}

    [[nodiscard]] std::size_t capacity() const override { return queue_->capacity; }

    // Asked by the address space alone, which asks one at a time.
    void ranges(std::vector<DmaRange> *all) const override {
        const unsigned int count = queue_->ranges(queue_, buffer_.get());
        for (unsigned int i = 0; i < count; ++i)
            all->push_back({.start = Dma{buffer_[i].start}, .length = buffer_[i].len});
    }

    [[nodiscard]] bool wait_for_lookups() const override {
        rte_smp_mb(); // with rte_iommufd_lookup_begin()
        const std::uint32_t begun = __atomic_load_n(&queue_->lookups, __ATOMIC_ACQUIRE);
        if (begun % 2 == 0)
            return true;
        const auto deadline = std::chrono::steady_clock::now() + lookup_limit;
        while (__atomic_load_n(&queue_->lookups, __ATOMIC_ACQUIRE) == begun) {
            if (std::chrono::steady_clock::now() > deadline)
                return false;
            std::this_thread::yield();
        }
        return true;
    }

private:
    const rte_iommufd_in_flight *queue_;
    std::unique_ptr<rte_iommufd_dma_range[]> buffer_; // NOLINT(*-avoid-c-arrays)
    InFlightRegistration registration_;               // ends first
};

} // namespace
} // namespace iommufd::eal

int rte_iommufd_in_flight_register(rte_iommufd_in_flight *queue) {
    return iommufd::eal::guarded([=] {
        queue->lookups = 0;
        queue->bus_private = new iommufd::eal::Queue(queue);
        return 0;
    });
}

void rte_iommufd_in_flight_unregister(rte_iommufd_in_flight *queue) {
    delete static_cast<iommufd::eal::Queue *>(std::exchange(queue->bus_private, nullptr));
}
