// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// sysfs as a tree in a temporary folder.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include <gtest/gtest.h>
#include <unistd.h>

#include "core/vfio/pci_scan.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

namespace fs = std::filesystem;

class PciScanTest : public ::testing::Test {
protected:
    PciScanTest() {
        std::string name = (fs::temp_directory_path() / "iommufd-sysfs-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        root = name;
        fs::create_directories(root / "bus/pci/devices");
    }
    ~PciScanTest() override { fs::remove_all(root); }

    static void write(const fs::path &path, const std::string &text) {
        fs::create_directories(path.parent_path());
        std::ofstream(path) << text;
    }
    // As the kernel does it: a symbolic link to the device's real folder.
    fs::path add(const std::string &bdf, const std::string &driver, const std::string &cdev) {
        const fs::path function = root / "devices/pci0000:00" / bdf;
        const std::map<std::string, std::string> files = {
            {"vendor", "0x8086\n"},           {"device", "0x10c9\n"},
            {"subsystem_vendor", "0x1af4\n"}, {"subsystem_device", "0x1100\n"},
            {"class", "0x020000\n"},          {"numa_node", "1\n"},
        };
        for (const auto &[name, text] : files)
            write(function / name, text);
        if (!driver.empty()) {
            fs::create_directories(root / "bus/pci/drivers" / driver);
            fs::create_directory_symlink(root / "bus/pci/drivers" / driver, function / "driver");
        }
        if (!cdev.empty())
            write(function / "vfio-dev" / cdev / "dev", "243:0\n");
        fs::create_directory_symlink(function, root / "bus/pci/devices" / bdf);
        return function;
    }
    void set_parameter(const std::string &text) {
        write(root / "module/vfio/parameters/enable_unsafe_noiommu_mode", text);
    }
    [[nodiscard]] std::string explain(const std::string &bdf) const {
        return explain_missing_cdev(root, bdf);
    }

    fs::path root;
};

TEST_F(PciScanTest, ReadsANoIommuDevice) {
    add("0000:01:00.0", "vfio-pci", "noiommu-vfio3");
    const auto found = scan_vfio_cdevs(root);
    ASSERT_EQ(found.size(), 1U);
    const PciFunction &f = found[0];
    EXPECT_EQ(f.bdf, "0000:01:00.0");
    EXPECT_EQ(f.driver, "vfio-pci");
    EXPECT_EQ(f.cdev, "noiommu-vfio3");
    EXPECT_EQ(f.cdev_path(), "/dev/vfio/devices/noiommu-vfio3");
    EXPECT_TRUE(f.is_noiommu());
    EXPECT_EQ(f.vendor_id, 0x8086);
    EXPECT_EQ(f.device_id, 0x10c9);
    EXPECT_EQ(f.subsystem_vendor_id, 0x1af4);
    EXPECT_EQ(f.subsystem_device_id, 0x1100);
    EXPECT_EQ(f.class_id, 0x020000U);
    EXPECT_EQ(f.numa_node, 1);
}

TEST_F(PciScanTest, AHardwareIommuIsSeenAndIsAnother) {
    add("0000:01:00.0", "vfio-pci", "vfio0");
    const auto found = scan_vfio_cdevs(root);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_FALSE(found[0].is_noiommu());
    EXPECT_EQ(found[0].cdev, "vfio0");
}

TEST_F(PciScanTest, LeavesOutWhatHasNoCdev) {
    add("0000:01:00.0", "igb", "");
    add("0000:02:00.0", "", "");
    add("0000:03:00.0", "vfio-pci", "");
    fs::create_directories(add("0000:04:00.0", "vfio-pci", "") / "vfio-dev");
    write(add("0000:05:00.0", "vfio-pci", "") / "vfio-dev/uevent", "");
    EXPECT_TRUE(scan_vfio_cdevs(root).empty());
}

TEST_F(PciScanTest, OrdersByAddress) {
    for (const char *bdf : {"0000:0a:00.0", "10000:01:00.0", "0000:02:00.1", "0000:02:00.0",
                            "0000:0b:1f.7", "0001:00:00.0"})
        add(bdf, "vfio-pci", "noiommu-vfio0");
    std::vector<std::string> bdfs;
    for (const PciFunction &f : scan_vfio_cdevs(root))
        bdfs.push_back(f.bdf);
    EXPECT_EQ(bdfs, (std::vector<std::string>{"0000:02:00.0", "0000:02:00.1", "0000:0a:00.0",
                                              "0000:0b:1f.7", "0001:00:00.0", "10000:01:00.0"}));
}

TEST_F(PciScanTest, NumaNodeUnknown) {
    const fs::path function = add("0000:01:00.0", "vfio-pci", "noiommu-vfio0");
    for (const char *text : {"-1\n", "", "x\n"}) {
        write(function / "numa_node", text);
        ASSERT_EQ(scan_vfio_cdevs(root).size(), 1U);
        EXPECT_EQ(scan_vfio_cdevs(root)[0].numa_node, -1) << text;
    }
    fs::remove(function / "numa_node"); // no CONFIG_NUMA
    ASSERT_EQ(scan_vfio_cdevs(root).size(), 1U);
    EXPECT_EQ(scan_vfio_cdevs(root)[0].numa_node, -1);
}

TEST_F(PciScanTest, LeavesOutWhatCannotBeRead) {
    add("0000:01:00.0", "vfio-pci", "noiommu-vfio0");
    const fs::path function = add("0000:02:00.0", "vfio-pci", "noiommu-vfio1");
    for (const char *name : {"vendor", "device", "subsystem_vendor", "subsystem_device", "class"}) {
        SCOPED_TRACE(name);
        std::string good;
        std::getline(std::ifstream(function / name), good);
        for (const char *garbage : {"", "\n", "0x\n", "garbage\n", "0x80 86\n", "0x8086x\n",
                                    "0x123456789\n", "-1\n", " 0x8086\n"}) {
            write(function / name, garbage);
            EXPECT_EQ(scan_vfio_cdevs(root).size(), 1U) << "'" << garbage << "'";
        }
        fs::remove(function / name);
        EXPECT_EQ(scan_vfio_cdevs(root).size(), 1U) << "absent";
        fs::create_directory(function / name);
        EXPECT_EQ(scan_vfio_cdevs(root).size(), 1U) << "not a file";
        fs::remove(function / name);
        write(function / name, good + "\n");
        EXPECT_EQ(scan_vfio_cdevs(root).size(), 2U);
    }
}

TEST_F(PciScanTest, NoSysfsIsNoDevice) {
    EXPECT_TRUE(scan_vfio_cdevs(root / "nowhere").empty());
    EXPECT_TRUE(contains(explain_missing_cdev(root / "nowhere", "0000:01:00.0"),
                         "there is no PCI device 0000:01:00.0 (see 'lspci -D')"));
}

TEST_F(PciScanTest, ADanglingDeviceIsLeftOut) {
    const fs::path function = add("0000:01:00.0", "vfio-pci", "noiommu-vfio0");
    fs::remove_all(function); // unplugged while the folder is read
    EXPECT_TRUE(scan_vfio_cdevs(root).empty());
    EXPECT_TRUE(contains(explain("0000:01:00.0"), "there is no PCI device"));
}

// --- why there is no cdev --------------------------------------------------------------------

TEST_F(PciScanTest, ExplainsAnAbsentDevice) {
    EXPECT_EQ(explain("0000:01:00.0"), "there is no PCI device 0000:01:00.0 (see 'lspci -D')");
}

TEST_F(PciScanTest, ExplainsAHardwareIommu) {
    set_parameter("N\n");
    add("0000:01:00.0", "vfio-pci", "vfio0");
    EXPECT_EQ(explain("0000:01:00.0"), "it is behind a hardware IOMMU (vfio0), which this version "
                                       "leaves alone: use DPDK's own PCI bus");
}

TEST_F(PciScanTest, ExplainsAnotherDriver) {
    set_parameter("Y\n");
    add("0000:01:00.0", "igb", "");
    EXPECT_EQ(explain("0000:01:00.0"),
              "the kernel driver 'igb' holds it: bind it to vfio-pci, 'dpdk-devbind.py "
              "--bind=vfio-pci 0000:01:00.0'");
}

TEST_F(PciScanTest, ExplainsAKernelWithoutNoIommuMode) {
    add("0000:01:00.0", "", "");
    add("0000:02:00.0", "vfio-pci", "");
    for (const char *bdf : {"0000:01:00.0", "0000:02:00.0"}) {
        EXPECT_TRUE(contains(explain(bdf), "the kernel has no vfio no-IOMMU mode: Linux >= 7.3 "
                                           "with CONFIG_VFIO_NOIOMMU and CONFIG_VFIO_DEVICE_CDEV "
                                           "is needed"));
        EXPECT_TRUE(contains(explain(bdf), "modprobe vfio-pci"));
    }
}

TEST_F(PciScanTest, ExplainsTheParameterThatIsOff) {
    add("0000:01:00.0", "", "");
    add("0000:02:00.0", "vfio-pci", "");
    for (const char *text : {"N\n", "\n", "0\n"}) {
        set_parameter(text);
        for (const char *bdf : {"0000:01:00.0", "0000:02:00.0"})
            EXPECT_EQ(explain(bdf),
                      "vfio's no-IOMMU mode is off: set enable_unsafe_noiommu_mode=1 in "
                      "/sys/module/vfio/parameters before the device is bound to vfio-pci, "
                      "'dpdk-devbind.py --bind=vfio-pci " +
                          std::string(bdf) + "'");
    }
}

TEST_F(PciScanTest, ExplainsNoDriver) {
    set_parameter("Y\n");
    add("0000:01:00.0", "", "");
    EXPECT_EQ(explain("0000:01:00.0"), "no kernel driver holds it: bind it to vfio-pci, "
                                       "'dpdk-devbind.py --bind=vfio-pci 0000:01:00.0'");
}

TEST_F(PciScanTest, ExplainsVfioWithoutCdev) {
    set_parameter("Y\n");
    add("0000:01:00.0", "vfio-pci", "");
    EXPECT_TRUE(contains(explain("0000:01:00.0"),
                         "vfio-pci holds it without a no-IOMMU cdev: Linux >= 7.3 with "
                         "CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV is needed"));
    EXPECT_TRUE(contains(explain("0000:01:00.0"), "bind it again if the no-IOMMU mode was switched "
                                                  "on after it was bound"));
}

} // namespace
} // namespace iommufd::test
