// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a transmit queue has in flight is not unmapped.

#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "bound_space.hpp"

namespace iommufd::test {
namespace {

// A queue with what the test puts into it.
class FakeQueue final : public InFlight {
public:
    [[nodiscard]] std::size_t capacity() const override { return 8; }
    void ranges(std::vector<DmaRange> *all) const override {
        all->insert(all->end(), packets.begin(), packets.end());
    }
    [[nodiscard]] bool wait_for_lookups() const override {
        if (while_waiting)
            while_waiting();
        return lookups_end;
    }

    std::vector<DmaRange> packets;
    std::function<void()> while_waiting;
    bool lookups_end = true;
};

constexpr std::uint64_t frame_a = 100 * page_2m; // of three pages that are neighbours
constexpr std::uint64_t packet = 1500;           // bytes

class InFlightTest : public BoundSpaceTest {
protected:
    InFlightTest() {
        kernel.memory.back(base, 3 * page_2m, frame_a);
        for (int i = 0; i < 3; ++i)
            EXPECT_OK(space.map(page(i), page_2m, page_2m));
        registered = space.register_queue(queue);
        other_registered = space.register_queue(other);
        pinned = kernel.census();
    }

    static Va page(int i) { return base + static_cast<std::uint64_t>(i) * page_2m; }
    static DmaRange at(std::uint64_t offset) { return {Dma{frame_a + offset}, packet}; }

    void expect_refused(Va va, std::uint64_t length, const char *queues) {
        kernel.calls.clear();
        const auto refused = space.unmap(va, length);
        EXPECT_EQ(code(refused), EBUSY);
        EXPECT_TRUE(contains(message(refused), "packets in it are in flight in"));
        EXPECT_TRUE(contains(message(refused), queues));
        EXPECT_TRUE(kernel.calls.empty()) << "the kernel is not asked: " << kernel.calls[0];
        EXPECT_EQ(kernel.census(), pinned);
    }
    void expect_found(int i) const {
        for (std::uint64_t at = 0; at < page_2m; at += page_4k)
            ASSERT_EQ(table.lookup(page(i) + at),
                      Dma{frame_a + static_cast<std::uint64_t>(i) * page_2m + at});
    }

