// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Each operation of AddressSpace with each of its calls failing, and against a model.

#include <iterator>
#include <map>
#include <random>

#include <gtest/gtest.h>

#include "bound_space.hpp"

namespace iommufd::test {
namespace {

TEST(AddressSpaceFailures, Open) {
    const int calls = for_each_failing_call([](int n) {
        FakeKernel kernel;
        const auto table = std::make_unique<DmaTable>();
        AddressSpace space(kernel, *table);
        kernel.fail_nth(n, injected_errno);
        const auto opened = space.open();
        EXPECT_EQ(code(opened), kernel.has_failed() ? injected_errno : 0);
        EXPECT_EQ(space.is_open(), opened.has_value());
        if (!opened) {
            EXPECT_EQ(kernel.census(), Census{});
            EXPECT_OK(space.open());
        }
        EXPECT_EQ(kernel.census().fds, 1U);
        return !opened.has_value();
    });
    EXPECT_EQ(calls, 2);
}

class AddressSpaceFailures : public BoundSpaceTest,
                             public ::testing::WithParamInterface<std::uint64_t> {
protected:
    AddressSpaceFailures() {
        kernel.memory.back_scattered(base, length, page);
        EXPECT_OK(space.map(other, page_4k, page_4k));
        before = kernel.census();
    }
    ~AddressSpaceFailures() override { kernel.fail_nth(0, 0); }

    // As if nothing had been tried.
    void expect_unchanged() {
        EXPECT_EQ(kernel.census(), before);
        EXPECT_EQ(space.areas(), 1U);
        EXPECT_EQ(space.bytes_mapped(), page_4k);
        EXPECT_TRUE(table.lookup(other).has_value());
        for (std::uint64_t at = 0; at < length; at += page)
            EXPECT_EQ(table.lookup(base + at), std::nullopt);
    }
    // With another IOAS, and in it what the first one had in the beginning.
    void start_again() {
        space.close();
        EXPECT_EQ(kernel.close(cdev), 0);
        EXPECT_EQ(kernel.census(), Census{});
        EXPECT_OK(space.open());
        attach();
        EXPECT_OK(space.map(other, page_4k, page_4k));
    }
    void expect_mapped() {
        EXPECT_EQ(kernel.census().pinned, before.pinned + length);
        EXPECT_EQ(space.areas(), 2U);
        EXPECT_EQ(space.bytes_mapped(), page_4k + length);
        for (std::uint64_t at = 0; at < length; at += page)
            EXPECT_EQ(table.lookup(base + at + 3), Dma{*kernel.memory.pa(raw(base) + at) + 3});
    }

    const std::uint64_t page = GetParam();
    const std::uint64_t length = 3 * page;
    const Va other = base + -page_1g;
    Census before;
};

TEST_P(AddressSpaceFailures, Map) {
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto mapped = space.map(base, length, page);
        EXPECT_EQ(code(mapped), kernel.has_failed() ? injected_errno : 0);
        if (!mapped)
            expect_unchanged();
        return !mapped.has_value();
    });
    EXPECT_EQ(calls, 1 + 3) << "MAP, and GET_PA of every page";
    kernel.fail_nth(0, 0);
    expect_mapped();
    EXPECT_OK(space.unmap(base, length));
    expect_unchanged();
}

TEST_P(AddressSpaceFailures, MapAndEveryCallAfterTheFirst) {
    for (int n = 1; n <= 4; ++n) {
        kernel.fail_from(n, injected_errno, EIO);
        const auto mapped = space.map(base, length, page);
        EXPECT_EQ(code(mapped), injected_errno) << "the first error, not that of undoing";
        EXPECT_EQ(contains(message(mapped), "stays pinned"), n > 1);
        kernel.fail_nth(0, 0);
        EXPECT_EQ(table.lookup(base), std::nullopt);
        EXPECT_EQ(space.bytes_mapped(), page_4k + (n > 1 ? length : 0)) << "what is pinned counts";
        start_again(); // what could not be undone goes with the IOAS
        expect_unchanged();
    }
}

