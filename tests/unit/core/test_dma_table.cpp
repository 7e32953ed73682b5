// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "core/ioas/dma_table.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

constexpr std::uint64_t end_of_range = 1ULL << va_bits;

// The same, in the simplest way there is.
class Model {
public:
    void insert(Va va, Dma dma, std::uint64_t length) { runs_[raw(va)] = {length, dma}; }
    void erase(Va va, std::uint64_t length) {
        runs_.erase(runs_.lower_bound(raw(va)), runs_.lower_bound(raw(va) + length));
    }
    [[nodiscard]] std::optional<Dma> lookup(Va va) const {
        const auto next = runs_.upper_bound(raw(va));
        if (next == runs_.begin())
            return std::nullopt;
        const auto &[start, run] = *std::prev(next);
        if (raw(va) - start >= run.length)
            return std::nullopt;
        return run.dma + (raw(va) - start);
    }
    [[nodiscard]] bool is_free(Va va, std::uint64_t length) const {
        const auto next = runs_.lower_bound(raw(va) + length);
        return next == runs_.begin() ||
               std::prev(next)->first + std::prev(next)->second.length <= raw(va);
    }

    struct Run {
        std::uint64_t length;
        Dma dma;
    };
    std::map<std::uint64_t, Run> runs_; // by start
};

class DmaTableTest : public ::testing::Test {
protected:
    void insert(Va va, Dma dma, std::uint64_t length) {
        ASSERT_TRUE(table.insert(va, dma, length));
        model.insert(va, dma, length);
    }
    void erase(Va va, std::uint64_t length) {
        table.erase(va, length);
        model.erase(va, length);
    }
    void expect_same(std::uint64_t va) const {
        EXPECT_EQ(table.lookup(Va{va}), model.lookup(Va{va})) << std::hex << "at 0x" << va;
    }
    // Around both ends, and around the page borders next to them.
    void expect_same_around(std::uint64_t start, std::uint64_t length) const {
        for (const std::uint64_t edge :
             {start, start + length, start + page_4k, start + length - page_4k, start + length / 2})
            for (const int step : {-1, 0, 1})
                expect_same(edge + static_cast<std::uint64_t>(step));
    }

    std::unique_ptr<DmaTable> owner = std::make_unique<DmaTable>(); // 2 MiB
    DmaTable &table = *owner;
    Model model;
};

TEST_F(DmaTableTest, EmptyTableAnswersNothing) {
    for (const std::uint64_t va : std::initializer_list<std::uint64_t>{
             0, 1, page_4k, page_2m, page_1g, raw(base), end_of_range - 1, end_of_range,
             end_of_range + page_4k, 1ULL << 63, UINT64_MAX})
        EXPECT_EQ(table.lookup(Va{va}), std::nullopt) << va;
}

TEST_F(DmaTableTest, KeepsTheOffsetInEveryPageSize) {
    for (const std::uint64_t page : {page_4k, page_2m, page_1g}) {
        insert(base, Dma{3 * page_1g}, page);
        EXPECT_EQ(table.lookup(base), Dma{3 * page_1g});
        EXPECT_EQ(table.lookup(base + 1), Dma{3 * page_1g + 1});
        EXPECT_EQ(table.lookup(base + (page - 1)), Dma{3 * page_1g + page - 1});
        EXPECT_EQ(table.lookup(base + page), std::nullopt);
        EXPECT_EQ(table.lookup(Va{raw(base) - 1}), std::nullopt);
        erase(base, page);
        EXPECT_EQ(table.lookup(base), std::nullopt);
    }
}

TEST_F(DmaTableTest, DmaAddressesAboveAndBelowTheVirtualOnes) {
    insert(base, Dma{0}, page_4k); // a frame like any other
    EXPECT_EQ(table.lookup(base + 5), Dma{5});
    insert(base + page_4k, Dma{(1ULL << 52) - page_4k}, page_4k);
    EXPECT_EQ(table.lookup(base + 2 * page_4k + -1), Dma{(1ULL << 52) - 1});
    insert(base + 2 * page_4k, Dma{raw(base) + 2 * page_4k}, page_4k); // an IOMMU: the VA itself
    EXPECT_EQ(table.lookup(base + 2 * page_4k), Dma{raw(base) + 2 * page_4k});
    insert(base + page_1g, Dma{raw(base) + page_1g}, page_1g);
    EXPECT_EQ(table.lookup(base + 2 * page_1g + -1), Dma{raw(base) + 2 * page_1g - 1});
}

