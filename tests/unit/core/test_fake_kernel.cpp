// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The model itself: that it answers as Linux 7.3 does, and that it notices what it is there to
// notice. Without this the tests on top of it could pass for nothing.

#include <cerrno>

#include <fcntl.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>
#include <linux/pci_regs.h>

#include "support.hpp"

namespace iommufd::test {
namespace {

FakeKernel *the_kernel; // EXPECT_NONFATAL_FAILURE reaches globals only
int the_cdev;
int the_iommufd;
std::uint32_t the_ioas;

class FakeKernelTest : public ::testing::Test {
protected:
    FakeKernelTest() {
        kernel.devices[cdev_path] = nic();
        kernel.memory.back_everything(page_4k);
        the_kernel = &kernel;
    }

    // As far as a device gets: attached, one page mapped, bus master on if asked for.
    void bring_up(bool live) {
        the_iommufd = kernel.open(FakeKernel::iommu, O_RDWR);
        the_cdev = kernel.open(cdev_path, O_RDWR);
        ASSERT_EQ(device_bind_iommufd(kernel, the_cdev, the_iommufd), 0);
        ASSERT_EQ(ioas_alloc(kernel, the_iommufd, &the_ioas), 0);
        ASSERT_EQ(device_attach_iommufd_pt(kernel, the_cdev, the_ioas), 0);
        ASSERT_EQ(ioas_map(kernel, the_iommufd, the_ioas, raw(base), page_4k), 0);
        if (live)
            set_command(PCI_COMMAND_MASTER);
    }

    void set_command(std::uint8_t value) {
        ASSERT_EQ(kernel.pwrite(the_cdev, &value, 1,
                                static_cast<off_t>(FakeKernel::bar_offset(7)) + PCI_COMMAND),
                  1);
    }

