// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Lookups while another thread maps and unmaps: a reader gets nothing or a right address, never
// a mixture. Build with -Db_sanitize=thread to see that nothing else is wrong with it.

#include <atomic>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "core/ioas/address_space.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

// Readers of [base, base + 2 GiB) that run until the writers are done.
class Readers {
public:
    template <class Check>
    explicit Readers(const DmaTable &table, Check check) {
        for (unsigned seed = 1; seed <= 3; ++seed)
            threads_.emplace_back([this, &table, check, seed] {
                std::mt19937_64 random(seed);
                while (!stop_.load(std::memory_order_relaxed)) {
                    const Va va = base + random() % (2 * page_1g);
                    const auto dma = table.lookup(va);
                    if (!dma)
                        continue;
                    hits_.fetch_add(1, std::memory_order_relaxed);
                    if (!check(raw(va), raw(*dma)))
                        wrong_.fetch_add(1, std::memory_order_relaxed);
                }
            });
    }
    ~Readers() { join(); }

    void join() {
        stop_ = true;
        for (std::thread &thread : threads_)
            if (thread.joinable())
                thread.join();
    }
    void expect_right_answers() {
        join();
        EXPECT_EQ(wrong_, 0U);
        EXPECT_GT(hits_, 0U) << "nothing was ever found: the test tests nothing";
    }
    [[nodiscard]] std::uint64_t hits() const { return hits_; }

private:
    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> hits_{0};
    std::atomic<std::uint64_t> wrong_{0};
    std::vector<std::thread> threads_;
};

// Every mapping is DMA = VA + n GiB, so that all page sizes fit; n is another each time.
TEST(DmaTableThreads, ReadersSeeNothingOrARightAddress) {
    const auto table = std::make_unique<DmaTable>();
    Readers readers(*table, [](std::uint64_t va, std::uint64_t dma) {
        return (dma - va) % page_1g == 0 && (dma - va) / page_1g >= 1 &&
               (dma - va) / page_1g <= 1000;
    });
    std::mt19937_64 random(7);
    for (int round = 0; round < 400 || (readers.hits() < 1000 && round < 100000); ++round) {
        const std::uint64_t offset = (1 + random() % 1000) * page_1g;
        const std::uint64_t units[] = {page_1g, page_2m, page_4k};
        const std::uint64_t unit = units[round % 3];
        // 4 KiB pages: 2 MiB of them here and there, else readers would hardly meet one.
        const std::uint64_t length = unit == page_4k ? page_2m : page_1g;
        const Va start =
            base + (unit == page_4k ? random() % 1024 * page_2m : random() % 2 * page_1g);
        for (std::uint64_t done = 0; done < length; done += unit)
            ASSERT_TRUE(table->insert(start + done, Dma{raw(start) + done + offset}, unit));
        table->erase(start, length);
    }
    readers.expect_right_answers();
}

// Two writers through the address space, each with its half.
TEST(AddressSpaceThreads, WritersAndReadersTogether) {
    FakeKernel kernel;
    kernel.devices[cdev_path] = nic();
    kernel.memory.back_everything(page_2m);
    const auto table = std::make_unique<DmaTable>();
    AddressSpace space(kernel, *table);
    ASSERT_OK(space.open());
    const int cdev = kernel.open(cdev_path, 2);
    ASSERT_EQ(device_bind_iommufd(kernel, cdev, space.iommufd()), 0);
    ASSERT_EQ(device_attach_iommufd_pt(kernel, cdev, space.ioas()), 0);

    // The model is read by the readers while the writers' calls only look at it.
    const FakeMemory &memory = kernel.memory;
    Readers readers(
        *table, [&memory](std::uint64_t va, std::uint64_t dma) { return memory.pa(va) == dma; });
    std::atomic<int> failed{0};
    const auto write = [&](unsigned half) {
        std::mt19937_64 random(half);
        for (int round = 0; round < 60 || (readers.hits() < 1000 && round < 20000); ++round) {
            const std::uint64_t page = random() % 4 == 0 ? page_4k : page_2m;
            const Va start = base + half * page_1g + random() % 384 * page_2m;
            for (std::uint64_t i = 0; i < 64; ++i)
                failed += !space.map(start + i * page_2m, page_2m, page);
            for (std::uint64_t i = 0; i < 64; ++i)
                failed += !space.unmap(start + i * page_2m, page_2m);
        }
    };
    std::thread other(write, 0U);
    write(1U);
    other.join();
    readers.expect_right_answers();
    EXPECT_EQ(failed, 0);
    EXPECT_EQ(space.areas(), 0U);
    EXPECT_EQ(kernel.census().areas, 0U);
    EXPECT_EQ(kernel.close(cdev), 0);
}

} // namespace
} // namespace iommufd::test
