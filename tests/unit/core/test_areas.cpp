// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Areas and who uses them, without a kernel.

#include <gtest/gtest.h>

#include "core/ioas/areas.hpp"
#include "core/ioas/use.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

class AreasTest : public ::testing::Test {
protected:
    Areas::Iterator add(std::uint64_t page, std::uint64_t pages = 1) {
        const Va va = at(page);
        EXPECT_OK(areas.check(va, pages * page_4k, page_4k));
        return areas.insert(va, {.length = pages * page_4k, .page_size = page_4k});
    }
    static Va at(std::uint64_t page) { return base + page * page_4k; }

    Areas areas;
    Use use{areas};
};

TEST_F(AreasTest, AnAreaIsFoundAsItWasMapped) {
    const auto area = add(2, 3);
    EXPECT_EQ(*areas.find(at(2), 3 * page_4k), area);
    for (const auto &[page, pages] : {std::pair{2, 2}, {3, 2}, {2, 4}, {9, 1}})
        EXPECT_EQ(code(areas.find(at(page), pages * page_4k)), ENOENT);
    EXPECT_EQ(code(areas.find(at(2), 0)), EINVAL);
    EXPECT_EQ(code(areas.check(at(4), 2 * page_4k, page_4k)), EEXIST);
    EXPECT_OK(areas.check(at(5), page_4k, page_4k));
    EXPECT_OK(areas.check(at(1), page_4k, page_4k));
}

TEST_F(AreasTest, AKeyNamesNoLaterAreaAtTheSamePlace) {
    const auto area = add(0);
    const AreaKey key = Areas::key_of(area);
    EXPECT_EQ(areas.find(key), area);
    areas.erase(area);
    EXPECT_EQ(areas.find(key), areas.end());
    add(0);
    EXPECT_EQ(areas.find(key), areas.end());
}

TEST_F(AreasTest, ARangeIsCoveredWithoutGaps) {
    add(0, 2);
    const auto second = add(2, 2);
    add(5);
    EXPECT_EQ(areas.covering(at(1), 2 * page_4k)->size(), 2U);
    EXPECT_EQ(areas.covering(at(3) + 7, 1)->front(), second);
    EXPECT_EQ(code(areas.covering(at(3), 2 * page_4k)), EFAULT);
    EXPECT_EQ(code(areas.covering(at(4), page_4k)), EFAULT);
    use.retire(second, Backing::freed);
    EXPECT_EQ(code(areas.covering(at(2), 1)), EFAULT);
    EXPECT_EQ(code(areas.find(at(2), 2 * page_4k)), ENOENT);
    EXPECT_TRUE(contains(message(areas.check(at(2), 2 * page_4k, page_4k)), "still uses it"));
}

TEST_F(AreasTest, ARefusedHoldHoldsNothing) {
    const auto area = add(0);
    std::vector<AreaKey> held;
    EXPECT_EQ(code(use.hold(at(0), page_4k + 1, HeldBy::queue, &held)), EFAULT);
    EXPECT_TRUE(held.empty());
    EXPECT_EQ(area->second.queues, 0U);
}

TEST_F(AreasTest, TheLastHolderOfARetiredAreaEndsIt) {
    const auto area = add(0);
    std::vector<AreaKey> held;
    ASSERT_OK(use.hold(at(0), 1, HeldBy::queue, &held));
    ASSERT_OK(use.hold(at(0), 1, HeldBy::queue, &held)) << "once is enough";
    EXPECT_EQ(area->second.queues, 1U);
    std::vector<AreaKey> other;
    ASSERT_OK(use.hold(at(0), 1, HeldBy::queue, &other));
    use.retire(area, Backing::freed);
    EXPECT_EQ(use.retired(), 1U);
    EXPECT_EQ(use.end_hold(other.front(), HeldBy::queue), areas.end());
    EXPECT_EQ(use.end_hold(held.front(), HeldBy::queue), area);
    use.end_retired(area->second);
    EXPECT_EQ(use.retired(), 0U);
}

TEST_F(AreasTest, APoolKeepsOnlyWhatItsOwnerKeeps) {
    const auto area = add(0);
    std::vector<AreaKey> held;
    ASSERT_OK(use.hold(at(0), 1, HeldBy::pool, &held));
    use.retire(area, Backing::kept);
    EXPECT_TRUE(area->second.is_used());
    area->second.backing = Backing::freed;
    EXPECT_FALSE(area->second.is_used());
}

class OnePacket final : public InFlight {
public:
    explicit OnePacket(DmaRange packet) : packet_(packet) {}
    [[nodiscard]] std::size_t capacity() const override { return 1; }
    void ranges(std::vector<DmaRange> *all) const override { all->push_back(packet_); }
    [[nodiscard]] bool wait_for_lookups() const override { return lookups_end; }
    bool lookups_end = true;

private:
    DmaRange packet_;
};

TEST_F(AreasTest, QueuesAreAskedWhatTheyRead) {
    OnePacket inside({Dma{page_4k + 4095}, 1});
    OnePacket outside({Dma{2 * page_4k}, 1});
    use.register_queue(&inside);
    use.register_queue(&outside);
    ReaderQuery query = use.query({{Dma{page_4k}, page_4k}});
    EXPECT_EQ(use.readers(&query), 1U);
    outside.lookups_end = false;
    EXPECT_EQ(use.readers(&query), 1U);
    EXPECT_EQ(use.possible_readers(&query), 2U) << "nothing certain is known of it";

    const auto area = add(1);
    area->second.ranges = {{Dma{page_4k}, page_4k}};
    use.retire(area, Backing::freed);
    EXPECT_TRUE(use.add_readers(area));
    EXPECT_EQ(area->second.queues, 2U);
    use.remove_readers(area);
    EXPECT_EQ(area->second.queues, 0U);
    outside.lookups_end = true;
    EXPECT_TRUE(use.add_readers(area));
    EXPECT_TRUE(use.unregister_queue(&outside).empty());
    EXPECT_EQ(use.unregister_queue(&inside), std::vector<AreaKey>{Areas::key_of(area)});
    EXPECT_FALSE(use.has_queues());
}

} // namespace
} // namespace iommufd::test