TEST_F(DmaTableTest, EndsOfThe47BitRange) {
    insert(Va{0}, Dma{page_2m}, page_4k);
    EXPECT_EQ(table.lookup(Va{0}), Dma{page_2m});
    for (const std::uint64_t page : {page_4k, page_2m, page_1g}) {
        const Va last{end_of_range - page};
        insert(last, Dma{page_1g}, page);
        EXPECT_EQ(table.lookup(Va{end_of_range - 1}), Dma{page_1g + page - 1});
        EXPECT_EQ(table.lookup(Va{end_of_range}), std::nullopt);
        EXPECT_EQ(table.lookup(Va{UINT64_MAX}), std::nullopt);
        // The same bits above the range are another address.
        EXPECT_EQ(table.lookup(Va{raw(last) + (1ULL << va_bits)}), std::nullopt);
        EXPECT_EQ(table.lookup(Va{1ULL << va_bits}), std::nullopt);
        erase(last, page);
    }
}

// Every way to follow a page of one size by one of another at the same address, four deep.
TEST_F(DmaTableTest, PageSizesFollowEachOther) {
    const std::uint64_t pages[] = {page_4k, page_2m, page_1g};
    for (int sequence = 0; sequence < 3 * 3 * 3 * 3; ++sequence) {
        SCOPED_TRACE(sequence);
        for (int step = 0, rest = sequence; step < 4; ++step, rest /= 3) {
            const std::uint64_t page = pages[rest % 3];
            // Not the first page of what is larger, so that directories have a middle.
            const Va va = base + (page == page_1g ? 0 : 7 * page);
            const Dma dma{static_cast<std::uint64_t>(step + 1) * page_1g};
            insert(va, dma, page);
            expect_same_around(raw(va), page);
            expect_same(raw(base));
            expect_same(raw(base) + page_1g - 1);
            erase(va, page);
            expect_same_around(raw(va), page);
        }
    }
}

TEST(DmaTableRange, AddressAndLengthInOneWalk) {
    std::vector<std::uint64_t> root(DmaTable::root_words);
    DmaTable table(root.data());
    const std::uint64_t va = raw(base);
    const std::uint64_t dma = page_1g;
    const auto range = [&](std::uint64_t from, std::uint64_t wanted) {
        std::uint64_t length = wanted;
        const std::uint64_t found = rte_iommufd_table_lookup_range(root.data(), from, &length);
        return std::pair(found, length);
    };

    EXPECT_EQ(range(va, 100), std::pair(RTE_IOMMUFD_NO_DMA, std::uint64_t{0})) << "nothing yet";
    // 2 MiB, 4 KiB that go on in both, a neighbour that does not go on for the device, a gap.
    ASSERT_TRUE(table.insert(base, Dma{dma}, page_2m));
    ASSERT_TRUE(table.insert(base + page_2m, Dma{dma + page_2m}, page_4k));
    ASSERT_TRUE(table.insert(base + page_2m + page_4k, Dma{dma}, page_4k));

    EXPECT_EQ(range(va, 100), std::pair(dma, std::uint64_t{100}));
    EXPECT_EQ(range(va + 1, 0), std::pair(dma + 1, std::uint64_t{0}));
    EXPECT_EQ(range(va + page_2m - 1, 1), std::pair(dma + page_2m - 1, std::uint64_t{1}));
    EXPECT_EQ(range(va + page_2m - 1, 2), std::pair(dma + page_2m - 1, std::uint64_t{2}));
    EXPECT_EQ(range(va + 5, UINT64_MAX), std::pair(dma + 5, page_2m + page_4k - 5));
    EXPECT_EQ(range(va + page_2m + page_4k - 1, 2),
              std::pair(dma + page_2m + page_4k - 1, std::uint64_t{1}))
        << "a neighbour elsewhere for the device";
    EXPECT_EQ(range(va + page_2m + page_4k, 2 * page_4k), std::pair(dma, page_4k)) << "a gap";
    EXPECT_EQ(range(va - 1, 2), std::pair(RTE_IOMMUFD_NO_DMA, std::uint64_t{0}));
    EXPECT_EQ(range(end_of_range, 1), std::pair(RTE_IOMMUFD_NO_DMA, std::uint64_t{0}));
}

TEST_F(DmaTableTest, LeavesStayWhenANeighbourInTheirDirectoryGoes) {
    insert(base, Dma{0x1000}, page_4k);
    insert(base + page_2m, Dma{page_2m}, page_2m);
    insert(base + page_1g, Dma{page_1g}, page_1g);
    for (const auto &[start, run] : std::map(model.runs_)) {
        erase(Va{start}, run.length);
        for (const std::uint64_t va : {raw(base), raw(base) + page_2m, raw(base) + page_1g})
            expect_same(va);
        insert(Va{start}, run.dma, run.length);
    }
}

