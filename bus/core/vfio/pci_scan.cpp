// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/vfio/pci_scan.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>

namespace iommufd {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> read_line(const fs::path &path) {
    std::ifstream file(path);
    std::string line;
    if (!file || !std::getline(file, line))
        return std::nullopt;
    return line;
}

// A number as sysfs writes it: "0x8086", "-1".
template <class T>
bool read_number(const fs::path &path, T *value) {
    const auto line = read_line(path);
    if (!line)
        return false;
    const bool hex = line->starts_with("0x");
    const char *first = line->data() + (hex ? 2 : 0);
    const auto [end, error] =
        std::from_chars(first, line->data() + line->size(), *value, hex ? 16 : 10);
    return error == std::errc{} && end == line->data() + line->size();
}

std::string link_name(const fs::path &link) {
    std::error_code error;
    const fs::path target = fs::read_symlink(link, error);
    return error ? std::string{} : target.filename().string();
}

std::string find_cdev(const fs::path &function) {
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(function / "vfio-dev", error)) {
        std::string name = entry.path().filename().string();
        if (name.starts_with("noiommu-vfio") || name.starts_with("vfio"))
            return name;
    }
    return {};
}

fs::path devices(const fs::path &sysfs) {
    return sysfs / "bus/pci/devices";
}

} // namespace

std::vector<PciFunction> scan_vfio_cdevs(const fs::path &sysfs) {
    std::vector<PciFunction> found;
    std::error_code error;
    for (const auto &entry : fs::directory_iterator(devices(sysfs), error)) {
        PciFunction f;
        f.cdev = find_cdev(entry.path());
        if (f.cdev.empty())
            continue;
        f.bdf = entry.path().filename().string();
        f.driver = link_name(entry.path() / "driver");
        if (!read_number(entry.path() / "vendor", &f.vendor_id) ||
            !read_number(entry.path() / "device", &f.device_id) ||
            !read_number(entry.path() / "subsystem_vendor", &f.subsystem_vendor_id) ||
            !read_number(entry.path() / "subsystem_device", &f.subsystem_device_id) ||
            !read_number(entry.path() / "class", &f.class_id))
            continue;
        // Absent without CONFIG_NUMA.
        if (!read_number(entry.path() / "numa_node", &f.numa_node))
            f.numa_node = -1;
        found.push_back(std::move(f));
    }
    std::sort(found.begin(), found.end(),
              [](const PciFunction &a, const PciFunction &b) { return a.bdf < b.bdf; });
    return found;
}

std::string explain_missing_cdev(const fs::path &sysfs, const std::string &bdf) {
    const fs::path function = devices(sysfs) / bdf;
    std::error_code error;
    if (!fs::exists(function, error))
        return "there is no PCI device " + bdf + " (see 'lspci -D')";

    const auto parameter = read_line(sysfs / "module/vfio/parameters/enable_unsafe_noiommu_mode");
    const std::string bind = "'dpdk-devbind.py --bind=vfio-pci " + bdf + "'";
    const std::string driver = link_name(function / "driver");
    const std::string cdev = find_cdev(function);
    if (!cdev.empty() && !cdev.starts_with("noiommu-"))
        return "it is behind a hardware IOMMU (" + cdev +
               "), which this version leaves alone: use DPDK's own PCI bus";
    if (driver != "vfio-pci" && !driver.empty())
        return "the kernel driver '" + driver + "' holds it: bind it to vfio-pci, " + bind;
    if (!parameter)
        return "the kernel has no vfio no-IOMMU mode: Linux >= 7.3 with CONFIG_VFIO_NOIOMMU and "
               "CONFIG_VFIO_DEVICE_CDEV is needed, and 'modprobe vfio-pci' where it is a module";
    if (*parameter != "Y")
        return "vfio's no-IOMMU mode is off: set enable_unsafe_noiommu_mode=1 in "
               "/sys/module/vfio/parameters before the device is bound to vfio-pci, " +
               bind;
    if (driver.empty())
        return "no kernel driver holds it: bind it to vfio-pci, " + bind;
    return "vfio-pci holds it without a no-IOMMU cdev: Linux >= 7.3 with CONFIG_IOMMUFD and "
           "CONFIG_VFIO_DEVICE_CDEV is needed; bind it again if the no-IOMMU mode was switched on "
           "after it was bound";
}

} // namespace iommufd
