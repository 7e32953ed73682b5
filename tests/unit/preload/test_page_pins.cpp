// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Pages that are pinned one by one: nothing stale is ever answered, nothing is left behind.

#include "bound_space.hpp"
#include "preload/page_pins.hpp"
#include "support.hpp"

namespace iommufd::test {

class PagePins : public BoundSpaceTest {
protected:
    PagePins() {
        pins.use(space.iommufd(), space.ioas(), 7);
        kernel.memory.back_scattered(page, page_4k, page_4k);
    }
    ~PagePins() override { pins.release_all(); }

    const Va page = base + 5 * page_4k;
    preload::PagePins pins{kernel};
};

TEST_F(PagePins, AnswersWhereTheByteIs) {
    const auto pa = pins.pin(page + 123);
    ASSERT_OK(pa);
    EXPECT_EQ(*pa, *kernel.memory.pa(raw(page)) + 123);
    EXPECT_EQ(kernel.census().pinned, page_4k);
}

TEST_F(PagePins, AskingAgainPinsOnce) {
    for (int i = 0; i < 100; ++i)
        EXPECT_OK(pins.pin(page));
    EXPECT_EQ(pins.count(), 1U);
    EXPECT_EQ(kernel.census().areas, 1U);
}

TEST_F(PagePins, AnotherPageAtTheSameAddressIsFound) {
    const auto before = pins.pin(page);
    kernel.memory.back_scattered(page, page_4k, page_4k); // munmap, mmap
    const auto after = pins.pin(page);
    ASSERT_OK(after);
    EXPECT_NE(*before, *after);
    EXPECT_EQ(*after, *kernel.memory.pa(raw(page)));
    EXPECT_EQ(kernel.census().areas, 1U) << "the old pin is given back";
}

// Secondary processes of two PID namespaces may have the same number, and a killed one's may come
// again while its pages are still pinned.
TEST_F(PagePins, ProcessesOfTheSameNumberDoNotCollide) {
    preload::PagePins same{kernel};
    preload::PagePins next{kernel};
    same.use(space.iommufd(), space.ioas(), 7);
    next.use(space.iommufd(), space.ioas(), 8);
    kernel.memory.back_scattered(page, 8 * page_4k, page_4k);
    for (std::uint64_t i = 0; i < 4; ++i)
        for (preload::PagePins *one : {&pins, &same, &next}) {
            const Va at = page + i * page_4k;
            const auto pa = one->pin(at);
            ASSERT_OK(pa);
            EXPECT_EQ(*pa, *kernel.memory.pa(raw(at)));
        }
    EXPECT_EQ(kernel.census().areas, 12U);
    // What one has unpinned another may take: it finds its own place again.
    pins.release(page, 4 * page_4k);
    preload::PagePins third{kernel};
    third.use(space.iommufd(), space.ioas(), 7);
    EXPECT_OK(third.pin(page));
    for (std::uint64_t i = 0; i < 4; ++i)
        EXPECT_OK(pins.pin(page + i * page_4k));
    EXPECT_EQ(kernel.census().areas, 13U);
    for (preload::PagePins *one : {&pins, &same, &next, &third})
        one->release_all();
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(PagePins, AProbeLeavesNothing) {
    const auto pa = pins.probe(page);
    ASSERT_OK(pa);
    EXPECT_EQ(*pa, *kernel.memory.pa(raw(page)));
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(PagePins, SweepDropsWhatHasGone) {
    const Va other = page + page_2m;
    EXPECT_OK(pins.pin(page));
    EXPECT_OK(pins.pin(other));
    kernel.memory.back_everything(0);
    kernel.memory.remove(page, page_4k);
    pins.sweep();
    EXPECT_EQ(pins.count(), 1U);
    EXPECT_EQ(kernel.census().areas, 1U);
    const auto gone = pins.pin(page);
    EXPECT_EQ(code(gone), EFAULT);
}

TEST_F(PagePins, ReleaseIsExact) {
    for (std::uint64_t i = 0; i < 4; ++i)
        EXPECT_OK(pins.pin(base + i * page_4k));
    pins.release(base + page_4k, 2 * page_4k);
    EXPECT_EQ(pins.count(), 2U);
    EXPECT_EQ(kernel.census().areas, 2U);
}

TEST_F(PagePins, NoFailureLeavesAPin) {
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto pa = pins.pin(page);
        const bool failed = kernel.has_failed();
        if (failed) {
            EXPECT_EQ(code(pa), injected_errno);
        }
        kernel.fail_nth(0, 0);
        pins.release_all();
        EXPECT_EQ(kernel.census().areas, 0U);
        return failed;
    });
    EXPECT_EQ(calls, 2);
}

// A broker's messages: without answers ahead the walk would take one for each page.
TEST_F(PagePins, AWalkOfPagesIsAnsweredInBatches) {
    constexpr std::uint64_t pages = 2048;
    kernel.memory.back_scattered(base, pages * page_4k, page_4k);
    const auto walk = [&] {
        kernel.pa_batches.clear();
        for (std::uint64_t i = 0; i < pages; ++i) {
            const auto pa = pins.pin(base + i * page_4k);
            ASSERT_OK(pa);
            ASSERT_EQ(*pa, *kernel.memory.pa(raw(base) + i * page_4k));
        }
    };
    walk();
    EXPECT_EQ(kernel.pa_batches.size(), pages) << "negative control";
    pins.release_all();
    kernel.max_pa_batch = 256;
    walk();
    EXPECT_EQ(kernel.pa_batches.size(), 16U) << "1, 2, 4 .. 128, then eight of 256";
    pins.release(base + pages * page_4k, page_4k);
    EXPECT_EQ(kernel.census().pinned, pages * page_4k) << "what was pinned ahead is unpinned";
    kernel.pa_batches.clear();
    pins.sweep();
    EXPECT_EQ(kernel.pa_batches.size(), pages / 256);
    EXPECT_EQ(pins.count(), pages);
}

TEST_F(PagePins, AnAnswerAheadIsForTheNextPageAlone) {
    kernel.memory.back_scattered(base, 64 * page_4k, page_4k);
    kernel.max_pa_batch = 256;
    for (std::uint64_t i = 0; i < 4; ++i) // the pages up to 6 are pinned ahead
        EXPECT_OK(pins.pin(base + i * page_4k));
    EXPECT_EQ(kernel.census().areas, 7U) << "negative control";
    kernel.memory.back_scattered(base + 5 * page_4k, page_4k, page_4k);
    const auto pa = pins.pin(base + 5 * page_4k);
    ASSERT_OK(pa);
    EXPECT_EQ(*pa, *kernel.memory.pa(raw(base) + 5 * page_4k));
    EXPECT_EQ(kernel.census().areas, 5U);
}

TEST_F(PagePins, AnAnswerAheadThatHasWaitedIsNotGiven) {
    static std::uint64_t now;
    now = 0;
    preload::PagePins timed(kernel, [] { return now; });
    timed.use(space.iommufd(), space.ioas(), 8);
    kernel.memory.back_scattered(base, 64 * page_4k, page_4k);
    kernel.max_pa_batch = 256;
    for (std::uint64_t i = 0; i < 4; ++i)
        EXPECT_OK(timed.pin(base + i * page_4k));
    kernel.memory.back_scattered(base + 4 * page_4k, page_4k, page_4k);
    now = 1'000'000'001;
    const auto pa = timed.pin(base + 4 * page_4k);
    ASSERT_OK(pa);
    EXPECT_EQ(*pa, *kernel.memory.pa(raw(base) + 4 * page_4k));
    timed.release_all();
}

TEST_F(PagePins, NothingIsPinnedAheadBeyondTheMemory) {
    kernel.memory.back_everything(0);
    kernel.memory.remove(base + 4 * page_4k, page_1g - 4 * page_4k);
    kernel.max_pa_batch = 256;
    for (std::uint64_t i = 0; i < 4; ++i)
        EXPECT_OK(pins.pin(base + i * page_4k));
    EXPECT_EQ(kernel.census().areas, 4U);
    EXPECT_EQ(code(pins.pin(base + 4 * page_4k)), EFAULT);
    EXPECT_EQ(pins.count(), 4U);
}

TEST_F(PagePins, NoFailureOfAWalkLeavesAPin) {
    kernel.memory.back_scattered(base, 64 * page_4k, page_4k);
    kernel.max_pa_batch = 8;
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        for (std::uint64_t i = 0; i < 8; ++i)
            if (const auto pa = pins.pin(base + i * page_4k); pa) {
                EXPECT_EQ(*pa, *kernel.memory.pa(raw(base) + i * page_4k));
            } else {
                EXPECT_EQ(code(pa), injected_errno);
            }
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        pins.release_all();
        EXPECT_EQ(kernel.census().areas, 0U);
        return failed;
    });
    EXPECT_GE(calls, 16);
}