    FakeQueue queue;
    FakeQueue other;
    InFlightRegistration registered;
    InFlightRegistration other_registered;
    Census pinned;
};

TEST_F(InFlightTest, AnAreaWithAPacketInItStays) {
    for (const std::uint64_t offset :
         {page_2m, page_2m + 1, page_2m + page_4k, page_2m - 1, page_2m - packet + 1,
          2 * page_2m - 1, 2 * page_2m - packet}) {
        SCOPED_TRACE(offset);
        queue.packets = {at(offset)};
        expect_refused(page(1), page_2m, " 1 transmit queue;");
        expect_found(1);
    }
    other.packets = {at(0), at(page_2m)};
    queue.packets = {at(2 * page_2m), at(page_2m + 7)};
    expect_refused(page(1), page_2m, " 2 transmit queues;");
    queue.packets.clear();
    expect_refused(page(1), page_2m, " 1 transmit queue;");
    other.packets.clear();
    EXPECT_OK(space.unmap(page(1), page_2m)) << "negative control: nothing is in flight";
}

TEST_F(InFlightTest, PacketsBesideItAreNoReason) {
    queue.packets = {at(page_2m - packet), at(2 * page_2m), {Dma{0}, packet}};
    EXPECT_OK(space.unmap(page(1), page_2m));
    EXPECT_EQ(table.lookup(page(1)), std::nullopt);
    expect_found(0);
    expect_found(2);
}

// A packet whose address had been looked up before the table forgot it.
TEST_F(InFlightTest, APacketThatShowsUpAtTheLastMomentKeepsIt) {
    queue.while_waiting = [this] {
        EXPECT_EQ(table.lookup(page(1)), std::nullopt) << "nobody finds it any more";
        queue.packets = {at(page_2m)};
    };
    expect_refused(page(1), page_2m, " 1 transmit queue;");
    expect_found(1);
    queue.while_waiting = nullptr;
    queue.packets.clear();
    EXPECT_OK(space.unmap(page(1), page_2m));
}

TEST_F(InFlightTest, ALookupThatDoesNotEndKeepsIt) {
    queue.lookups_end = false;
    expect_refused(page(1), page_2m, " 1 transmit queue;");
    expect_found(1);
    queue.lookups_end = true;
    EXPECT_OK(space.unmap(page(1), page_2m));
}

TEST_F(InFlightTest, AnAreaOfScatteredPagesIsFoundAgainAsItWas) {
    const Va area = base + page_1g;
    kernel.memory.back_scattered(area, page_2m, page_4k);
    kernel.memory.back(area + page_4k, page_4k, *kernel.memory.pa(raw(area)) + page_4k);
    ASSERT_OK(space.map(area, page_2m, page_4k));
    pinned = kernel.census();
    std::vector<std::optional<Dma>> before;
    for (std::uint64_t at = 0; at < page_2m; at += page_4k)
        before.push_back(table.lookup(area + at));
    for (std::uint64_t at = 0; at < page_2m; at += 37 * page_4k) {
        queue.while_waiting = [&, this] {
            queue.packets = {{*before[at / page_4k] + 4095, 1}}; // a last byte
        };
        queue.packets.clear();
        expect_refused(area, page_2m, " 1 transmit queue;");
    }
    for (std::uint64_t at = 0; at < page_2m; at += page_4k)
        EXPECT_EQ(table.lookup(area + at), before[at / page_4k]);
    queue.while_waiting = nullptr;
    queue.packets.clear();
    EXPECT_OK(space.unmap(area, page_2m));
}

TEST_F(InFlightTest, AFileIsFoundAgainInItsOrder) {
    const Va arena = base + page_1g;
    for (std::uint64_t i = 0; i < 3; ++i)
        kernel.memory.back(arena + i * page_2m, page_2m, (7 - 2 * i) * page_1g);
    std::vector<std::uint32_t> order;
    const int file = kernel.add_hugepage_file(page_2m);
    ASSERT_EQ(kernel.truncate_hugepage_file(file, 3 * page_2m), 0);
    ASSERT_OK(space.map_file(arena, 3 * page_2m, page_2m, file, &order));
    pinned = kernel.census();
    queue.while_waiting = [this] { queue.packets = {{Dma{5 * page_1g}, packet}}; };
    expect_refused(arena, 3 * page_2m, " 1 transmit queue;");
    for (std::uint64_t i = 0; i < 3; ++i)
        EXPECT_EQ(table.lookup(arena + i * page_2m), Dma{(3 + 2 * i) * page_1g});
    queue.while_waiting = nullptr;
    queue.packets.clear();
    EXPECT_OK(space.unmap(arena, 3 * page_2m));
    kernel.close(file);
}

TEST_F(InFlightTest, WhatIsFreedStaysPinnedUntilEveryReaderHasStopped) {
    queue.packets = {at(page_2m + 100)};
    other.packets = {at(0)};
    other.while_waiting = [this] { other.packets.push_back(at(page_2m)); };
    const auto held = space.retire(page(1), page_2m);
    ASSERT_OK(held);
    EXPECT_TRUE(*held);
    EXPECT_EQ(table.lookup(page(1)), std::nullopt);
    EXPECT_EQ(kernel.census(), pinned);
    EXPECT_EQ(space.stats().retired_areas, 1U);
    EXPECT_TRUE(contains(message(space.map(page(1), page_2m, page_2m)), "a queue still uses it"));
    registered.reset();
    EXPECT_EQ(kernel.census(), pinned) << "the other one may still read it";
    other_registered.reset();
    EXPECT_EQ(kernel.census().pinned, pinned.pinned - page_2m);
    EXPECT_OK(space.map(page(1), page_2m, page_2m));
    expect_found(1);
}

TEST_F(InFlightTest, WhatIsFreedGoesAtOnceIfNobodyReadsIt) {
    queue.packets = {at(0)};
    const auto held = space.retire(page(1), page_2m);
    ASSERT_OK(held);
    EXPECT_FALSE(*held);
    EXPECT_EQ(kernel.census().pinned, pinned.pinned - page_2m);
}

TEST_F(InFlightTest, WhatIsFreedDuringALookupStaysPinned) {
    queue.lookups_end = false;
    const auto held = space.retire(page(1), page_2m);
    ASSERT_OK(held);
    EXPECT_TRUE(*held);
    registered.reset();
    EXPECT_EQ(kernel.census().pinned, pinned.pinned - page_2m);
}

// EAL takes the same virtual addresses for its next page.
TEST_F(InFlightTest, WhatHasBeenSentSinceIsUnpinnedWhenItsPlaceIsNeeded) {
    queue.packets = {at(page_2m)};
    other.packets = {at(page_2m), at(0)};
    ASSERT_OK(space.retire(page(1), page_2m));
    EXPECT_EQ(code(space.map(page(1), page_2m, page_2m)), EEXIST);
    queue.packets.clear();
    EXPECT_EQ(code(space.map(page(1), page_2m, page_2m)), EEXIST) << "the other has one";
    EXPECT_EQ(kernel.census(), pinned);
    other.packets = {at(0)};
    EXPECT_OK(space.map(page(1), page_2m, page_2m));
    expect_found(1);
    EXPECT_EQ(kernel.census(), pinned) << "unpinned, and pinned anew";
    registered.reset();
    other_registered.reset();
    expect_found(1);
}

// A frame that is shown at two addresses, as rings in memory are.
TEST_F(InFlightTest, PagesThatAreShownTwiceCount) {
    const Va ring = base + page_1g;
    const std::uint64_t frame = 500 * page_2m;
    kernel.memory.back(ring, 3 * page_2m, frame);
    kernel.memory.back(ring + 3 * page_2m, page_2m, frame);
    ASSERT_OK(space.map(ring, 4 * page_2m, page_2m));
    pinned = kernel.census();
    for (const std::uint64_t offset : {page_2m / 2, page_2m, 2 * page_2m, 3 * page_2m - 1}) {
        queue.packets = {{Dma{frame + offset}, 1}};
        expect_refused(ring, 4 * page_2m, " 1 transmit queue;");
    }
    queue.packets = {{Dma{frame + 3 * page_2m}, 1}, {Dma{frame - 1}, 1}};
    EXPECT_OK(space.unmap(ring, 4 * page_2m));
}

TEST_F(InFlightTest, WithoutDevicesNobodyIsAsked) {
    queue.packets = {at(page_2m)};
    ASSERT_OK(space.unmap_all()); // DMA has ended
    queue.while_waiting = [] { ADD_FAILURE() << "asked"; };
    ASSERT_OK(space.map(page(1), page_2m, page_2m));
    EXPECT_OK(space.unmap(page(1), page_2m));
}

TEST_F(InFlightTest, APoolKeepsWhatIsTakenFromADeviceOnly) {
    Hold pool(space, HeldBy::pool);
    ASSERT_OK(pool.add(page(1), 1));
    const auto held = space.retire(page(1), page_2m, Backing::kept);
    ASSERT_OK(held);
    EXPECT_TRUE(*held);
    EXPECT_EQ(table.lookup(page(1)), std::nullopt);
    EXPECT_EQ(kernel.census(), pinned);
    Hold receive(space);
    EXPECT_EQ(code(receive.add(page(1), 1)), EFAULT);
    pool.release();
    EXPECT_EQ(kernel.census().pinned, pinned.pinned - page_2m);
}

// It was sent while the pool alone kept the memory.
TEST_F(InFlightTest, APacketOfAPoolThatIsFreedKeepsIt) {
    Hold pool(space, HeldBy::pool);
    ASSERT_OK(pool.add(page(1), 1));
    ASSERT_OK(space.retire(page(1), page_2m, Backing::kept));
    queue.packets = {at(page_2m)};
    pool.release();
    EXPECT_EQ(kernel.census(), pinned);
    EXPECT_EQ(space.stats().retired_areas, 1U);
    registered.reset();
    EXPECT_EQ(kernel.census().pinned, pinned.pinned - page_2m);
    EXPECT_EQ(space.stats().retired_areas, 0U);
}

TEST_F(InFlightTest, WhatIsFreedAndCannotBeUnpinnedIsNotFoundAgain) {
    kernel.fail_nth(1, injected_errno);
    EXPECT_EQ(code(space.retire(page(1), page_2m)), injected_errno);
    EXPECT_EQ(table.lookup(page(1)), std::nullopt);
    EXPECT_EQ(kernel.census(), pinned);
}

// A receive queue's hold ends first: the transmit queue still reads.
TEST_F(InFlightTest, HoldsAndPacketsCountTogether) {
    Hold hold(space);
    ASSERT_OK(hold.add(page(1), 1));
    queue.packets = {at(page_2m)};
    ASSERT_OK(space.retire(page(1), page_2m));
    hold.release();
    EXPECT_EQ(kernel.census(), pinned);
    registered.reset();
    EXPECT_EQ(kernel.census().pinned, pinned.pinned - page_2m);
}

TEST_F(InFlightTest, ARegistrationEndsOnceAndWithItsOwner) {
    {
        FakeQueue third;
        InFlightRegistration first = space.register_queue(third);
        InFlightRegistration moved = std::move(first);
        first.reset(); // has nothing any more
        third.packets = {at(page_2m)};
        EXPECT_EQ(code(space.unmap(page(1), page_2m)), EBUSY);
        moved.reset();
        moved.reset();
        EXPECT_OK(space.unmap(page(1), page_2m));
        moved = space.register_queue(third);
        third.packets = {at(2 * page_2m)};
        EXPECT_EQ(code(space.unmap(page(2), page_2m)), EBUSY);
    }
    EXPECT_OK(space.unmap(page(2), page_2m)) << "the destructor is enough";
    queue.packets = {at(0)};
    EXPECT_EQ(code(space.unmap(page(0), page_2m)), EBUSY) << "others stay";
}

TEST_F(InFlightTest, WhatAPoolCarriesIsNotUnmappedButCanBeTakenAway) {
    Hold pool(space, HeldBy::pool);
    ASSERT_OK(pool.add(page(0), 2 * page_2m));
    const auto refused = space.unmap(page(1), page_2m);
    EXPECT_EQ(code(refused), EBUSY);
    EXPECT_TRUE(contains(message(refused), "objects of 1 pool carry its addresses; free"));
    EXPECT_EQ(space.list()[1].pools, 1U);
    EXPECT_EQ(space.list()[1].queues, 0U);
    EXPECT_EQ(space.stats().held_areas, 0U) << "by queues";
    // EAL frees a pool's memory before the pool's own operations hear of it.
    const auto held = space.retire(page(1), page_2m);
    ASSERT_OK(held);
    EXPECT_FALSE(*held);
    ASSERT_OK(space.map(page(1), page_2m, page_2m)) << "another one's";
    pool.release();
    EXPECT_OK(space.unmap(page(1), page_2m));
    EXPECT_OK(space.unmap(page(0), page_2m));
}

} // namespace
} // namespace iommufd::test
