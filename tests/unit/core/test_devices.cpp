// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include <algorithm>
#include <optional>
#include <utility>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/pci_regs.h>

#include "core/vfio/attached_device.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

using Calls = std::vector<std::string>;

class DevicesTest : public ::testing::Test {
protected:
    DevicesTest() {
        fake = nic();
        fake.config[PCI_COMMAND] = PCI_COMMAND_MEMORY;
        kernel.memory.back_everything(page_4k);
        iommufd = kernel.open(FakeKernel::iommu, O_RDWR);
        EXPECT_EQ(ioas_alloc(kernel, iommufd, &ioas), 0);
    }
    ~DevicesTest() override {
        close();
        EXPECT_EQ(kernel.close(iommufd), 0);
        EXPECT_EQ(kernel.census(), Census{});
    }

    Result<BoundDevice> open() { return BoundDevice::open(kernel, cdev_path, iommufd); }
    // Bound, attached, with BARs and bus master, as far as state says.
    void bring_to(int state) {
        if (state > 0) {
            auto opened = open();
            ASSERT_OK(opened);
            bound.emplace(*std::move(opened));
        }
        if (state > 1) {
            auto made = attach(std::move(*bound), ioas);
            ASSERT_OK(made);
            attached.emplace(*std::move(made));
        }
        if (state > 2) {
            ASSERT_OK(attached->map_bars());
        }
        if (state > 3) {
            ASSERT_OK(device().set_bus_master(true));
        }
        kernel.calls.clear();
    }
    void close() {
        attached.reset();
        bound.reset();
    }
    BoundDevice &device() { return attached ? attached->device() : *bound; }

    [[nodiscard]] std::ptrdiff_t position(const char *name) const {
        return std::find(kernel.calls.begin(), kernel.calls.end(), name) - kernel.calls.begin();
    }

    FakeKernel kernel;
    FakeDevice &fake = kernel.devices[cdev_path];
    int iommufd = -1;
    std::uint32_t ioas = 0;
    std::optional<BoundDevice> bound;
    std::optional<AttachedDevice> attached;
};

TEST_F(DevicesTest, OpenErrorsSayWhatToDo) {
    const struct {
        int error;
        const char *remedy;
    } cases[] = {
        {EPERM, "Operation not permitted; a no-IOMMU cdev can only be opened with CAP_SYS_RAWIO"},
        {EACCES, "Permission denied; make the node readable and writeable for this user"},
        {ENOENT, "No such file or directory; the node is missing: is devtmpfs mounted"},
        {ENODEV, "the device is going away"},
        {EMFILE, "open of /dev/vfio/devices/noiommu-vfio0: Too many open files"},
    };
    for (const auto &[error, remedy] : cases) {
        kernel.open_errors[cdev_path] = error;
        const auto opened = open();
        EXPECT_EQ(code(opened), error);
        EXPECT_TRUE(contains(message(opened), std::string("open of ") + cdev_path + ": "));
        EXPECT_TRUE(contains(message(opened), remedy));
    }
    kernel.open_errors.clear();
    kernel.has_rawio = false;
    EXPECT_EQ(code(open()), EPERM);
}

TEST_F(DevicesTest, BindErrorsSayWhatToDo) {
    fake.group_open = true;
    {
        const auto opened = open();
        EXPECT_EQ(code(opened), EBUSY);
        EXPECT_TRUE(contains(message(opened),
                             "VFIO_DEVICE_BIND_IOMMUFD on /dev/vfio/devices/noiommu-vfio0: Device "
                             "or resource busy; the vfio group of the device is open"));
        EXPECT_TRUE(contains(message(opened), "--no-pci"));
        EXPECT_EQ(kernel.census().fds, 1U);
    }
    fake.group_open = false;
    fake.bound_elsewhere = true;
    {
        const auto opened = open();
        EXPECT_EQ(code(opened), EINVAL);
        EXPECT_TRUE(
            contains(message(opened), "another process, or another bus of this one, has bound"));
        EXPECT_EQ(kernel.census().fds, 1U);
    }
    fake.bound_elsewhere = false;
    EXPECT_EQ(code(BoundDevice::open(kernel, cdev_path, 7)), EBADF);
    EXPECT_OK(open());
}

