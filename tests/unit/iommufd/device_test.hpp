// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The bus's own code, with EAL up (4 KiB pages, no PCI) and the model in place of the kernel.

#include <string>

#include "iommufd/bus.hpp"
#include "iommufd/device.hpp"
#include "iommufd/process_memory.hpp"
#include "log_capture.hpp"
#include "support.hpp"

namespace iommufd::test {

// What iommufd::linux_kernel() answers in this program; a new one at the same place for each test.
FakeKernel &new_kernel();

// A driver that does what a driver does, as far as the bus sees it.
struct TestDriver : rte_iommufd_driver {
    TestDriver();
    ~TestDriver() { rte_iommufd_unregister(this); }
    TestDriver(const TestDriver &) = delete;
    TestDriver &operator=(const TestDriver &) = delete;

    int probe_result = 0;
    int remove_result = 0;
    bool starts_dma = true;
    int probed = 0;
    int removed = 0;
};

PciFunction function_at(const std::string &bdf, const std::string &cdev);

class DeviceTest : public ::testing::Test {
protected:
    DeviceTest();
    ~DeviceTest() override;

    // Some memory of EAL's, and the frame the model has for it.
    [[nodiscard]] const void *eal_memory() const { return memory_; }
    [[nodiscard]] std::uint64_t frame_of(const void *va) const {
        return *kernel.memory.pa(raw(va_of(va)));
    }
    void expect_nothing_left() const;

    FakeKernel &kernel = new_kernel();
    FakeDevice &fake = kernel.devices[cdev_path];
    TestDriver driver;
    eal::Device device{function_at("0000:01:00.0", "noiommu-vfio0")};
    eal::Device second{function_at("0000:02:00.0", "noiommu-vfio1")};
    void *memory_;
};

} // namespace iommufd::test