TEST_P(AddressSpaceFailures, Unmap) {
    ASSERT_OK(space.map(base, length, page));
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto unmapped = space.unmap(base, length);
        EXPECT_EQ(code(unmapped), kernel.has_failed() ? injected_errno : 0);
        if (!unmapped)
            expect_mapped();
        return !unmapped.has_value();
    });
    EXPECT_EQ(calls, 1);
    expect_unchanged();
}

TEST_P(AddressSpaceFailures, UnmapThatCannotBeUndone) {
    ASSERT_OK(space.map(base, length, page));
    kernel.fail_from(1, injected_errno, EIO);
    const auto unmapped = space.unmap(base, length);
    EXPECT_EQ(code(unmapped), injected_errno);
    EXPECT_TRUE(contains(message(unmapped), "no longer resolved"));
    // Pinned, and nobody finds it.
    EXPECT_EQ(table.lookup(base), std::nullopt);
    EXPECT_EQ(space.areas(), 2U);
    kernel.fail_nth(0, 0);
    EXPECT_OK(space.unmap(base, length));
    expect_unchanged();
}

TEST_P(AddressSpaceFailures, UnmapAll) {
    const int calls = for_each_failing_call([&](int n) {
        EXPECT_OK(space.map(base, length, page));
        kernel.fail_nth(n, injected_errno);
        const auto unmapped = space.unmap_all();
        EXPECT_EQ(code(unmapped), kernel.has_failed() ? injected_errno : 0);
        EXPECT_EQ(space.areas(), 0U);
        EXPECT_EQ(table.lookup(base), std::nullopt);
        EXPECT_EQ(table.lookup(other), std::nullopt);
        const bool failed = kernel.has_failed();
        EXPECT_EQ(kernel.census().areas, failed ? 1U : 0U) << "the others are released";
        kernel.fail_nth(0, 0);
        start_again();
        return failed;
    });
    EXPECT_EQ(calls, 2);
    EXPECT_OK(space.map(base, length, page));
    kernel.fail_from(1, injected_errno, EIO);
    EXPECT_EQ(code(space.unmap_all()), injected_errno) << "the first error";
}

TEST_P(AddressSpaceFailures, CloseWhileEverythingFails) {
    ASSERT_OK(space.map(base, length, page));
    kernel.fail_from(1, injected_errno, EIO);
    space.close();
    EXPECT_FALSE(space.is_open());
    EXPECT_EQ(table.lookup(base), std::nullopt);
    EXPECT_EQ(kernel.close(cdev), -EIO);
    EXPECT_EQ(kernel.census(), Census{});
    kernel.fail_nth(0, 0);
    EXPECT_OK(space.open());
    attach();
}

INSTANTIATE_TEST_SUITE_P(Pages, AddressSpaceFailures, ::testing::Values(page_4k, page_2m, page_1g),
                         [](const auto &info) { return "Of" + std::to_string(info.param); });

class AddressSpaceProperty : public BoundSpaceTest,
                             public ::testing::WithParamInterface<unsigned> {};

