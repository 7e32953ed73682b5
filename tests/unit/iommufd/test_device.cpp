// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Probe and removal as eal/device.cpp does them.

#include <algorithm>

#include <gtest/gtest.h>
#include <rte_devargs.h>
#include <rte_kvargs.h>

#include "device_test.hpp"

namespace iommufd::test {
namespace {

using eal::probe_device;
using eal::remove_device;

TEST_F(DeviceTest, ProbeMapsEalMemoryAndRemoveUnmapsIt) {
    ASSERT_EQ(probe_device(&device), 0);
    EXPECT_EQ(driver.probed, 1);
    EXPECT_EQ(device.device.driver, &driver.driver);
    EXPECT_TRUE(fake.dma_live);
    const auto *bytes = static_cast<const char *>(eal_memory());
    for (const std::size_t at : {0UL, 1UL, page_4k - 1, page_4k, 3 * page_4k - 1})
        EXPECT_EQ(rte_iommufd_virt2dma(bytes + at), frame_of(bytes + at));
    EXPECT_EQ(rte_iommufd_virt2dma(&kernel), RTE_BAD_IOVA) << "not EAL's";

    kernel.calls.clear();
    ASSERT_EQ(remove_device(&device, false), 0);
    EXPECT_EQ(driver.removed, 1);
    const auto position = [&](const char *name) {
        return std::find(kernel.calls.begin(), kernel.calls.end(), name) - kernel.calls.begin();
    };
    EXPECT_LT(position("pwrite"), position("VFIO_DEVICE_RESET"));
    EXPECT_LT(position("VFIO_DEVICE_RESET"), position("IOMMU_IOAS_UNMAP"));
    EXPECT_LT(position("IOMMU_IOAS_UNMAP"), position("VFIO_DEVICE_DETACH_IOMMUFD_PT"));
    EXPECT_LT(position("VFIO_DEVICE_DETACH_IOMMUFD_PT"), position("close"));
    expect_nothing_left();
}

TEST_F(DeviceTest, EveryFailureOfProbe) {
    kernel.fail_nth(0, 0);
    driver.starts_dma = false;
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const LogCapture log;
        const int ret = probe_device(&device);
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        EXPECT_EQ(ret, failed ? -injected_errno : 0);
        if (failed) {
            EXPECT_TRUE(contains(log.text(), "iommufd: iommufd:0000:01:00.0: "));
            EXPECT_TRUE(contains(log.text(), "Structure needs cleaning")) << "the errno's text";
            expect_nothing_left();
        }
        // Then as if nothing had been.
        EXPECT_EQ(failed ? probe_device(&device) : 0, 0);
        EXPECT_EQ(rte_iommufd_virt2dma(eal_memory()), frame_of(eal_memory()));
        EXPECT_EQ(remove_device(&device, false), 0);
        expect_nothing_left();
        return failed;
    });
    // open, ALLOC; open, BIND, two INFOs; ATTACH; MAP and GET_PA of 16 MiB in 2 MiB runs; BARs.
    EXPECT_GE(calls, 2 + 4 + 1 + 1 + 8 + 8);
}

TEST_F(DeviceTest, EveryFailureOfProbeAndOfEverythingAfter) {
    driver.starts_dma = false;
    for_each_failing_call([&](int n) {
        kernel.fail_from(n, injected_errno, EIO);
        const LogCapture log;
        const int ret = probe_device(&device);
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        EXPECT_EQ(ret, failed ? -injected_errno : 0) << "the first error";
        if (!failed) {
            EXPECT_EQ(remove_device(&device, false), 0);
        }
        expect_nothing_left();
        return failed;
    });
}

TEST_F(DeviceTest, EveryFailureOfRemove) {
    for (const int rest : {0, EIO}) {
        const int calls = for_each_failing_call([&](int n) {
            EXPECT_EQ(probe_device(&device), 0);
            kernel.fail_from(n, injected_errno, rest);
            const LogCapture log;
            EXPECT_EQ(remove_device(&device, false), 0);
            const bool failed = kernel.has_failed();
            kernel.fail_nth(0, 0);
            expect_nothing_left();
            return failed;
        });
        EXPECT_GE(calls, 3 + 1 + 1 + 2) << "quiesce; UNMAP; DETACH; two closes";
    }
}

TEST_F(DeviceTest, ADeviceThatCannotBeStoppedIsClosedBeforeItsMemoryIsUnpinned) {
    ASSERT_EQ(probe_device(&device), 0);
    for (const char *broken : {"pread", "pwrite", "VFIO_DEVICE_RESET"})
        kernel.fail_always(broken, EIO);
    const LogCapture log;
    EXPECT_EQ(remove_device(&device, false), 0); // the model fails the test on UNMAP under DMA
    EXPECT_EQ(fake.stopped_by_kernel, 1);
    EXPECT_TRUE(contains(log.text(), "Input/output error"));
    expect_nothing_left();
}

TEST_F(DeviceTest, ACarelessDriverIsStopped) {
    driver.probe_result = -ENOMEM; // with bus master left on
    const LogCapture log;
    EXPECT_EQ(probe_device(&device), -ENOMEM);
    EXPECT_FALSE(fake.dma_live);
    EXPECT_EQ(fake.stopped_by_kernel, 0);
    EXPECT_TRUE(contains(log.text(), "driver net_test: Cannot allocate memory"));
    expect_nothing_left();
}

