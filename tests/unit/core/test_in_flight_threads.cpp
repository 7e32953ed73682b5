// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A transmit queue that looks addresses up and sends while another thread maps and unmaps.

#include <array>
#include <atomic>
#include <chrono>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "bound_space.hpp"

namespace iommufd::test {
namespace {

constexpr std::uint64_t packet = 1500; // bytes

// A queue as a driver has it: addresses of the table in a ring that a device empties.
class Sender final : public InFlight {
public:
    explicit Sender(const DmaTable &table) : table_(table) {}

    [[nodiscard]] std::size_t capacity() const override { return ring_.size(); }
    void ranges(std::vector<DmaRange> *all) const override {
        for (const auto &slot : ring_)
            if (const std::uint64_t dma = slot.load(); dma != 0)
                all->push_back({Dma{dma}, packet});
    }
    [[nodiscard]] bool wait_for_lookups() const override {
        __sync_synchronize(); // without it some of the test's runs on two busy cores fail
        const unsigned int begun = lookups_.load();
        while (begun % 2 != 0 && lookups_.load() == begun)
            std::this_thread::yield();
        return true;
    }

    // Send from one of some pages: a burst, while the device sends old ones.
    template <class Check>
    void burst(std::mt19937_64 &random, Va start, std::uint64_t pages, Check &&check) {
        if (waits_)
            ++lookups_;
        __sync_synchronize();
        for (auto &slot : ring_) {
            if (slot.load() != 0)
                continue;
            const auto dma = table_.lookup(start + random() % pages * page_2m);
            if (random() % 4 == 0)
                std::this_thread::yield();
            slot.store(dma ? raw(*dma) : 0);
        }
        if (waits_)
            ++lookups_;
        for (auto &slot : ring_) {
            const std::uint64_t dma = slot.load();
            if (dma == 0 || random() % 2 == 0)
                continue;
            check(dma); // the device reads it now
            slot.store(0);
        }
    }
    void drop_everything() {
        for (auto &slot : ring_)
            slot.store(0);
    }
    void forget_to_say() { waits_ = false; }

private:
    const DmaTable &table_;
    std::array<std::atomic<std::uint64_t>, 4> ring_{};
    std::atomic<unsigned int> lookups_{0};
    bool waits_ = true;
};

class InFlightThreads : public BoundSpaceTest {
protected:
    static constexpr std::uint64_t pages = 3;

    // How often a device has read a page that was not pinned.
    std::uint64_t wrong_reads(bool says_when, int rounds) {
        Sender sender(table);
        if (!says_when)
            sender.forget_to_say();
        InFlightRegistration registered = space.register_queue(sender);
        for (std::uint64_t i = 0; i < pages; ++i)
            kernel.memory.back(base + i * page_2m, page_2m, (1 + i) * page_1g);
        std::array<std::atomic<bool>, pages + 1> is_pinned{};
        std::atomic<std::uint64_t> wrong{0};
        std::atomic<std::uint64_t> reads{0};
        std::atomic<bool> stop{false};
        std::thread thread([&] {
            std::mt19937_64 random(1);
            while (!stop)
                sender.burst(random, base, pages, [&](std::uint64_t dma) {
                    ++reads;
                    if (!is_pinned[dma / page_1g])
                        ++wrong;
                });
            sender.drop_everything();
        });
        std::mt19937_64 random(2);
        int unmapped = 0;
        int refused = 0;
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while ((unmapped < rounds || refused < rounds) &&
               std::chrono::steady_clock::now() < deadline) {
            const std::uint64_t n = random() % pages;
            const Va va = base + n * page_2m;
            if (!is_pinned[1 + n]) {
                is_pinned[1 + n] = true;
                EXPECT_OK(space.map(va, page_2m, page_2m));
                continue;
            }
            if (const auto done = space.unmap(va, page_2m)) {
                is_pinned[1 + n] = false;
                ++unmapped;
            } else {
                EXPECT_EQ(code(done), EBUSY);
                ++refused;
            }
            std::this_thread::yield();
        }
        stop = true;
        thread.join();
        EXPECT_GT(unmapped, 0) << "else nothing is shown";
        EXPECT_GT(refused, 0) << "else nothing is shown";
        EXPECT_GT(reads, 0U);
        registered.reset();
        EXPECT_OK(space.unmap_all());
        return wrong;
    }
};

TEST_F(InFlightThreads, NoDeviceReadsWhatIsNotPinned) {
    EXPECT_EQ(wrong_reads(true, 500), 0U);
}

// A driver that does not say when it looks addresses up.
TEST_F(InFlightThreads, NegativeControl) {
    std::uint64_t wrong = 0;
    for (int i = 0; i < 20 && wrong == 0; ++i)
        wrong = wrong_reads(false, 500);
    EXPECT_GT(wrong, 0U);
}

} // namespace
} // namespace iommufd::test
