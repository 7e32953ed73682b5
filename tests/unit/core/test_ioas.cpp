// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The ioctls of /dev/iommu alone, their errors and what they count; and TRY.

#include <memory>

#include <fcntl.h>
#include <gtest/gtest.h>

#include "core/ioas/ioas.hpp"
#include "core/sys/mapping.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

class IoasTest : public ::testing::Test {
protected:
    IoasTest() {
        kernel.devices[cdev_path] = nic();
        kernel.memory.back(base, 4 * page_4k, page_1g);
        EXPECT_OK(ioas.open(Ioas::RlimitMode::user));
        cdev = kernel.open(cdev_path, O_RDWR);
        EXPECT_EQ(device_bind_iommufd(kernel, cdev, ioas.iommufd()), 0);
        EXPECT_EQ(device_attach_iommufd_pt(kernel, cdev, ioas.id()), 0);
    }
    ~IoasTest() override {
        EXPECT_EQ(kernel.close(cdev), 0);
        ioas.close();
        EXPECT_EQ(kernel.census(), Census{});
    }

    FakeKernel kernel;
    Ioas ioas{kernel};
    int cdev = -1;
};

TEST_F(IoasTest, CountsWhatIsPinnedAndAsked) {
    EXPECT_OK(ioas.map(base, 2 * page_4k));
    PaQuery query{.iova = raw(base), .limit = 2 * page_4k};
    EXPECT_OK(ioas.get_pa({&query, 1}, page_4k));
    EXPECT_EQ(query.pa, page_1g);
    EXPECT_EQ(query.run, 2 * page_4k);
    EXPECT_EQ(ioas.pinned(), 2 * page_4k);
    EXPECT_EQ(ioas.costs().map_calls, 1U);
    EXPECT_EQ(ioas.costs().get_pa_calls, 1U);
    EXPECT_OK(ioas.unmap(base, 2 * page_4k));
    EXPECT_EQ(ioas.pinned(), 0U);
    EXPECT_EQ(code(ioas.unmap(base, 2 * page_4k)), ENOENT);
    EXPECT_EQ(ioas.costs().unmap_calls, 2U);
}

TEST_F(IoasTest, ErrorsNameTheCallTheRangeAndTheRemedy) {
    kernel.memlock = page_4k;
    const auto too_much = ioas.map(base, 2 * page_4k);
    EXPECT_EQ(code(too_much), ENOMEM);
    EXPECT_TRUE(contains(message(too_much), "IOMMU_IOAS_MAP of 0x2000 bytes at 0x100000000000"));
    EXPECT_TRUE(contains(message(too_much), "RLIMIT_MEMLOCK, which is 1 MiB where 1 MiB are"));
    kernel.memlock = UINT64_MAX;
    EXPECT_TRUE(contains(message(ioas.map(base + page_1g, page_4k)), "the memory is not there"));
    EXPECT_OK(ioas.map(base, page_4k));
    EXPECT_TRUE(contains(message(ioas.map(base, page_4k)), "something else is mapped there"));
    kernel.has_rawio = false;
    PaQuery query{.iova = raw(base), .limit = 1};
    EXPECT_TRUE(contains(message(ioas.get_pa({&query, 1}, page_4k)), "CAP_SYS_RAWIO is needed"));
    kernel.has_rawio = true;
    EXPECT_EQ(ioas.pinned(), page_4k) << "what failed is not counted";
}

TEST_F(IoasTest, AnAnswerThatFitsNoPageIsRefused) {
    EXPECT_OK(ioas.map(base, page_4k));
    kernel.distort_get_pa = [](std::uint64_t, std::uint64_t *, std::uint64_t *pa) { *pa += 1; };
    PaQuery query{.iova = raw(base), .limit = page_4k};
    EXPECT_EQ(code(ioas.get_pa({&query, 1}, page_4k)), EIO);
}

TEST_F(IoasTest, AMappingEndsOnce) {
    {
        auto made = Mapping::create(kernel, 16 << 10, cdev, FakeKernel::bar_offset(3), "of BAR 3");
        ASSERT_OK(made);
        Mapping mapping = *std::move(made);
        EXPECT_NE(mapping.addr(), nullptr);
        Mapping other = std::move(mapping);
        mapping = std::move(other);
        mapping.reset();
        EXPECT_EQ(kernel.census().mappings, 0U);
    }
    EXPECT_EQ(kernel.count("munmap"), 1);
    kernel.fail_nth(1, injected_errno);
    const auto failed = Mapping::create(kernel, 1, cdev, FakeKernel::bar_offset(3), "of BAR 3");
    EXPECT_TRUE(contains(message(failed), "mmap of BAR 3: "));
}

Result<std::unique_ptr<int>> made(int value) {
    if (value < 0)
        return failure(value, "make");
    return std::make_unique<int>(value);
}

Result<void> is_even(int value) {
    if (value % 2 != 0)
        return failure(-EDOM, "is_even");
    return {};
}

Result<int> doubled(int value) {
    const std::unique_ptr<int> one = TRY(made(value));
    TRY(is_even(*one));
    return *one + *TRY(made(value));
}

TEST(Try, PassesValuesAndReturnsErrors) {
    EXPECT_EQ(*doubled(4), 8);
    EXPECT_EQ(code(doubled(3)), EDOM);
    EXPECT_EQ(code(doubled(-EPERM)), EPERM);
    EXPECT_TRUE(contains(message(doubled(-EPERM)), "make: "));
}

} // namespace
} // namespace iommufd::test
