// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit queues as bus_iommufd_driver.h has them.

#include <chrono>
#include <memory>
#include <thread>

#include "iommufd/bus_iommufd_driver.h"
#include "iommufd/log.hpp"
#include "iommufd/memory.hpp"

namespace iommufd::eal {
namespace {

// A burst that looks addresses up takes microseconds; its thread may have lost the CPU.
constexpr std::chrono::milliseconds lookup_limit{100};

class Queue final : public InFlight {
public:
    explicit Queue(const rte_iommufd_in_flight *queue)
        : queue_(queue), room_(std::make_unique<rte_iommufd_dma_range[]>(queue->capacity)) {}

    [[nodiscard]] std::size_t capacity() const override { return queue_->capacity; }

    // Asked by the address space alone, which asks one at a time.
    void ranges(std::vector<DmaRange> *all) const override {
        const unsigned int count = queue_->ranges(queue_, room_.get());
        for (unsigned int i = 0; i < count; ++i)
            all->push_back({.start = Dma{room_[i].start}, .length = room_[i].len});
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
    std::unique_ptr<rte_iommufd_dma_range[]> room_; // NOLINT(*-avoid-c-arrays)
};

} // namespace
} // namespace iommufd::eal

using iommufd::eal::memory;

int rte_iommufd_in_flight_register(rte_iommufd_in_flight *queue) {
    return iommufd::eal::guarded([=] {
        auto watched = std::make_unique<iommufd::eal::Queue>(queue);
        queue->lookups = 0;
        memory().space().watch(watched.get());
        queue->bus_private = watched.release();
        return 0;
    });
}

void rte_iommufd_in_flight_unregister(rte_iommufd_in_flight *queue) {
    const std::unique_ptr<iommufd::eal::Queue> watched(
        static_cast<iommufd::eal::Queue *>(queue->bus_private));
    queue->bus_private = nullptr;
    (void)iommufd::eal::guarded([&] {
        if (watched)
            memory().space().unwatch(watched.get());
        return 0;
    });
}
