// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The device that addresses are resolved with, set-up and release, against a sysfs of files.

#include <filesystem>
#include <fstream>

#include "fake_eal.hpp"
#include "preload/devices.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

namespace fs = std::filesystem;
constexpr const char *first_bdf = "0000:01:00.0";
constexpr const char *second_bdf = "0000:02:00.0";

fs::path make_root() {
    char name[] = "/tmp/preload-XXXXXX";
    return mkdtemp(name);
}

} // namespace

class PreloadDevices : public ::testing::Test {
protected:
    PreloadDevices() {
        add(first_bdf, "noiommu-vfio0");
        add(second_bdf, "noiommu-vfio1");
        kernel.devices[cdev_path] = nic();
        kernel.devices[second_cdev_path] = nic();
        kernel.memory.back_everything(page_4k);
        kernel.memory.back_scattered(base, FakeEal::pages * page_2m, page_2m);
    }
    ~PreloadDevices() override { fs::remove_all(root); }

    void add(const char *bdf, const char *cdev) const {
        const fs::path function = root / "bus/pci/devices" / bdf;
        fs::create_directories(function / "vfio-dev" / cdev);
        for (const char *file :
             {"vendor", "device", "subsystem_vendor", "subsystem_device", "class"})
            std::ofstream(function / file) << "0x8086\n";
    }
    Result<int> set_up(const char *bdf) { return devices.set_up(*devices.find(bdf)); }
    void end() { EXPECT_EQ(kernel.census(), Census{}); }

    const fs::path root = make_root();
    FakeKernel kernel;
    FakeEal eal;
    std::unique_ptr<preload::Virt2Phy> owner = std::make_unique<preload::Virt2Phy>(kernel, eal.api);
    preload::Virt2Phy &memory = *owner;
    preload::Devices devices{kernel, eal.api, memory, nullptr, root};
};

TEST_F(PreloadDevices, OneIsEnoughForAddresses) {
    EXPECT_OK(devices.attach_any());
    EXPECT_OK(devices.attach_any());
    EXPECT_EQ(kernel.census().bound, 1U);
    EXPECT_OK(set_up(first_bdf));
    EXPECT_EQ(kernel.census().bound, 1U);
    EXPECT_OK(devices.release(first_bdf));
    end();
}

TEST_F(PreloadDevices, OnlyWhatTheApplicationAllowsIsBound) {
    eal.add_devargs("pci", second_bdf, RTE_DEV_ALLOWED);
    EXPECT_OK(devices.attach_any());
    EXPECT_EQ(kernel.count("open"), 2); // /dev/iommu and one cdev
    EXPECT_EQ(devices.held().front().bdf, second_bdf);
    EXPECT_OK(set_up(second_bdf));
    EXPECT_OK(devices.release(second_bdf));
    end();
}

TEST_F(PreloadDevices, ADeviceThatIsTakenIsPassedBy) {
    kernel.devices[cdev_path].bound_elsewhere = true;
    EXPECT_OK(devices.attach_any());
    EXPECT_EQ(devices.held().front().bdf, second_bdf);
    EXPECT_OK(set_up(second_bdf));
    EXPECT_OK(devices.release(second_bdf));
    end();
}

TEST_F(PreloadDevices, ADeviceForAddressesAloneIsReleased) {
    EXPECT_OK(devices.attach_any());
    EXPECT_OK(set_up(second_bdf));
    ASSERT_EQ(devices.held().size(), 1U);
    EXPECT_EQ(devices.held().front().bdf, second_bdf);
    EXPECT_OK(devices.release(second_bdf));
    end();
}

TEST_F(PreloadDevices, NoneLeftSaysWhatIsWrong) {
    eal.add_devargs("pci", "0000:09:00.0", RTE_DEV_ALLOWED);
    EXPECT_FALSE(devices.any());
    EXPECT_EQ(code(devices.attach_any()), ENODEV);
    end();
}

TEST_F(PreloadDevices, AReleasedDeviceIsTakenAgainForAMoment) {
    eal.add_devargs("pci", first_bdf, RTE_DEV_ALLOWED);
    EXPECT_OK(devices.attach_any());
    EXPECT_FALSE(devices.is_for_a_moment());
    devices.end_moment();
    EXPECT_EQ(kernel.census().bound, 1U) << "before it was released it stays";
    EXPECT_OK(set_up(first_bdf));
    EXPECT_OK(devices.release(first_bdf));
    // EAL's heap grows.
    EXPECT_OK(devices.attach_any());
    EXPECT_TRUE(devices.is_for_a_moment());
    EXPECT_EQ(*memory.physical(eal.at(0)), *kernel.memory.pa(raw(base)));
    EXPECT_EQ(code(devices.release(first_bdf)), ENOENT);
    devices.end_moment();
    end();
    // It comes back before the moment is over.
    EXPECT_OK(devices.attach_any());
    EXPECT_OK(set_up(first_bdf));
    devices.end_moment();
    EXPECT_EQ(kernel.census().bound, 1U);
    EXPECT_OK(devices.release(first_bdf));
    end();
    kernel.devices[cdev_path].bound_elsewhere = true;
    EXPECT_EQ(code(devices.attach_any()), EINVAL);
    kernel.devices[cdev_path].bound_elsewhere = false;
    EXPECT_OK(set_up(first_bdf)) << "but when the application wants it";
    EXPECT_OK(devices.release(first_bdf));
    end();
}

