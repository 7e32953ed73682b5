// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "device_test.hpp"

#include <optional>

#include <rte_eal.h>
#include <rte_malloc.h>

#include "fake_hugepages.hpp"

namespace iommufd {

static std::optional<test::FakeKernel> the_kernel;

// In place of kernel/linux_kernel.cpp, which the linker then leaves out.
Kernel &linux_kernel() {
    if (!the_kernel)
        the_kernel.emplace();
    return *the_kernel;
}

// The same for kernel/linux_hugepages.cpp.
Hugepages &linux_hugepages() {
    static auto *hugepages = new test::FakeHugepages(*the_kernel); // at the kernel's one place
    return *hugepages;
}

namespace test {

FakeKernel &new_kernel() {
    return the_kernel.emplace();
}

namespace {

const rte_pci_id ids[] = {{.class_id = RTE_CLASS_ANY_ID,
                           .vendor_id = 0x8086,
                           .device_id = 0x10c9,
                           .subsystem_vendor_id = RTE_PCI_ANY_ID,
                           .subsystem_device_id = RTE_PCI_ANY_ID},
                          {}};
const char *const keys[] = {"queues", "mac", nullptr};

int probe(rte_iommufd_driver *drv, rte_iommufd_device *dev) {
    auto *driver = static_cast<TestDriver *>(drv);
    ++driver->probed;
    EXPECT_NE(dev->bars[0].addr, nullptr);
    EXPECT_EQ(dev->bars[0].length, 128U << 10);
    EXPECT_EQ(dev->bars[2].addr, nullptr);
    if (driver->starts_dma && rte_iommufd_set_bus_master(dev, true) < 0)
        return -EIO;
    return driver->probe_result; // a careless driver: DMA still on
}

int remove(rte_iommufd_device *dev) {
    auto *driver = static_cast<TestDriver *>(dev->driver);
    ++driver->removed;
    EXPECT_NE(dev->bars[0].addr, nullptr) << "a driver needs its registers to stop";
    return driver->remove_result;
}

class Eal : public ::testing::Environment {
public:
    void SetUp() override {
        static char arguments[][20] = {"test",           "--no-pci",      "--no-huge",
                                       "-m16",           "--no-shconf",   "-l0",
                                       "--no-telemetry", "--iova-mode=va"};
        char *argv[std::size(arguments) + 1] = {};
        for (std::size_t i = 0; i < std::size(arguments); ++i)
            argv[i] = arguments[i];
        ASSERT_GE(rte_eal_init(std::size(arguments), argv), 0);
    }
    void TearDown() override { EXPECT_EQ(rte_eal_cleanup(), 0); }
};

[[maybe_unused]] const auto *eal = ::testing::AddGlobalTestEnvironment(new Eal);

} // namespace

TestDriver::TestDriver() : rte_iommufd_driver{} {
    driver.name = "net_test";
    rte_iommufd_driver::probe = test::probe;
    rte_iommufd_driver::remove = test::remove;
    id_table = ids;
    valid_devargs = keys;
    rte_iommufd_register(this);
}

PciFunction function_at(const std::string &bdf, const std::string &cdev) {
    PciFunction f;
    f.bdf = bdf;
    f.driver = "vfio-pci";
    f.cdev = cdev;
    f.class_id = 0x020000;
    f.vendor_id = 0x8086;
    f.device_id = 0x10c9;
    f.subsystem_vendor_id = 0x8086;
    f.subsystem_device_id = 0xa02b;
    f.numa_node = 0;
    return f;
}

DeviceTest::DeviceTest() : memory_(rte_malloc(nullptr, 3 * page_4k, page_4k)) {
    kernel.devices[cdev_path] = nic();
    kernel.devices[second_cdev_path] = nic();
    kernel.memory.back_everything(page_2m);
    EXPECT_NE(memory_, nullptr);
}

DeviceTest::~DeviceTest() {
    for (eal::Device *dev : {&device, &second}) {
        if (dev->driver == nullptr)
            continue;
        driver.remove_result = 0;
        EXPECT_EQ(remove_device(dev, true), 0);
    }
    expect_nothing_left();
    rte_free(memory_);
}

void DeviceTest::expect_nothing_left() const {
    EXPECT_EQ(kernel.census(), Census{});
    EXPECT_EQ(rte_iommufd_virt2dma(eal_memory()), RTE_BAD_IOVA);
    for (const eal::Device *dev : {&device, &second}) {
        EXPECT_EQ(dev->driver, nullptr);
        EXPECT_EQ(dev->device.driver, nullptr);
        EXPECT_EQ(dev->bars[0].addr, nullptr);
        EXPECT_EQ(dev->bars[0].length, 0U);
    }
}

} // namespace test
} // namespace iommufd