TEST_F(DevicesTest, RefusesWhatIsNoPciDevice) {
    fake.is_pci = false;
    {
        const auto opened = open();
        EXPECT_EQ(code(opened), ENOTSUP);
        EXPECT_TRUE(contains(message(opened), "it is not a PCI device"));
        EXPECT_EQ(kernel.census().bound, 0U);
    }
    fake.is_pci = true;
    fake.regions = uapi::pci_config_region; // one too few
    EXPECT_EQ(code(open()), ENOTSUP);
    EXPECT_EQ(kernel.census().bound, 0U);
}

TEST_F(DevicesTest, OpenLeavesBusMasterOff) {
    fake.config[PCI_COMMAND] |= PCI_COMMAND_MASTER; // from whoever had it before
    const auto opened = open();
    ASSERT_OK(opened);
    EXPECT_FALSE(fake.bus_master());
    EXPECT_TRUE(opened->is_quiet());
}

TEST_F(DevicesTest, AFailedAttachLeavesTheDeviceWithItsOwner) {
    bring_to(1);
    EXPECT_EQ(code(attach(std::move(*bound), 77)), ENOENT);
    EXPECT_EQ(kernel.census().bound, 1U);
    EXPECT_OK(bound->set_bus_master(true)) << "still there";
}

TEST_F(DevicesTest, MapsTheBarsThatCanBeMapped) {
    bring_to(3);
    for (std::size_t i = 0; i < AttachedDevice::max_bars; ++i) {
        EXPECT_EQ(attached->bar_size(i), fake.bars[i].size);
        EXPECT_EQ(attached->bar(i) != nullptr, i == 0 || i == 3);
    }
    EXPECT_EQ(kernel.census().mappings, 2U);
    static_cast<volatile char *>(attached->bar(0))[(128 << 10) - 1] = 1; // all of it is there
}

TEST_F(DevicesTest, ConfigSpaceHasAnEnd) {
    fake.config_size = 256;
    bring_to(2);
    fake.config[255] = 0x5a;
    std::uint8_t byte = 0;
    EXPECT_OK(device().read_config(&byte, 1, 255));
    EXPECT_EQ(byte, 0x5a);
    EXPECT_OK(device().write_config(&byte, 1, 254));
    EXPECT_EQ(fake.config[254], 0x5a);
    const std::size_t calls = kernel.calls.size();
    std::uint8_t buffer[300];
    const struct {
        std::size_t length;
        std::uint64_t offset;
    } wrong[] = {{1, 256}, {2, 255}, {257, 0}, {1, UINT64_MAX}, {SIZE_MAX, 4}, {SIZE_MAX, 257}};
    for (const auto &[length, offset] : wrong) {
        EXPECT_EQ(code(device().read_config(buffer, length, offset)), EINVAL);
        const auto written = device().write_config(buffer, length, offset);
        EXPECT_EQ(code(written), EINVAL);
        EXPECT_TRUE(contains(message(written), "beyond its end"));
    }
    EXPECT_EQ(kernel.calls.size(), calls) << "the kernel was asked";
}

TEST_F(DevicesTest, ShortTransfersAreErrors) {
    bring_to(2);
    std::uint32_t word = 0;
    for (const std::size_t limit : {0, 1, 3}) {
        kernel.io_limit = limit;
        const auto read = device().read_config(&word, sizeof(word), 0);
        EXPECT_EQ(code(read), EIO);
        EXPECT_TRUE(contains(message(read), "read of configuration space on /dev/vfio/"));
        EXPECT_TRUE(contains(message(read), "it was cut short"));
        const auto written = device().write_config(&word, sizeof(word), 64);
        EXPECT_EQ(code(written), EIO);
        EXPECT_TRUE(contains(message(written), "it was cut short"));
    }
}

TEST_F(DevicesTest, BusMasterIsOneBitOfTheCommandRegister) {
    bring_to(2);
    fake.config[PCI_COMMAND] = 0x43;
    fake.config[PCI_COMMAND + 1] = 0x05;
    EXPECT_OK(device().set_bus_master(true));
    EXPECT_EQ(fake.config[PCI_COMMAND], 0x47);
    EXPECT_FALSE(device().is_quiet());
    EXPECT_OK(device().set_bus_master(false));
    EXPECT_EQ(fake.config[PCI_COMMAND], 0x43);
    EXPECT_EQ(fake.config[PCI_COMMAND + 1], 0x05);
}