// What rte_dev_remove() does to EAL's list (v22.11, lib/eal/common/eal_common_dev.c): without -a
// in it, it reads as if every device were allowed.
TEST_F(PreloadDevices, TheLastOneDetachedOpensNoOther) {
    eal.add_devargs("pci", first_bdf, RTE_DEV_ALLOWED);
    EXPECT_OK(devices.attach_any());
    EXPECT_OK(set_up(first_bdf));
    EXPECT_OK(devices.release(first_bdf));
    eal.devargs.clear();
    EXPECT_FALSE(devices.any()) << "nobody gave it the second one";
    EXPECT_OK(set_up(second_bdf)) << "but it may probe it";
    EXPECT_OK(devices.release(second_bdf));
    kernel.devices[cdev_path].bound_elsewhere = true;
    EXPECT_EQ(code(devices.attach_any()), EINVAL) << "the first one, and no other";
    end();
}

TEST_F(PreloadDevices, BlockedAtStartIsBlockedForGood) {
    eal.add_devargs("pci", second_bdf, RTE_DEV_BLOCKED);
    EXPECT_OK(devices.attach_any());
    EXPECT_OK(set_up(first_bdf));
    EXPECT_OK(devices.release(first_bdf));
    eal.devargs.clear();
    kernel.devices[cdev_path].bound_elsewhere = true;
    EXPECT_EQ(code(devices.attach_any()), EINVAL) << "the first one, and no other";
    end();
}

// Open vSwitch with -a 0000:00:00.0, grout: no device at start, attached later.
TEST_F(PreloadDevices, WhatTheLauncherNamesIsEnoughForAddresses) {
    eal.add_devargs("pci", "0000:00:00.0", RTE_DEV_ALLOWED);
    preload::Devices named{kernel, eal.api, memory, second_bdf, root};
    EXPECT_TRUE(named.any());
    EXPECT_OK(named.attach_any());
    EXPECT_EQ(named.held().front().bdf, second_bdf);
    EXPECT_EQ(code(named.set_up(*named.find(first_bdf))), EACCES);
    EXPECT_EQ(named.held().size(), 1U);
    EXPECT_OK(named.set_up(*named.find(second_bdf)));
    EXPECT_OK(named.release(second_bdf));
    end();
}

// The driver switches bus master on by itself, through the descriptor it was given.
TEST_F(PreloadDevices, ReleaseStopsTheDeviceBeforeMemoryIsUnpinned) {
    EXPECT_OK(devices.attach_any());
    EXPECT_OK(memory.physical(eal.at(0)));
    eal.take(0, *kernel.memory.pa(raw(base)));
    const auto fd = set_up(first_bdf);
    ASSERT_OK(fd);
    kernel.devices[cdev_path].dma_live = true; // the model fails the test on UNMAP from here on
    kernel.devices[cdev_path].config[4] = 4;
    EXPECT_OK(devices.release(first_bdf));
    EXPECT_EQ(kernel.devices[cdev_path].resets, 1);
    EXPECT_FALSE(kernel.devices[cdev_path].bus_master());
    end();
}

TEST_F(PreloadDevices, ADeviceThatWillNotStopIsLeftToTheKernel) {
    EXPECT_OK(set_up(first_bdf));
    kernel.devices[cdev_path].dma_live = true;
    kernel.fail_always("VFIO_DEVICE_RESET", EIO);
    kernel.fail_always("pwrite", EIO);
    EXPECT_OK(devices.release(first_bdf));
    EXPECT_EQ(kernel.devices[cdev_path].stopped_by_kernel, 1);
    end();
}