TEST_F(DeviceTest, ADriverMayKeepItsDeviceUnlessForced) {
    ASSERT_EQ(probe_device(&device), 0);
    driver.remove_result = -EBUSY;
    const LogCapture log;
    EXPECT_EQ(remove_device(&device, false), -EBUSY);
    EXPECT_TRUE(contains(log.text(), "driver net_test does not let it go"));
    EXPECT_TRUE(fake.dma_live);
    EXPECT_EQ(rte_iommufd_virt2dma(eal_memory()), frame_of(eal_memory()));
    EXPECT_EQ(remove_device(&device, true), 0);
    expect_nothing_left();
}

TEST_F(DeviceTest, TwoDevicesShareTheAddressSpace) {
    ASSERT_EQ(probe_device(&device), 0);
    const Census one = kernel.census();
    ASSERT_EQ(probe_device(&second), 0);
    EXPECT_EQ(kernel.census().contexts, 1U);
    EXPECT_EQ(kernel.census().attached, 2U);
    EXPECT_EQ(kernel.census().pinned, one.pinned) << "once is enough";
    ASSERT_EQ(remove_device(&device, false), 0);
    EXPECT_EQ(kernel.count("IOMMU_IOAS_UNMAP"), 0);
    EXPECT_EQ(rte_iommufd_virt2dma(eal_memory()), frame_of(eal_memory()));
    ASSERT_EQ(probe_device(&device), 0) << "and again";
    ASSERT_EQ(remove_device(&second, false), 0);
    ASSERT_EQ(remove_device(&device, false), 0);
    expect_nothing_left();
}

TEST_F(DeviceTest, EveryFailureOfTheSecondDeviceLeavesTheFirst) {
    ASSERT_EQ(probe_device(&device), 0);
    driver.starts_dma = false;
    const Census before = kernel.census();
    const int calls = for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const LogCapture log;
        const int ret = probe_device(&second);
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        EXPECT_EQ(ret, failed ? -injected_errno : 0);
        if (!failed) {
            EXPECT_EQ(remove_device(&second, false), 0);
        }
        EXPECT_EQ(kernel.census(), before);
        EXPECT_EQ(rte_iommufd_virt2dma(eal_memory()), frame_of(eal_memory()));
        return failed;
    });
    EXPECT_EQ(calls, 4 + 1 + 8);
    EXPECT_TRUE(fake.dma_live);
}

TEST_F(DeviceTest, MemlockMessageNamesAllThatIsNeeded) {
    kernel.memlock = 8 << 20;
    const LogCapture log;
    EXPECT_EQ(probe_device(&device), -ENOMEM);
    EXPECT_TRUE(contains(log.text(), "RLIMIT_MEMLOCK, which is 8 MiB where 16 MiB are needed: "
                                     "raise it ('ulimit -l 16384', LimitMEMLOCK=) or grant "
                                     "CAP_IPC_LOCK"));
}

TEST_F(DeviceTest, NoDriverSaysWhatToLoad) {
    device.id.device_id = 0x1521;
    const LogCapture log;
    EXPECT_EQ(probe_device(&device), -ENODEV);
    EXPECT_TRUE(contains(log.text(), "no driver for device 8086:1521 on this bus; load one with -d "
                                     "(librte_net_iommufd_*.so)"));
    EXPECT_TRUE(kernel.calls.empty());
}

TEST_F(DeviceTest, UnknownDevargIsRefusedBeforeTheDeviceIsTouched) {
    rte_devargs devargs{};
    device.device.devargs = &devargs;
    char known[] = "queues=2,mac=x";
    char unknown[] = "queues=2,speed=10";
    std::string broken = "queues=1"; // more than rte_kvargs_parse() takes
    for (int i = 0; i < RTE_KVARGS_MAX; ++i)
        broken += ",queues=1";
    for (char *args : {unknown, broken.data()}) {
        devargs.args = args;
        const LogCapture log;
        EXPECT_EQ(probe_device(&device), -EINVAL);
        EXPECT_TRUE(contains(log.text(), std::string("device arguments '") + args + "'"));
        if (args == unknown) {
            EXPECT_TRUE(
                contains(log.text(), "unknown argument 'speed'; known to net_test: queues, mac"));
        }
        EXPECT_TRUE(kernel.calls.empty());
    }
    driver.valid_devargs = nullptr;
    devargs.args = known;
    {
        const LogCapture log;
        EXPECT_EQ(probe_device(&device), -EINVAL);
        EXPECT_TRUE(contains(log.text(), "known to net_test: none"));
    }
    const char *const keys[] = {"queues", "mac", nullptr};
    driver.valid_devargs = keys;
    EXPECT_EQ(probe_device(&device), 0);
    EXPECT_EQ(remove_device(&device, false), 0);
    device.device.devargs = nullptr;
}

TEST_F(DeviceTest, FindsDriversByEachPartOfTheId) {
    const rte_pci_id exact[] = {{.class_id = 0x020000,
                                 .vendor_id = 0x8086,
                                 .device_id = 1,
                                 .subsystem_vendor_id = 2,
                                 .subsystem_device_id = 3},
                                {}};
    driver.id_table = exact;
    EXPECT_EQ(eal::find_driver(exact[0]), &driver);
    rte_pci_id other = exact[0];
    other.class_id = 0x010000;
    EXPECT_EQ(eal::find_driver(other), nullptr);
    for (const auto part : {&rte_pci_id::vendor_id, &rte_pci_id::device_id,
                            &rte_pci_id::subsystem_vendor_id, &rte_pci_id::subsystem_device_id}) {
        other = exact[0];
        other.*part = 77;
        EXPECT_EQ(eal::find_driver(other), nullptr);
    }
}

} // namespace
} // namespace iommufd::test