TEST_F(DevicesTest, ResetNeedsADeviceThatCan) {
    bring_to(2);
    EXPECT_OK(device().reset());
    EXPECT_EQ(fake.resets, 1);
    close();
    fake.can_reset = false;
    bring_to(2);
    const auto refused = device().reset();
    EXPECT_EQ(code(refused), ENOTSUP);
    EXPECT_TRUE(contains(message(refused), "no function-level reset"));
    EXPECT_EQ(kernel.count("VFIO_DEVICE_RESET"), 0);
}

TEST_F(DevicesTest, QuiesceTriesBoth) {
    bring_to(4);
    EXPECT_OK(device().quiesce());
    EXPECT_FALSE(fake.bus_master());
    EXPECT_EQ(fake.resets, 1);
    EXPECT_LT(position("pwrite"), position("VFIO_DEVICE_RESET")) << "off before the reset";

    for (const char *failing : {"pread", "pwrite"}) {
        ASSERT_OK(device().set_bus_master(true));
        kernel.fail_always(failing, injected_errno);
        fake.resets = 0;
        EXPECT_EQ(code(device().quiesce()), injected_errno);
        EXPECT_EQ(fake.resets, 1) << "though bus master could not be switched off";
        EXPECT_TRUE(device().is_quiet());
        kernel.fail_always(failing, 0);
    }
    ASSERT_OK(device().set_bus_master(true));
    kernel.fail_always("VFIO_DEVICE_RESET", EIO);
    EXPECT_EQ(code(device().quiesce()), EIO);
    EXPECT_FALSE(fake.bus_master()) << "though it could not be reset";
    EXPECT_TRUE(device().is_quiet());
    // pci_try_reset_function() has not the lock: the kernel takes the device from its driver.
    kernel.fail_always("VFIO_DEVICE_RESET", EAGAIN);
    EXPECT_OK(device().quiesce());
    EXPECT_TRUE(device().is_quiet());

    ASSERT_OK(device().set_bus_master(true));
    kernel.fail_always("pwrite", injected_errno);
    EXPECT_EQ(code(device().quiesce()), injected_errno) << "the first of the two";
    EXPECT_FALSE(device().is_quiet());
    kernel.fail_always("pwrite", 0);
    kernel.fail_always("VFIO_DEVICE_RESET", 0);
}

TEST_F(DevicesTest, EndsInTheSafeOrder) {
    bring_to(4);
    attached.reset();
    EXPECT_EQ(kernel.calls, (Calls{"pread", "pwrite", "VFIO_DEVICE_RESET",
                                   "VFIO_DEVICE_DETACH_IOMMUFD_PT", "munmap", "munmap", "close"}));
    EXPECT_EQ(fake.stopped_by_kernel, 0);
    EXPECT_EQ(kernel.census().fds, 1U);
}

TEST_F(DevicesTest, EndsFromEveryState) {
    const Calls expected[] = {
        {},
        {"close"},
        {"VFIO_DEVICE_DETACH_IOMMUFD_PT", "close"},
        {"VFIO_DEVICE_DETACH_IOMMUFD_PT", "munmap", "munmap", "close"},
        {"pread", "pwrite", "VFIO_DEVICE_RESET", "VFIO_DEVICE_DETACH_IOMMUFD_PT", "munmap",
         "munmap", "close"},
    };
    for (int state = 0; state <= 4; ++state)
        for (const bool quiesced : {false, true}) {
            SCOPED_TRACE(state);
            bring_to(state);
            if (quiesced && state > 0) {
                EXPECT_OK(device().quiesce());
            }
            kernel.calls.clear();
            close();
            if (state < 4 || !quiesced) {
                EXPECT_EQ(kernel.calls, expected[state]);
            } else {
                EXPECT_EQ(kernel.count("VFIO_DEVICE_RESET"), 0) << "once is enough";
            }
            EXPECT_EQ(kernel.census().fds, 1U);
            EXPECT_EQ(kernel.census().mappings, 0U);
            EXPECT_EQ(kernel.census().bound, 0U);
        }
}