// DPDK's PCI bus leaves BARs mapped, and secondaries have the cdev: then ours is not the last
// close.
TEST_F(PreloadDevices, NothingIsUnpinnedWhileADeviceMayGoOn) {
    eal.take(0, *kernel.memory.pa(raw(base)));
    int mine = 0;
    const auto fd = set_up(first_bdf);
    ASSERT_OK(fd);
    ASSERT_OK(memory.physical(&mine));
    void *bar = nullptr;
    ASSERT_EQ(kernel.mmap(128 << 10, *fd, FakeKernel::bar_offset(0), &bar), 0);
    const std::uint64_t pinned = kernel.census().pinned;
    kernel.devices[cdev_path].dma_live = true; // the model fails the test on UNMAP from here on
    kernel.fail_always("VFIO_DEVICE_RESET", EIO);
    kernel.fail_always("pwrite", EIO);
    EXPECT_OK(devices.release(first_bdf));
    EXPECT_EQ(kernel.count("IOMMU_IOAS_UNMAP"), 0);
    EXPECT_EQ(kernel.census().pinned, pinned) << "until the kernel has stopped it";
    EXPECT_EQ(kernel.devices[cdev_path].stopped_by_kernel, 0);
    kernel.fail_always("VFIO_DEVICE_RESET", 0);
    kernel.fail_always("pwrite", 0);
    EXPECT_EQ(kernel.munmap(bar, 128 << 10), 0);
    EXPECT_EQ(kernel.devices[cdev_path].stopped_by_kernel, 1);
    end();
    EXPECT_OK(set_up(second_bdf)) << "as if nothing had been";
    EXPECT_OK(devices.release(second_bdf));
    end();
}

TEST_F(PreloadDevices, ADeviceThatWillNotStopKeepsPinsForTheOthersToo) {
    eal.take(0, *kernel.memory.pa(raw(base)));
    eal.take(1, *kernel.memory.pa(raw(base) + page_2m));
    const auto fd = set_up(first_bdf);
    ASSERT_OK(fd);
    ASSERT_OK(set_up(second_bdf));
    void *bar = nullptr;
    ASSERT_EQ(kernel.mmap(128 << 10, *fd, FakeKernel::bar_offset(0), &bar), 0);
    kernel.devices[cdev_path].dma_live = true;
    kernel.fail_always("VFIO_DEVICE_RESET", EIO);
    kernel.fail_always("pwrite", EIO);
    EXPECT_OK(devices.release(first_bdf));
    memory.freed(va_of(eal.at(1)), page_2m);
    EXPECT_EQ(kernel.census().pinned, 2 * page_2m) << "EAL's to free, and not the kernel's yet";
    kernel.fail_always("VFIO_DEVICE_RESET", 0);
    kernel.fail_always("pwrite", 0);
    EXPECT_OK(devices.release(second_bdf));
    EXPECT_EQ(kernel.census().pinned, 2 * page_2m);
    EXPECT_EQ(kernel.munmap(bar, 128 << 10), 0);
    end();
}

// IOVA mode VA: it has been bound to look whether there are addresses, and serves nothing.
TEST_F(PreloadDevices, WhatIsAttachedForAddressesAloneCanBeClosed) {
    EXPECT_OK(devices.attach_any());
    devices.close_unused();
    end();
    EXPECT_OK(set_up(first_bdf));
    devices.close_unused();
    EXPECT_EQ(kernel.census().bound, 1U);
    EXPECT_OK(devices.release(first_bdf));
}

TEST_F(PreloadDevices, ATokenOfEalsIsGivenToWhoAsksForOne) {
    const VfToken token{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
    kernel.devices[cdev_path].token = token;
    const auto without = set_up(first_bdf);
    EXPECT_EQ(code(without), EACCES);
    EXPECT_TRUE(contains(message(without), "give it by EAL's --vfio-vf-token"));
    eal.api.vf_token = [](unsigned char *uuid) {
        for (unsigned char i = 0; i < 16; ++i)
            uuid[i] = static_cast<unsigned char>(i + 1);
    };
    EXPECT_OK(set_up(first_bdf));
    EXPECT_OK(set_up(second_bdf)) << "which knows of none";
    EXPECT_OK(devices.release(first_bdf));
    EXPECT_OK(devices.release(second_bdf));
    kernel.devices[cdev_path].token = VfToken{9};
    EXPECT_EQ(code(set_up(first_bdf)), EACCES) << "another one";
    end();
}

TEST_F(PreloadDevices, MemoryThatIsNotWhereDpdkThinksRefusesTheDevice) {
    eal.take(0, 0x1234000);
    EXPECT_EQ(code(set_up(first_bdf)), EFAULT);
    end();
}

TEST_F(PreloadDevices, NoFailureLeavesAnything) {
    eal.take(0, *kernel.memory.pa(raw(base)));
    for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto fd = set_up(first_bdf);
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        if (fd) {
            EXPECT_OK(devices.release(first_bdf));
        }
        end();
        return failed;
    });
}

} // namespace iommufd::test