// All ranges of up to 8 pages around a 2 MiB border, with addresses that allow large leaves and
// with addresses that do not.
TEST_F(DmaTableTest, EverySmallRangeAroundABorder) {
    const std::uint64_t border = raw(base) + page_2m;
    for (const std::uint64_t skew : {std::uint64_t{0}, page_4k, page_2m - page_4k})
        for (std::uint64_t first = 0; first < 8; ++first)
            for (std::uint64_t pages = 1; pages <= 8 - first; ++pages) {
                const std::uint64_t start = border - 4 * page_4k + first * page_4k;
                insert(Va{start}, Dma{start - raw(base) + page_1g + skew}, pages * page_4k);
                for (std::uint64_t page = 0; page < 10; ++page)
                    expect_same(border - 5 * page_4k + page * page_4k + 0xabc);
                erase(Va{start}, pages * page_4k);
            }
}

TEST_F(DmaTableTest, RangesTakeTheLargestLeaves) {
    // 4 KiB, 2 MiB, 1 GiB, 2 MiB and 4 KiB pages in one insert; then in the same place again.
    const Va start{raw(base) + page_1g - page_2m - page_4k};
    const std::uint64_t length = page_1g + 2 * page_2m + 2 * page_4k;
    for (const std::uint64_t skew : {std::uint64_t{0}, page_2m, std::uint64_t{0}}) {
        insert(start, Dma{raw(start) - raw(base) + skew}, length);
        for (std::uint64_t at = 0; at < length; at += page_2m / 2 - page_4k)
            expect_same(raw(start) + at);
        expect_same_around(raw(start), length);
        erase(start, length);
        expect_same_around(raw(start), length);
    }
}

TEST_F(DmaTableTest, EraseOfNothingIsNothing) {
    erase(base, page_1g);
    erase(Va{end_of_range - page_4k}, page_4k);
    insert(base, Dma{page_1g}, page_2m);
    erase(base + page_2m, page_1g);
    erase(base, 0);
    expect_same_around(raw(base), page_2m);
}

TEST_F(DmaTableTest, EraseOfSeveralRangesAndTheGapsBetween) {
    for (const std::uint64_t at : {page_4k, page_2m, 3 * page_2m, page_1g, 2 * page_1g + page_4k})
        insert(base + at, Dma{at}, at % page_2m != 0 ? page_4k : page_2m);
    erase(base, 2 * page_1g);
    for (const std::uint64_t at : {page_4k, page_2m, 3 * page_2m, page_1g, 2 * page_1g + page_4k})
        expect_same(raw(base) + at);
    EXPECT_EQ(model.runs_.size(), 1U);
}

// Where nothing is mapped, directories are missing too: no step may pass over what follows.
TEST_F(DmaTableTest, EraseFromTheMiddleOfAGap) {
    for (const std::uint64_t page : {page_4k, page_2m}) {
        const std::uint64_t larger = page == page_4k ? page_2m : page_1g;
        insert(base + larger, Dma{page}, page);
        insert(base + 2 * larger + page, Dma{5 * page}, page);
        erase(base + (larger - page), larger + 3 * page);
        expect_same(raw(base) + larger);
        expect_same(raw(base) + 2 * larger + page);
        EXPECT_TRUE(model.runs_.empty());
    }
}

class DmaTableProperty : public DmaTableTest, public ::testing::WithParamInterface<unsigned> {};

// Random inserts and erases in a few GiB against the model.
TEST_P(DmaTableProperty, AnswersAsTheModel) {
    std::mt19937_64 random(GetParam());
    const auto below = [&](std::uint64_t n) { return random() % n; };
    const auto random_va = [&](std::uint64_t alignment) {
        const std::uint64_t span = 3 * page_1g;
        return (end_of_range - span + below(span)) & ~(alignment - 1);
    };
    const std::uint64_t units[] = {page_4k, page_4k, page_2m, page_2m, page_1g};
    int inserted = 0;
    for (int i = 0; i < 3000; ++i) {
        if (below(3) != 0 || model.runs_.empty()) {
            const std::uint64_t unit = units[below(std::size(units))];
            const Va va{random_va(unit)};
            const std::uint64_t length = unit * (1 + below(unit == page_1g ? 2 : 6));
            if (raw(va) + length > end_of_range || !model.is_free(va, length))
                continue;
            // Aligned as the VA is in any unit up to this one.
            insert(va, Dma{below(1ULL << 20) * unit}, length);
            expect_same_around(raw(va), length);
            ++inserted;
        } else {
            auto run = model.runs_.lower_bound(random_va(page_4k));
            if (run == model.runs_.end())
                run = model.runs_.begin();
            const auto [start, what] = *run;
            erase(Va{start}, what.length);
            expect_same_around(start, what.length);
        }
        for (int probe = 0; probe < 4; ++probe)
            expect_same(random_va(1));
        if (HasFailure())
            FAIL() << "at step " << i;
    }
    EXPECT_GT(inserted, 100);
    for (const auto &[start, run] : std::map(model.runs_))
        erase(Va{start}, run.length);
    for (int probe = 0; probe < 1000; ++probe)
        EXPECT_EQ(table.lookup(Va{random_va(1)}), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Seeds, DmaTableProperty, ::testing::Range(1U, 9U));

} // namespace
} // namespace iommufd::test
