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

TEST_F(PagePins, WithoutRawioItSaysSo) {
    kernel.has_rawio = false;
    const auto pa = pins.pin(page);
    EXPECT_TRUE(contains(message(pa), "CAP_SYS_RAWIO"));
    EXPECT_EQ(kernel.census().areas, 0U);
    kernel.has_rawio = true;
}

} // namespace iommufd::test
