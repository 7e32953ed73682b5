// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit queues as bus_iommufd_driver.h has them.

#include <chrono>
#include <memory>
#include <thread>
#include <unordered_map>

#include "core/sys/mutex.hpp"
#include "iommufd/bus_iommufd_driver.h"
#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

namespace iommufd::eal {
namespace {

// A burst that looks addresses up takes microseconds; its thread may have lost the CPU.
constexpr std::chrono::milliseconds lookup_limit{100};

class Queue final : public InFlight {
public:
    Queue(const rte_iommufd_in_flight *queue, rte_iommufd_in_flight_ranges_t ranges)
        : queue_(queue), ranges_(ranges),
          buffer_(std::make_unique<rte_iommufd_dma_range[]>(queue->capacity)),
          registration_(process_memory().space().register_queue(*this)) {}

    [[nodiscard]] std::size_t capacity() const override { return queue_->capacity; }

    // Asked by the address space alone, which asks one at a time.
    void ranges(std::vector<DmaRange> *all) const override {
        const unsigned int count = ranges_(queue_, buffer_.get());
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
    rte_iommufd_in_flight_ranges_t ranges_;
    std::unique_ptr<rte_iommufd_dma_range[]> buffer_; // NOLINT(*-avoid-c-arrays)
    InFlightRegistration registration_;               // ends first
};

// Of this process, by the driver's part, which other processes may see as well.
class Queues {
public:
    void add(rte_iommufd_in_flight *queue, rte_iommufd_in_flight_ranges_t ranges) {
        queue->lookups = 0;
        auto added = std::make_unique<Queue>(queue, ranges);
        const LockGuard guard(mutex_);
        queues_.insert_or_assign(queue, std::move(added));
    }

    void remove(const rte_iommufd_in_flight *queue) {
        const auto removed = extract(queue); // ends without the lock
    }

private:
    using Map = std::unordered_map<const rte_iommufd_in_flight *, std::unique_ptr<Queue>>;

    Map::node_type extract(const rte_iommufd_in_flight *queue) {
        const LockGuard guard(mutex_);
        return queues_.extract(queue);
    }

    Mutex mutex_;
    Map queues_ GUARDED_BY(mutex_);
};

// It outlives every static object: devices go at the very end.
Queues &queues() {
    static auto *const all = new Queues;
    return *all;
}

} // namespace
} // namespace iommufd::eal

int rte_iommufd_in_flight_register(rte_iommufd_in_flight *queue,
                                   rte_iommufd_in_flight_ranges_t ranges) {
    return iommufd::eal::guarded([=] {
        iommufd::eal::queues().add(queue, ranges);
        return 0;
    });
}

void rte_iommufd_in_flight_unregister(rte_iommufd_in_flight *queue) {
    iommufd::eal::queues().remove(queue);
}