TEST_F(DevicesTest, ABoundDeviceThatRunsIsStoppedToo) {
    bring_to(1);
    ASSERT_OK(bound->set_bus_master(true));
    kernel.calls.clear();
    bound.reset();
    EXPECT_EQ(kernel.calls, (Calls{"pread", "pwrite", "VFIO_DEVICE_RESET", "close"}));
}

TEST_F(DevicesTest, WhatHasBeenMovedEndsOnce) {
    bring_to(4);
    {
        const AttachedDevice other = std::move(*attached);
        attached.reset();
        EXPECT_EQ(kernel.calls, Calls{});
    }
    EXPECT_EQ(kernel.count("close"), 1);
    EXPECT_EQ(kernel.count("munmap"), 2);
    EXPECT_EQ(kernel.count("VFIO_DEVICE_DETACH_IOMMUFD_PT"), 1);
}

// A device that neither clears bus master nor resets: DETACH would unpin under its DMA.
TEST_F(DevicesTest, LeavesAnUnstoppableDeviceToTheKernel) {
    bring_to(4);
    ASSERT_EQ(ioas_map(kernel, iommufd, ioas, raw(base), page_4k), 0);
    kernel.fail_always("pread", EIO);
    kernel.fail_always("VFIO_DEVICE_RESET", EIO);
    close();
    EXPECT_EQ(kernel.count("VFIO_DEVICE_DETACH_IOMMUFD_PT"), 0);
    EXPECT_EQ(fake.stopped_by_kernel, 1);
    EXPECT_EQ(kernel.census().bound, 0U);
    EXPECT_EQ(kernel.census().mappings, 0U);
}

// --- with the n-th call failing --------------------------------------------------------------

TEST_F(DevicesTest, EveryFailureOfOpen) {
    const Census before = kernel.census();
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto opened = open();
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        EXPECT_EQ(code(opened), failed ? injected_errno : 0);
        if (failed) {
            EXPECT_EQ(kernel.census(), before);
            EXPECT_OK(open());
        }
        return failed;
    });
    EXPECT_EQ(calls, 4) << "open, BIND, GET_INFO, GET_REGION_INFO";
}

TEST_F(DevicesTest, EveryFailureOfMapBars) {
    bring_to(2);
    const Census before = kernel.census();
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto mapped = attached->map_bars();
        EXPECT_EQ(code(mapped), kernel.has_failed() ? injected_errno : 0);
        if (!mapped) {
            EXPECT_TRUE(contains(message(mapped), "of BAR "));
            EXPECT_EQ(kernel.census(), before);
            for (std::size_t i = 0; i < AttachedDevice::max_bars; ++i) {
                EXPECT_EQ(attached->bar(i), nullptr);
                EXPECT_EQ(attached->bar_size(i), 0U);
            }
        }
        return !mapped.has_value();
    });
    EXPECT_EQ(calls, 6 + 2) << "GET_REGION_INFO of six, mmap of two";
}

TEST_F(DevicesTest, EveryFailureOfAttachAndTheEnd) {
    for (const bool rest_fails : {false, true}) {
        const int calls = for_each_failing_call([&](int n) {
            bring_to(1);
            const int rest = rest_fails ? EIO : 0;
            kernel.fail_from(n, injected_errno, rest);
            auto made = attach(std::move(*bound), ioas);
            EXPECT_EQ(code(made), n == 1 ? injected_errno : 0);
            if (made) {
                attached.emplace(*std::move(made));
                if (attached->map_bars())
                    (void)attached->device().set_bus_master(true);
            }
            close();
            const bool failed = kernel.has_failed();
            kernel.fail_nth(0, 0);
            EXPECT_EQ(kernel.census(), (Census{.fds = 1, .contexts = 1}));
            return failed;
        });
        EXPECT_EQ(calls, 1 + 8 + 2 + 3 + 2) << "attach, BARs, bus master; quiesce, detach, close";
    }
}

} // namespace
} // namespace iommufd::test
