// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Arenas on the model: what is taken, where it is seen, and each call failing.

#include <gtest/gtest.h>

#include "bound_space.hpp"
#include "core/ioas/arena.hpp"
#include "fake_hugepages.hpp"

namespace iommufd::test {
namespace {

// Where the model puts the next mapping of hugepages.
constexpr Va first{FakeKernel::hugepages_start};

class ArenaTest : public BoundSpaceTest {
protected:
    ArenaTest() { before = kernel.census(); }

    Result<std::unique_ptr<Arena>> create(std::uint64_t length, std::uint64_t page = 0,
                                          int node = -1, unsigned int threads = 1) {
        return Arena::create(
            kernel, hugepages, space,
            {.length = length, .page_size = page, .node = node, .threads = threads});
    }
    // The frames of the file's pages, in the file's order.
    void frames(std::initializer_list<std::uint64_t> list) {
        std::uint64_t at = 0;
        for (const std::uint64_t frame : list)
            kernel.memory.back(first + page_2m * at++, page_2m, frame * page_2m);
    }

    FakeHugepages hugepages{kernel};
    Census before;
};

TEST_F(ArenaTest, IsShownInTheOrderOfPhysicalAddresses) {
    frames({12, 7, 8, 3, 9, 13});
    const auto arena = create(6 * page_2m, 0, 1);
    ASSERT_OK(arena);
    EXPECT_EQ((*arena)->start(), first);
    EXPECT_EQ(hugepages.bound_node, 1);
    const std::uint64_t sorted[] = {3, 7, 8, 9, 12, 13};
    const std::uint64_t page_of_file[] = {3, 1, 2, 4, 0, 5};
    for (std::uint64_t i = 0; i < 6; ++i) {
        const Va at = first + i * page_2m;
        EXPECT_EQ(table.lookup(at + 5), Dma{sorted[i] * page_2m + 5});
        EXPECT_EQ(hugepages.shown.at(raw(at)), page_of_file[i] * page_2m)
            << "what is seen is what the device writes to";
        EXPECT_TRUE(hugepages.populated.contains(raw(at)));
    }
    EXPECT_EQ(space.stats().longest_run, 3 * page_2m) << "7, 8, 9";
    EXPECT_EQ(kernel.count("IOMMU_IOAS_MAP_FILE"), 1);
    EXPECT_EQ(space.areas(), 1U);
}

TEST_F(ArenaTest, PageSizes) {
    const struct {
        std::uint64_t length, page, gibs, want;
    } cases[] = {
        {page_1g, 0, 4, page_1g},     {page_1g, 0, 0, page_2m},
        {2 * page_1g, 0, 1, page_2m}, {page_1g, page_2m, 4, page_2m},
        {page_2m, 0, 4, page_2m},     {page_2m, page_1g, 4, page_1g},
        {1, 0, 4, page_2m},
    };
    for (const auto &c : cases) {
        hugepages.pools[page_1g] = c.gibs;
        kernel.memory.back_everything(page_1g);
        const auto arena = create(c.length, c.page);
        ASSERT_OK(arena);
        EXPECT_EQ((*arena)->page_size(), c.want);
        EXPECT_EQ((*arena)->length(), (c.length + c.want - 1) / c.want * c.want);
    }
    EXPECT_EQ(kernel.census(), before);
    hugepages.pools.erase(page_1g);
    const auto refused = create(page_1g, page_1g);
    EXPECT_EQ(code(refused), ENOENT);
    EXPECT_TRUE(contains(message(refused), "hugepagesz="));
    for (const std::uint64_t length : {0ULL, 1ULL << 47})
        EXPECT_EQ(code(create(length)), EINVAL);
    EXPECT_EQ(code(create(page_2m, page_4k)), EINVAL);
}

TEST_F(ArenaTest, APoolThatRunsDryInTheMiddleIsSaidAndUndone) {
    hugepages.pools = {{page_2m, 2}};
    hugepages.populate_error_after = 2;
    const auto refused = create(4 * page_2m, 0, 0, 4);
    EXPECT_EQ(code(refused), EFAULT);
    EXPECT_TRUE(contains(message(refused), "not enough free hugepages on NUMA node 0: 2 of 2 MiB"));
    EXPECT_TRUE(contains(message(refused), "4 of 2 MiB are needed; raise /sys/devices/system/node/"
                                           "node0/hugepages/hugepages-2048kB/nr_hugepages"));
    EXPECT_EQ(kernel.census(), before);
}

TEST_F(ArenaTest, EveryFailingCallLeavesNothing) {
    frames({5, 4, 6});
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto arena = create(3 * page_2m, 0, 1);
        // A failed close of the file when the arena ends is no failure of it.
        EXPECT_EQ(code(arena), kernel.has_failed() ? injected_errno : 0);
        kernel.fail_nth(0, 0);
        if (!arena) {
            EXPECT_EQ(kernel.census(), before);
            EXPECT_EQ(space.areas(), 0U);
            EXPECT_EQ(table.lookup(first), std::nullopt);
        }
        return !arena.has_value();
    });
    // open, ftruncate, mmap, mbind, 3 madvise, MAP_FILE, 2 x 3 GET_PA, 3 mmap over, madvise
    EXPECT_EQ(calls, 18);
}

TEST_F(ArenaTest, HandsOutPiecesOnceAndAligned) {
    const auto arena = create(2 * page_2m);
    ASSERT_OK(arena);
    void *a = (*arena)->allocate(100, 64);
    void *b = (*arena)->allocate(page_2m, page_2m);
    void *c = (*arena)->allocate(1000, 64);
    EXPECT_EQ(va_of(a), first);
    EXPECT_EQ(va_of(b), first + page_2m);
    EXPECT_EQ(va_of(c), first + 128);
    EXPECT_EQ((*arena)->allocate(page_2m, 64), nullptr);
    EXPECT_EQ((*arena)->allocate(0, 64), nullptr);
    EXPECT_EQ((*arena)->allocate(64, 3), nullptr);
    EXPECT_EQ((*arena)->allocate(UINT64_MAX, 64), nullptr);
    EXPECT_EQ((*arena)->free_bytes(), page_2m - 1100);
    EXPECT_EQ(code((*arena)->unpin()), EBUSY);
    EXPECT_TRUE((*arena)->free(b));
    EXPECT_FALSE((*arena)->free(b));
    EXPECT_NE((*arena)->allocate(page_2m, 64), nullptr);
}

TEST_F(ArenaTest, IsPinnedAgainInTheOrderItIsSeenIn) {
    frames({5, 4});
    const auto arena = create(2 * page_2m);
    ASSERT_OK(arena);
    ASSERT_OK(space.unmap_all());
    (*arena)->mark_unpinned();
    frames({90, 80}); // moved while nothing was pinned
    ASSERT_OK((*arena)->pin());
    EXPECT_EQ(table.lookup(first), Dma{80 * page_2m}) << "page 1 of the file is still seen first";
    EXPECT_EQ(table.lookup(first + page_2m), Dma{90 * page_2m});
}

} // namespace
} // namespace iommufd::test