    FakeKernel kernel;
};

TEST_F(FakeKernelTest, NoticesDoubleClose) {
    the_iommufd = kernel.open(FakeKernel::iommu, O_RDWR);
    EXPECT_EQ(kernel.close(the_iommufd), 0);
    EXPECT_NONFATAL_FAILURE((void)the_kernel->close(the_iommufd), "not open");
}

TEST_F(FakeKernelTest, NoticesUnknownCalls) {
    bring_up(false);
    EXPECT_NONFATAL_FAILURE((void)the_kernel->open("/proc/self/pagemap", O_RDWR), "not there");
    EXPECT_NONFATAL_FAILURE((void)the_kernel->ioctl(the_cdev, 0x1234, nullptr), "not known");
    EXPECT_NONFATAL_FAILURE((void)ioas_alloc(*the_kernel, the_cdev, &the_ioas), "wrong kind");
    EXPECT_NONFATAL_FAILURE((void)device_reset(*the_kernel, the_iommufd), "wrong kind");
    EXPECT_NONFATAL_FAILURE((void)device_reset(*the_kernel, 7), "not open");
    EXPECT_NONFATAL_FAILURE((void)the_kernel->munmap(&the_ioas, 4096), "not a mapping");
}

TEST_F(FakeKernelTest, NoticesUnmapUnderDma) {
    bring_up(true);
    EXPECT_NONFATAL_FAILURE(
        (void)ioas_unmap(*the_kernel, the_iommufd, the_ioas, raw(base), page_4k),
        "UNMAP while a device may write");
}

TEST_F(FakeKernelTest, NoticesDetachUnderDma) {
    bring_up(true);
    EXPECT_NONFATAL_FAILURE((void)device_detach_iommufd_pt(*the_kernel, the_cdev),
                            "DETACH_IOMMUFD_PT while the device may write");
}

TEST_F(FakeKernelTest, DmaEndsWithBusMasterOrReset) {
    bring_up(true);
    set_command(0);
    EXPECT_FALSE(kernel.devices[cdev_path].dma_live);
    set_command(PCI_COMMAND_MASTER);
    ASSERT_EQ(device_reset(kernel, the_cdev), 0);
    EXPECT_FALSE(kernel.devices[cdev_path].dma_live);
    EXPECT_TRUE(kernel.devices[cdev_path].bus_master()) << "the kernel restores the register";
    EXPECT_EQ(ioas_unmap(kernel, the_iommufd, the_ioas, raw(base), page_4k), 0);
}

TEST_F(FakeKernelTest, CensusCountsWhatIsThere) {
    EXPECT_EQ(kernel.census(), Census{});
    bring_up(false);
    void *bar = nullptr;
    ASSERT_EQ(kernel.mmap(128 << 10, the_cdev, 0, &bar), 0);
    EXPECT_EQ(kernel.census(), (Census{.fds = 2,
                                       .mappings = 1,
                                       .bound = 1,
                                       .attached = 1,
                                       .contexts = 1,
                                       .areas = 1,
                                       .pinned = page_4k}));
    // The mapping keeps the device, and the device the address space.
    EXPECT_EQ(kernel.close(the_cdev), 0);
    EXPECT_EQ(kernel.close(the_iommufd), 0);
    EXPECT_EQ(kernel.census(), (Census{.fds = 0,
                                       .mappings = 1,
                                       .bound = 1,
                                       .attached = 1,
                                       .contexts = 1,
                                       .areas = 1,
                                       .pinned = page_4k}));
    EXPECT_EQ(kernel.munmap(bar, 128 << 10), 0);
    EXPECT_EQ(kernel.census(), Census{});
}

TEST_F(FakeKernelTest, LastCloseStopsDma) {
    bring_up(true);
    EXPECT_EQ(kernel.close(the_cdev), 0);
    EXPECT_EQ(kernel.devices[cdev_path].stopped_by_kernel, 1);
    EXPECT_FALSE(kernel.devices[cdev_path].bus_master());
    EXPECT_EQ(kernel.census().pinned, 0U);
}

TEST_F(FakeKernelTest, NothingWorksBeforeBind) {
    the_cdev = kernel.open(cdev_path, O_RDWR);
    DeviceInfo info{};
    RegionInfo region{};
    void *bar = nullptr;
    char byte = 0;
    EXPECT_EQ(device_attach_iommufd_pt(kernel, the_cdev, 1), -EINVAL);
    EXPECT_EQ(device_detach_iommufd_pt(kernel, the_cdev), -EINVAL);
    EXPECT_EQ(device_get_info(kernel, the_cdev, &info), -EINVAL);
    EXPECT_EQ(device_get_region_info(kernel, the_cdev, 0, &region), -EINVAL);
    EXPECT_EQ(device_reset(kernel, the_cdev), -EINVAL);
    EXPECT_EQ(kernel.mmap(4096, the_cdev, 0, &bar), -EINVAL);
    EXPECT_EQ(kernel.pread(the_cdev, &byte, 1, static_cast<off_t>(FakeKernel::bar_offset(7))),
              -EINVAL);
}

TEST_F(FakeKernelTest, BindErrors) {
    the_iommufd = kernel.open(FakeKernel::iommu, O_RDWR);
    the_cdev = kernel.open(cdev_path, O_RDWR);
    EXPECT_EQ(device_bind_iommufd(kernel, the_cdev, -1), -EINVAL);
    EXPECT_EQ(device_bind_iommufd(kernel, the_cdev, 7), -EBADF);
    EXPECT_EQ(device_bind_iommufd(kernel, the_cdev, the_cdev), -EBADF);
    EXPECT_EQ(device_bind_iommufd(kernel, the_cdev, the_iommufd), 0);
    EXPECT_EQ(device_bind_iommufd(kernel, the_cdev, the_iommufd), -EINVAL);
    const int second = kernel.open(cdev_path, O_RDWR);
    EXPECT_EQ(device_bind_iommufd(kernel, second, the_iommufd), -EINVAL);
}

TEST_F(FakeKernelTest, MapBeforeAttachPinsAtAttach) {
    the_iommufd = kernel.open(FakeKernel::iommu, O_RDWR);
    the_cdev = kernel.open(cdev_path, O_RDWR);
    ASSERT_EQ(device_bind_iommufd(kernel, the_cdev, the_iommufd), 0);
    ASSERT_EQ(ioas_alloc(kernel, the_iommufd, &the_ioas), 0);
    ASSERT_EQ(ioas_map(kernel, the_iommufd, the_ioas, raw(base), page_4k), 0);
    std::uint64_t length = 1;
    std::uint64_t pa = 0;
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, the_iommufd, the_ioas, raw(base), &length, &pa),
              -EOPNOTSUPP);
    EXPECT_EQ(kernel.census().pinned, 0U);
    ASSERT_EQ(device_attach_iommufd_pt(kernel, the_cdev, the_ioas), 0);
    EXPECT_EQ(kernel.census().pinned, page_4k);
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, the_iommufd, the_ioas, raw(base), &length, &pa), 0);
}

