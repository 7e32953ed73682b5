// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What sysfs tells of PCI functions, before anything is opened:
//
//     /sys/bus/pci/devices/<BDF>/vfio-dev/noiommu-vfioN  ->  /dev/vfio/devices/noiommu-vfioN
//     /sys/bus/pci/devices/<BDF>/vfio-dev/vfioN              behind a hardware IOMMU
//
// The name is the kernel's word on which of the two it is (Linux 7.3, drivers/vfio/vfio_main.c,
// vfio_device_set_noiommu_and_name()).

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace iommufd {

struct PciFunction {
    std::string bdf;    // "0000:01:00.0"
    std::string driver; // of the kernel; empty if none
    std::string cdev;   // "noiommu-vfio0", "vfio0"; empty if vfio does not have the device
    std::uint32_t class_id = 0;
    std::uint16_t vendor_id = 0;
    std::uint16_t device_id = 0;
    std::uint16_t subsystem_vendor_id = 0;
    std::uint16_t subsystem_device_id = 0;
    int numa_node = -1;

    [[nodiscard]] bool is_noiommu() const { return cdev.starts_with("noiommu-"); }
    [[nodiscard]] std::string cdev_path() const { return "/dev/vfio/devices/" + cdev; }
};

// The functions that have a vfio cdev, by ascending BDF. A function whose files cannot be read
// (unplugged in this moment) is left out. sysfs: root of the tree, "/sys" but in tests.
std::vector<PciFunction> scan_vfio_cdevs(const std::filesystem::path &sysfs);

// Why there is no no-IOMMU cdev for a BDF ("0000:01:00.0") and what to do about it, as one
// sentence without its full stop.
std::string explain_missing_cdev(const std::filesystem::path &sysfs, const std::string &bdf);

} // namespace iommufd
