// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What AddressSpace refuses, what it says, and what it asks the kernel.

#include <gtest/gtest.h>

#include "bound_space.hpp"

namespace iommufd::test {
namespace {

constexpr std::uint64_t end_of_range = 1ULL << va_bits;

class AddressSpaceTest : public BoundSpaceTest {
protected:
    void expect_refused(const Result<void> &result, int errno_value, const std::string &why) {
        EXPECT_EQ(code(result), errno_value);
        EXPECT_TRUE(contains(message(result), why));
        EXPECT_EQ(kernel.count("IOMMU_IOAS_MAP"), maps_before);
    }
    long maps_before = 0;
};

TEST_F(AddressSpaceTest, RefusesWhatIsNoRange) {
    expect_refused(space.map(base, 0, page_4k), EINVAL, "the range is empty");
    expect_refused(space.map(base, page_4k, 8192), EINVAL, "not 4 KiB, 2 MiB or 1 GiB");
    expect_refused(space.map(base, page_4k, 0), EINVAL, "not 4 KiB, 2 MiB or 1 GiB");
    for (const std::uint64_t page : {page_4k, page_2m, page_1g}) {
        expect_refused(space.map(base + 1, page, page), EINVAL, "multiples of the page size");
        expect_refused(space.map(base + page / 2, page, page), EINVAL, "multiples of");
        expect_refused(space.map(base, page + 1, page), EINVAL, "multiples of the page size");
        expect_refused(space.map(base, page / 2, page), EINVAL, "multiples of the page size");
    }
    EXPECT_TRUE(contains(message(space.map(base, 0, page_4k)),
                         "mapping of 0x0 bytes at 0x100000000000: Invalid argument; "));
}

TEST_F(AddressSpaceTest, RefusesWhatEndsAboveTheRangeOrWraps) {
    const std::string why = "above the 47-bit range";
    expect_refused(space.map(Va{end_of_range}, page_4k, page_4k), EINVAL, why);
    expect_refused(space.map(Va{end_of_range - page_4k}, 2 * page_4k, page_4k), EINVAL, why);
    const std::string wraps = "wraps around the end of memory";
    expect_refused(space.map(Va{UINT64_MAX - page_4k + 1}, page_4k, page_4k), EINVAL, wraps);
    expect_refused(space.map(Va{UINT64_MAX - page_4k + 1}, 2 * page_4k, page_4k), EINVAL, wraps);
    expect_refused(space.map(base, ~(page_4k - 1), page_4k), EINVAL, wraps);
    expect_refused(space.map(Va{0}, end_of_range + page_1g, page_1g), EINVAL, why);
    kernel.memory.back(Va{end_of_range - page_4k}, page_4k, page_4k);
    EXPECT_OK(space.map(Va{end_of_range - page_4k}, page_4k, page_4k));
    EXPECT_EQ(table.lookup(Va{end_of_range - 1}), Dma{2 * page_4k - 1});
}

TEST_F(AddressSpaceTest, RefusesOverlaps) {
    const Va start = base + page_2m;
    ASSERT_OK(space.map(start, page_2m, page_4k));
    maps_before = 1;
    const std::string why = "part of it is mapped already";
    expect_refused(space.map(start, page_2m, page_4k), EEXIST,
                   "exactly this range is mapped already");
    expect_refused(space.map(start, page_4k, page_4k), EEXIST, why);
    expect_refused(space.map(start + page_4k, page_4k, page_4k), EEXIST, why);
    expect_refused(space.map(start + page_2m + -page_4k, 2 * page_4k, page_4k), EEXIST, why);
    expect_refused(space.map(start + -page_4k, 2 * page_4k, page_4k), EEXIST, why);
    expect_refused(space.map(base, 3 * page_2m, page_4k), EEXIST, why);
    EXPECT_OK(space.map(base, page_2m, page_4k));
    EXPECT_OK(space.map(start + page_2m, page_4k, page_4k));
    EXPECT_EQ(space.areas(), 3U);
    EXPECT_EQ(space.bytes_mapped(), 2 * page_2m + page_4k);
}

TEST_F(AddressSpaceTest, UnmapsInThePiecesItMapped) {
    ASSERT_OK(space.map(base, 4 * page_4k, page_4k));
    ASSERT_OK(space.map(base + 4 * page_4k, page_4k, page_4k));
    const struct {
        Va va;
        std::uint64_t length;
    } wrong[] = {
        {base, page_4k},           {base, 5 * page_4k},       {base + page_4k, 3 * page_4k},
        {base + page_4k, page_4k}, {base + page_2m, page_4k}, {base + 1, 4 * page_4k},
    };
    for (const auto &[va, length] : wrong) {
        const auto refused = space.unmap(va, length);
        EXPECT_EQ(code(refused), ENOENT);
        EXPECT_TRUE(contains(message(refused), "unmapped in the pieces it was mapped in"));
    }
    EXPECT_TRUE(contains(message(space.unmap(base, page_4k)),
                         "and here is one of 0x4000 bytes at 0x100000000000"));
    EXPECT_TRUE(contains(message(space.unmap(base + page_2m, page_4k)), "nothing is mapped there"));
    EXPECT_EQ(code(space.unmap(base, 0)), EINVAL);
    EXPECT_TRUE(contains(message(space.unmap(base, 0)), "the range is empty"));
    EXPECT_EQ(kernel.count("IOMMU_IOAS_UNMAP"), 0);
    EXPECT_OK(space.unmap(base, 4 * page_4k));
    EXPECT_EQ(table.lookup(base), std::nullopt);
    EXPECT_TRUE(table.lookup(base + 4 * page_4k).has_value());
    EXPECT_EQ(code(space.unmap(base, 4 * page_4k)), ENOENT);
}

TEST_F(AddressSpaceTest, NothingBeforeOpen) {
    AddressSpace closed(kernel, table);
    const auto refused = closed.map(base, page_4k, page_4k);
    EXPECT_EQ(code(refused), ENODEV);
    EXPECT_TRUE(contains(message(refused), "no device on the iommufd bus has been probed"));
    EXPECT_EQ(code(closed.unmap(base, page_4k)), ENOENT);
    EXPECT_OK(closed.unmap_all());
    closed.close();
}

TEST_F(AddressSpaceTest, OpenTwiceIsOpenOnce) {
    EXPECT_OK(space.open());
    EXPECT_EQ(kernel.census().contexts, 1U);
}

TEST(AddressSpaceOpen, SaysWhatToDo) {
    const struct {
        int error;
        const char *remedy;
    } cases[] = {
        {ENOENT, "open of /dev/iommu: No such file or directory; the kernel has no iommufd: Linux "
                 ">= 7.3 with CONFIG_IOMMUFD is needed, and 'modprobe iommufd'"},
        {EACCES, "make /dev/iommu readable and writeable for this user"},
        {EMFILE, "open of /dev/iommu: Too many open files"},
    };
    for (const auto &[error, remedy] : cases) {
        FakeKernel kernel;
        kernel.open_errors[FakeKernel::iommu] = error;
        const auto table = std::make_unique<DmaTable>();
        AddressSpace space(kernel, *table);
        const auto refused = space.open();
        EXPECT_EQ(code(refused), error);
        EXPECT_TRUE(contains(message(refused), remedy));
        EXPECT_FALSE(space.is_open());
    }
}

TEST_F(AddressSpaceTest, MemlockSaysHowMuchAndTheTwoWays) {
    kernel.memlock = 8 << 20;
    ASSERT_OK(space.map(base, 2 * page_2m, page_2m));
    const auto refused = space.map(base + 2 * page_2m, 3 * page_2m, page_2m);
    EXPECT_EQ(code(refused), ENOMEM);
    // 4 MiB are mapped, and 6 more asked for.
    EXPECT_TRUE(contains(message(refused), "RLIMIT_MEMLOCK, which is 8 MiB where 10 MiB are "
                                           "needed: raise it ('ulimit -l 10240', "
                                           "LimitMEMLOCK=) or grant CAP_IPC_LOCK"));
    EXPECT_EQ(space.bytes_mapped(), 2 * page_2m);
    EXPECT_EQ(space.memlock_remedy(8 << 20), "");
    EXPECT_TRUE(contains(space.memlock_remedy((8 << 20) + 1), "9 MiB are needed"));
}

TEST_F(AddressSpaceTest, OtherLackOfMemoryDoesNotBlameTheLimit) {
    kernel.fail_always("IOMMU_IOAS_MAP", ENOMEM);
    EXPECT_EQ(message(space.map(base, page_4k, page_4k)),
              "IOMMU_IOAS_MAP of 0x1000 bytes at 0x100000000000: Cannot allocate memory");
    kernel.memlock = 1;
    kernel.fail_always("memlock_limit", EPERM);
    EXPECT_FALSE(contains(message(space.map(base, page_4k, page_4k)), "MEMLOCK"));
}

TEST_F(AddressSpaceTest, MemoryThatIsNotThere) {
    kernel.memory.back_everything(0);
    kernel.memory.remove(base, page_4k);
    const auto refused = space.map(base, page_2m, page_2m);
    EXPECT_EQ(code(refused), EFAULT);
    EXPECT_TRUE(contains(message(refused), "not there, not writeable, or the hugepage pool is"));
}

TEST_F(AddressSpaceTest, GetPaErrorsSayWhatToDo) {
    const struct {
        int error;
        const char *remedy;
    } cases[] = {
        {EPERM, "CAP_SYS_RAWIO is needed, and a user namespace's does not count"},
        {ENOTTY, "older than 7.3 or built without IOMMUFD_NOIOMMU"},
        {EOPNOTSUPP, "no no-IOMMU device is attached to the address space"},
    };
    for (const auto &[error, remedy] : cases) {
        kernel.has_rawio = error != EPERM;
        kernel.has_get_pa = error != ENOTTY;
        if (error == EOPNOTSUPP) {
            EXPECT_EQ(device_detach_iommufd_pt(kernel, cdev), 0);
        }
        const auto refused = space.map(base, page_2m, page_2m);
        EXPECT_EQ(code(refused), error);
        EXPECT_TRUE(contains(message(refused), "IOMMU_IOAS_NOIOMMU_GET_PA of 0x1 bytes at "
                                               "0x100000000000: "));
        EXPECT_TRUE(contains(message(refused), remedy));
        EXPECT_EQ(kernel.census().areas, 0U);
        EXPECT_EQ(table.lookup(base), std::nullopt);
    }
}

// An answer that cannot be true reaches no table, and the memory is unpinned again.
TEST_F(AddressSpaceTest, RefusesAnswersThatDoNotFit) {
    using Distortion = std::function<void(std::uint64_t *, std::uint64_t *)>;
    const struct {
        const char *what;
        std::uint64_t page;
        Distortion distort;
    } cases[] = {
        {"PA off a 4 KiB page", page_4k, [](auto *, auto *pa) { *pa += 8; }},
        {"PA off a hugepage", page_2m, [](auto *, auto *pa) { *pa += page_4k; }},
        {"PA off a 1 GiB page", page_1g, [](auto *, auto *pa) { *pa += page_2m; }},
        {"zero length", page_4k, [](auto *length, auto *) { *length = 0; }},
        {"half a page", page_4k, [](auto *length, auto *) { *length = 2048; }},
        {"too long a run", page_4k, [](auto *length, auto *) { *length += page_4k; }},
        {"endless run", page_4k, [](auto *length, auto *) { *length = ~(page_4k - 1); }},
    };
    for (const auto &wrong : cases) {
        SCOPED_TRACE(wrong.what);
        const std::uint64_t length = 3 * wrong.page;
        kernel.memory.back_scattered(base, length, wrong.page);
        // Not the first answer, so that there is something to take back.
        const std::uint64_t last = raw(base) + length - wrong.page;
        kernel.distort_get_pa = [&](std::uint64_t iova, std::uint64_t *run, std::uint64_t *pa) {
            if (iova == last)
                wrong.distort(run, pa);
        };
        const auto refused = space.map(base, length, wrong.page);
        EXPECT_EQ(code(refused), EIO);
        EXPECT_TRUE(contains(message(refused), "the answer does not fit a page of " +
                                                   std::to_string(wrong.page) + " bytes"));
        EXPECT_EQ(kernel.census().areas, 0U);
        for (const std::uint64_t at : {std::uint64_t{0}, wrong.page, length - 1})
            EXPECT_EQ(table.lookup(base + at), std::nullopt);
        kernel.distort_get_pa = nullptr;
        EXPECT_OK(space.map(base, length, wrong.page));
        EXPECT_OK(space.unmap(base, length));
    }
}

TEST_F(AddressSpaceTest, AsksOncePerHugepageForOneByte) {
    std::vector<std::uint64_t> asked;
    kernel.memory.back_scattered(base, 2 * page_1g, page_1g);
    kernel.memory.back_scattered(base + 2 * page_1g, 8 * page_2m, page_2m);
    kernel.distort_get_pa = [&](std::uint64_t iova, std::uint64_t *length, std::uint64_t *) {
        EXPECT_EQ(*length, 1U);
        asked.push_back(iova - raw(base));
    };
    ASSERT_OK(space.map(base, 2 * page_1g, page_1g));
    EXPECT_EQ(asked, (std::vector<std::uint64_t>{0, page_1g}));
    asked.clear();
    ASSERT_OK(space.map(base + 2 * page_1g, 3 * page_2m, page_2m));
    EXPECT_EQ(asked, (std::vector<std::uint64_t>{2 * page_1g, 2 * page_1g + page_2m,
                                                 2 * page_1g + 2 * page_2m}));
}

TEST_F(AddressSpaceTest, AsksForRunsOfSmallPages) {
    kernel.memory.back_scattered(base, 3 * page_2m, page_2m);
    kernel.memory.back_scattered(base + page_2m, 3 * page_4k, page_4k);
    ASSERT_OK(space.map(base, 3 * page_2m, page_4k));
    // 2 MiB, three single pages, the rest of their 2 MiB, 2 MiB.
    EXPECT_EQ(kernel.count("IOMMU_IOAS_NOIOMMU_GET_PA"), 6);
    for (std::uint64_t at = 0; at < 3 * page_2m; at += page_4k)
        EXPECT_EQ(table.lookup(base + at + 7), Dma{*kernel.memory.pa(raw(base) + at) + 7});
}

TEST_F(AddressSpaceTest, LookupsNeverAskTheKernel) {
    ASSERT_OK(space.map(base, page_2m, page_2m));
    const std::size_t calls = kernel.calls.size();
    for (std::uint64_t at = 0; at < page_2m; at += 64)
        EXPECT_TRUE(table.lookup(base + at).has_value());
    EXPECT_EQ(kernel.calls.size(), calls);
}

TEST_F(AddressSpaceTest, CloseUnmapsEverythingFirst) {
    ASSERT_OK(space.map(base, page_2m, page_2m));
    ASSERT_OK(space.map(base + page_2m, page_4k, page_4k));
    kernel.calls.clear();
    space.close();
    EXPECT_EQ(kernel.calls,
              (std::vector<std::string>{"IOMMU_IOAS_UNMAP", "IOMMU_IOAS_UNMAP", "close"}));
    EXPECT_EQ(table.lookup(base), std::nullopt);
    space.close();
    EXPECT_EQ(kernel.calls.size(), 3U);
}

TEST_F(AddressSpaceTest, WhatIsHeldIsNotUnmapped) {
    ASSERT_OK(space.map(base, page_2m, page_2m));
    ASSERT_OK(space.map(base + page_2m, page_2m, page_2m));
    Hold both(space);
    Hold first(space);
    ASSERT_OK(both.add(base + page_4k, page_2m)) << "parts of both";
    ASSERT_OK(both.add(base, page_4k)) << "an area is held once by a hold";
    ASSERT_OK(first.add(base, page_4k));
    const auto refused = space.unmap(base, page_2m);
    EXPECT_EQ(code(refused), EBUSY);
    EXPECT_TRUE(contains(message(refused), "2 queues use it; stop the port and release its"));
    EXPECT_TRUE(contains(message(space.unmap(base + page_2m, page_2m)), "1 queue uses it"));
    EXPECT_EQ(kernel.count("IOMMU_IOAS_UNMAP"), 0);
    both.release();
    EXPECT_OK(space.unmap(base + page_2m, page_2m)) << "negative control: free to go";
    EXPECT_EQ(code(space.unmap(base, page_2m)), EBUSY);
    first.release();
    EXPECT_OK(space.unmap(base, page_2m));

    Hold none(space);
    ASSERT_OK(space.map(base, page_2m, page_2m));
    EXPECT_EQ(code(none.add(base, page_2m + 1)), EFAULT);
    EXPECT_TRUE(none.empty());
    EXPECT_OK(space.unmap(base, page_2m)) << "a refused hold holds nothing";
}

TEST_F(AddressSpaceTest, WhatIsFreedUnderAQueueStaysPinnedUntilItIsReleased) {
    ASSERT_OK(space.map(base, page_2m, page_2m));
    Hold hold(space);
    ASSERT_OK(hold.add(base, 1));
    const Census pinned = kernel.census();
    const auto held = space.retire(base, page_2m);
    ASSERT_OK(held);
    EXPECT_TRUE(*held);
    EXPECT_EQ(table.lookup(base), std::nullopt) << "nobody is given the address any more";
    EXPECT_EQ(kernel.census(), pinned) << "and the kernel gives the page to nobody";
    EXPECT_TRUE(contains(message(space.map(base, page_2m, page_2m)), "a queue still uses it"));
    EXPECT_EQ(code(space.unmap(base, page_2m)), ENOENT);
    EXPECT_EQ(code(hold.add(base, 1)), EFAULT);
    hold.release();
    EXPECT_EQ(kernel.census().areas, 0U);
    EXPECT_OK(space.map(base, page_2m, page_2m));
    // And what nobody holds goes at once.
    const auto free = space.retire(base, page_2m);
    ASSERT_OK(free);
    EXPECT_FALSE(*free);
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(AddressSpaceTest, AHoldOutlivesTheAddressSpaceItWasOf) {
    ASSERT_OK(space.map(base, page_2m, page_2m));
    Hold old(space);
    ASSERT_OK(old.add(base, 1));
    ASSERT_OK(space.unmap_all());
    ASSERT_OK(space.map(base, page_2m, page_2m));
    Hold now(space);
    ASSERT_OK(now.add(base, 1));
    old.release();
    EXPECT_EQ(code(space.unmap(base, page_2m)), EBUSY) << "another area at the same place";
    now.release();
    EXPECT_OK(space.unmap(base, page_2m));
}

TEST_F(AddressSpaceTest, RlimitModeIsSetBeforeAnyObject) {
    const auto other = std::make_unique<DmaTable>();
    AddressSpace process(kernel, *other);
    process.set_rlimit_mode(AddressSpace::RlimitMode::process);
    kernel.has_sys_resource = false;
    const Census before = kernel.census();
    const auto refused = process.open();
    EXPECT_EQ(code(refused), EPERM);
    EXPECT_TRUE(contains(message(refused), "CAP_SYS_RESOURCE"));
    EXPECT_EQ(kernel.census(), before);
    kernel.has_sys_resource = true;
    EXPECT_OK(process.open());
    EXPECT_EQ(kernel.rlimit_mode, 1U);
}

TEST_F(AddressSpaceTest, StatsTellWhatIsThereAndWhatWasDone) {
    const AddressSpaceStats before = space.stats();
    kernel.memory.back(base, page_2m, 10 * page_2m);
    kernel.memory.back(base + page_2m, page_2m, 11 * page_2m);
    kernel.memory.back_scattered(base + 2 * page_2m, 2 * page_4k, page_4k);
    ASSERT_OK(space.map(base, page_2m, page_2m));
    ASSERT_OK(space.map(base + page_2m, page_2m, page_2m));
    ASSERT_OK(space.map(base + 2 * page_2m, 2 * page_4k, page_4k));
    Hold hold(space);
    ASSERT_OK(hold.add(base, 1));
    const AddressSpaceStats stats = space.stats();
    EXPECT_EQ(stats.areas, 3U);
    EXPECT_EQ(stats.held_areas, 1U);
    EXPECT_EQ(stats.pages_2m, 2U);
    EXPECT_EQ(stats.pages_4k, 2U);
    EXPECT_EQ(stats.bytes, 2 * page_2m + 2 * page_4k);
    EXPECT_EQ(stats.longest_run, 2 * page_2m) << "across areas";
    EXPECT_EQ(stats.map_calls - before.map_calls, 3U);
    EXPECT_EQ(stats.get_pa_calls - before.get_pa_calls, 4U);
    EXPECT_EQ(space.list().size(), 3U);
    EXPECT_EQ(space.list()[0].queues, 1U);
    hold.release();
}

} // namespace
} // namespace iommufd::test