TEST_F(FakeKernelTest, AreasAreUnmappedWhole) {
    bring_up(false);
    ASSERT_EQ(ioas_map(kernel, the_iommufd, the_ioas, raw(base) + page_4k, 2 * page_4k), 0);
    EXPECT_EQ(ioas_map(kernel, the_iommufd, the_ioas, raw(base) + 2 * page_4k, page_4k), -EEXIST);
    EXPECT_EQ(ioas_unmap(kernel, the_iommufd, the_ioas, raw(base) + page_4k, page_4k), -ENOENT);
    EXPECT_EQ(kernel.census().areas, 2U);
    // The first is whole and goes before the second is found to be a part.
    EXPECT_EQ(ioas_unmap(kernel, the_iommufd, the_ioas, raw(base), 2 * page_4k), -ENOENT);
    EXPECT_EQ(kernel.census().areas, 1U);
    EXPECT_EQ(ioas_unmap(kernel, the_iommufd, the_ioas, raw(base), page_4k), -ENOENT);
}

// The kernel takes a range around an area and says how much it has unmapped.
TEST_F(FakeKernelTest, UnmapOfMoreThanTheAreaIsAnError) {
    bring_up(false);
    EXPECT_EQ(ioas_unmap(kernel, the_iommufd, the_ioas, raw(base), 2 * page_4k), -ENOENT);
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(FakeKernelTest, GetPaTakesRunsInsideTheArea) {
    kernel.memory.back(base, page_2m, 0x40000000);
    bring_up(false);
    ASSERT_EQ(ioas_map(kernel, the_iommufd, the_ioas, raw(base) + page_4k, page_2m - page_4k), 0);
    std::uint64_t length = page_2m;
    std::uint64_t pa = 0;
    ASSERT_EQ(ioas_noiommu_get_pa(kernel, the_iommufd, the_ioas, raw(base) + 16, &length, &pa), 0);
    EXPECT_EQ(pa, 0x40000010U);
    EXPECT_EQ(length, page_4k - 16) << "up to the end of the area, not of the memory";
    length = 0;
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, the_iommufd, the_ioas, raw(base), &length, &pa), -EINVAL);
    length = 1;
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, the_iommufd, 99, raw(base), &length, &pa), -ENOENT);
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, the_iommufd, the_ioas, raw(base) + page_2m, &length, &pa),
              -ENOENT);
}

TEST_F(FakeKernelTest, ScatteredPagesAreNotNeighbours) {
    FakeMemory memory;
    memory.back_scattered(base, 4 * page_2m, page_2m);
    EXPECT_EQ(memory.contiguous(raw(base), 4 * page_2m), page_2m);
    memory.back(base + page_2m, page_2m, *memory.pa(raw(base)) + page_2m);
    EXPECT_EQ(memory.contiguous(raw(base), 4 * page_2m), 2 * page_2m);
    EXPECT_EQ(memory.contiguous(raw(base) + 4096, 100), 100U);
    memory.remove(base + page_4k, page_4k);
    EXPECT_FALSE(memory.is_backed(raw(base), page_2m));
    EXPECT_TRUE(memory.is_backed(raw(base) + 2 * page_4k, page_2m));
    EXPECT_EQ(memory.contiguous(raw(base), page_2m), page_4k);
}

} // namespace
} // namespace iommufd::test
