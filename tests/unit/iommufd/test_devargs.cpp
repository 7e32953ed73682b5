// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Device arguments of the bus, and the arena that one of them makes.

#include <gtest/gtest.h>
#include <rte_devargs.h>
#include <rte_errno.h>

#include "device_test.hpp"

namespace iommufd::test {
namespace {

using eal::probe_device;
using eal::remove_device;

class DevargsTest : public DeviceTest {
protected:
    DevargsTest() { kernel.may_unmap_under_dma = true; }
    ~DevargsTest() override {
        device.device.devargs = nullptr;
        rte_devargs_reset(&devargs);
    }
    void set_devargs(const char *args) {
        rte_devargs_reset(&devargs);
        ASSERT_EQ(rte_devargs_parsef(&devargs, "iommufd:0000:01:00.0,%s", args), 0);
        device.device.devargs = &devargs;
    }
    rte_devargs devargs{};
};

TEST_F(DevargsTest, RlimitModeByDeviceArgument) {
    set_devargs("rlimit_mode=process");
    ASSERT_EQ(probe_device(&device), 0);
    EXPECT_EQ(kernel.rlimit_mode, 1U);
    EXPECT_EQ(remove_device(&device, false), 0);
    set_devargs("rlimit_mode=user");
    kernel.rlimit_mode = 0;
    ASSERT_EQ(probe_device(&device), 0);
    EXPECT_EQ(kernel.rlimit_mode, 0U);
}

TEST_F(DevargsTest, BadDeviceArgumentsAreExplained) {
    const struct {
        const char *args, *want;
    } cases[] = {
        {"arena=12x", "such as 512M or 2G"},
        {"arena=0", "such as 512M or 2G"},
        {"arena=-1", "such as 512M or 2G"},
        {"arena=99999999999G", "such as 512M or 2G"},
        {"arena_page=4K", "2M or 1G"},
        {"arena_full=wait", "hugepages or fail"},
        {"rlimit_mode=group", "user or process"},
        {"arenas=1G", "unknown argument 'arenas'"},
    };
    for (const auto &c : cases) {
        set_devargs(c.args);
        const LogCapture log;
        EXPECT_EQ(probe_device(&device), -EINVAL) << c.args;
        EXPECT_TRUE(contains(log.text(), c.want));
        expect_nothing_left();
    }
}

TEST_F(DevargsTest, TheArenaOfPoolsLivesThroughDevices) {
    set_devargs("arena=4M");
    ASSERT_EQ(probe_device(&device), 0);
    bool required = true;
    rte_iommufd_arena *arena = rte_iommufd_pool_arena(0, &required);
    ASSERT_NE(arena, nullptr);
    EXPECT_FALSE(required);
    rte_iommufd_arena_info info{};
    rte_iommufd_arena_info_get(arena, &info);
    EXPECT_EQ(info.size, 2 * page_2m);
    EXPECT_EQ(info.page_size, page_2m);
    EXPECT_NE(rte_iommufd_virt2dma(info.addr), RTE_BAD_IOVA);
    EXPECT_EQ(remove_device(&device, false), 0);
    EXPECT_EQ(rte_iommufd_virt2dma(info.addr), RTE_BAD_IOVA) << "pins end with the last device";
    ASSERT_EQ(probe_device(&device), 0);
    EXPECT_EQ(rte_iommufd_pool_arena(0, &required), arena);
    EXPECT_EQ(rte_iommufd_pool_arena(SOCKET_ID_ANY, &required), arena);
    EXPECT_NE(rte_iommufd_virt2dma(info.addr), RTE_BAD_IOVA);

    void *piece = rte_iommufd_arena_alloc(arena, 100, 0);
    EXPECT_NE(piece, nullptr);
    {
        const LogCapture log;
        EXPECT_EQ(rte_iommufd_arena_destroy(arena), -EBUSY);
        EXPECT_TRUE(contains(log.text(), "1 allocations of it are in use"));
    }
    rte_iommufd_arena_free(arena, piece);
    EXPECT_EQ(rte_iommufd_arena_destroy(arena), 0);
    EXPECT_EQ(rte_iommufd_pool_arena(0, &required), nullptr);
    EXPECT_EQ(rte_errno, ENOENT);
    EXPECT_EQ(rte_iommufd_virt2dma(info.addr), RTE_BAD_IOVA);
    EXPECT_EQ(rte_iommufd_arena_destroy(nullptr), 0);
}

TEST_F(DevargsTest, AllDevicesAskForTheSameArenas) {
    set_devargs("arena=4M");
    ASSERT_EQ(probe_device(&device), 0);
    rte_devargs others{};
    ASSERT_EQ(rte_devargs_parse(&others, "iommufd:0000:02:00.0,arena=8M"), 0);
    second.device.devargs = &others;
    {
        const LogCapture log;
        EXPECT_EQ(probe_device(&second), -EINVAL);
        EXPECT_TRUE(contains(log.text(), "give all devices the same arguments"));
    }
    rte_devargs_reset(&others);
    ASSERT_EQ(rte_devargs_parse(&others, "iommufd:0000:02:00.0,arena=4M"), 0);
    EXPECT_EQ(probe_device(&second), 0);
    bool required = false;
    rte_iommufd_arena *arena = rte_iommufd_pool_arena(0, &required);
    ASSERT_EQ(remove_device(&second, false), 0);
    EXPECT_EQ(rte_iommufd_arena_destroy(arena), 0);
    second.device.devargs = nullptr;
    rte_devargs_reset(&others);
}

TEST_F(DevargsTest, AnArenaNeedsADevice) {
    const rte_iommufd_arena_conf conf{
        .size = page_2m, .page_size = 0, .socket_id = -1, .threads = 1};
    const LogCapture log;
    EXPECT_EQ(rte_iommufd_arena_create(&conf), nullptr);
    EXPECT_EQ(rte_errno, ENODEV);
    EXPECT_TRUE(contains(log.text(), "no device on the iommufd bus has been probed"));
}

} // namespace
} // namespace iommufd::test