// Random maps and unmaps, valid or not, while calls fail now and then.
TEST_P(AddressSpaceProperty, AnswersAsTheModel) {
    std::mt19937_64 random(GetParam());
    const auto below = [&](std::uint64_t n) { return random() % n; };
    std::map<std::uint64_t, std::uint64_t> model; // start -> length
    const auto is_free = [&](std::uint64_t start, std::uint64_t length) {
        const auto next = model.lower_bound(start + length);
        return next == model.begin() || std::prev(next)->first + std::prev(next)->second <= start;
    };
    const auto expect_same = [&](std::uint64_t va) {
        const bool mapped = !is_free(va, 1);
        const auto dma = table.lookup(Va{va});
        EXPECT_EQ(dma, mapped ? std::optional(Dma{*kernel.memory.pa(va)}) : std::nullopt)
            << std::hex << va;
    };
    int mapped_count = 0;
    int failed_count = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::uint64_t page = below(2) == 0 ? page_4k : page_2m;
        const Va va{raw(base) + below(64 * page_2m) / page * page};
        const std::uint64_t length = page * (1 + below(5));
        if (below(4) == 0)
            kernel.fail_nth(1 + static_cast<int>(below(5)), injected_errno);
        else
            kernel.fail_nth(0, 0);
        if (below(2) == 0) {
            if (is_free(raw(va), length)) // else it may be pinned
                kernel.memory.back_scattered(va, length, page);
            const auto mapped = space.map(va, length, page);
            const int expected = !is_free(raw(va), length) ? EEXIST
                                 : kernel.has_failed()     ? injected_errno
                                                           : 0;
            EXPECT_EQ(code(mapped), expected);
            if (mapped)
                model.emplace(raw(va), length);
            mapped_count += mapped.has_value();
        } else if (!model.empty()) {
            auto area = model.lower_bound(raw(va));
            if (area == model.end())
                area = model.begin();
            const auto [start, size] = *area;
            const bool whole = below(4) != 0;
            const auto unmapped = space.unmap(Va{start}, whole ? size : size + page_4k);
            EXPECT_EQ(code(unmapped), !whole ? ENOENT : kernel.has_failed() ? injected_errno : 0);
            // GET_PA may fail where UNMAP has: then it is mapped without being found.
            if (unmapped)
                model.erase(start);
        }
        failed_count += kernel.has_failed();
        std::uint64_t bytes = 0;
        for (const auto &[start, size] : model) {
            bytes += size;
            for (const std::uint64_t edge : {start, start + size})
                for (const int step : {-1, 0})
                    expect_same(edge + static_cast<std::uint64_t>(step));
        }
        EXPECT_EQ(space.areas(), model.size());
        EXPECT_EQ(space.bytes_mapped(), bytes);
        EXPECT_EQ(kernel.census().pinned, bytes);
        if (HasFailure())
            FAIL() << "at step " << i;
    }
    EXPECT_GT(mapped_count, 200);
    EXPECT_GT(failed_count, 50);
    kernel.fail_nth(0, 0);
}

INSTANTIATE_TEST_SUITE_P(Seeds, AddressSpaceProperty, ::testing::Range(1U, 7U));

using AddressSpaceBatches = BoundSpaceTest;

// As behind a broker: a message for each page would be 1024.
TEST_F(AddressSpaceBatches, SmallPagesAreResolvedInBatches) {
    constexpr std::uint64_t length = 1024 * page_4k;
    kernel.memory.back_scattered(base, length, page_4k);
    const auto map = [&] {
        kernel.pa_batches.clear();
        EXPECT_OK(space.map(base, length, page_4k));
        for (std::uint64_t done = 0; done < length; done += page_4k)
            ASSERT_EQ(raw(*table.lookup(base + done)), *kernel.memory.pa(raw(base) + done));
        EXPECT_OK(space.unmap(base, length));
    };
    map();
    EXPECT_EQ(kernel.pa_batches.size(), 1024U) << "negative control";
    kernel.max_pa_batch = 256;
    map();
    EXPECT_EQ(kernel.pa_batches.size(), 5U) << "one question, then four of 256 but for it";
    kernel.memory.back(base, length, page_1g);
    map();
    EXPECT_EQ(kernel.pa_batches.size(), 1U) << "one long run is one question";
    // Half of it a run, half of it pages.
    kernel.memory.back_scattered(base, length / 2, page_4k);
    map();
    EXPECT_EQ(kernel.pa_batches.size(), 5U);
    kernel.memory.back_scattered(base, length, page_4k);
    for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const bool ok = space.map(base, length, page_4k).has_value();
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        if (ok) {
            EXPECT_OK(space.unmap(base, length));
        }
        EXPECT_FALSE(table.lookup(base));
        EXPECT_EQ(kernel.census().areas, 0U);
        return failed && n < 300;
    });
    kernel.max_pa_batch = 1;
}

} // namespace
} // namespace iommufd::test