TEST_F(PagePins, WithoutRawioItSaysSo) {
    kernel.has_rawio = false;
    const auto pa = pins.pin(page);
    EXPECT_TRUE(contains(message(pa), "CAP_SYS_RAWIO"));
    EXPECT_EQ(kernel.census().areas, 0U);
    kernel.has_rawio = true;
}

TEST_F(PagePins, WhatIsGivenBackIsUnpinned) {
    for (std::uint64_t i = 0; i < 4; ++i)
        EXPECT_OK(pins.pin(base + i * page_4k));
    auto *second = reinterpret_cast<void *>(raw(base + page_4k));
    errno = E2BIG;
    EXPECT_EQ(pins.unmap_and_release(second, page_4k + 1, [](void *, std::size_t) { return -1; }),
              -1);
    EXPECT_EQ(pins.count(), 4U) << "munmap() has failed: the memory is there";
    EXPECT_EQ(pins.unmap_and_release(second, page_4k + 1, [](void *, std::size_t) { return 0; }),
              0);
    EXPECT_EQ(errno, E2BIG);
    EXPECT_EQ(kernel.census().areas, 2U) << "a page of which one byte goes, goes";
    EXPECT_EQ(pins.ranges(), (std::map<std::uint64_t, std::uint64_t>{
                                 {raw(base), page_4k}, {raw(base) + 3 * page_4k, page_4k}}));
}

} // namespace iommufd::test
