// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/vfio/vfio_device.hpp"

#include <cerrno>
#include <cstddef>

#include <fcntl.h>
#include <linux/pci_regs.h>

#include "core/sys/broker_remedy.hpp"
#include "core/sys/uapi.hpp"

namespace iommufd {
namespace {

// Causes as Linux 7.3 gives them: vfio_device_fops_cdev_open() in drivers/vfio/device_cdev.c.
std::string open_remedy(int ret) {
    switch (-ret) {
    case EPERM:
        return "a no-IOMMU cdev can only be opened with CAP_SYS_RAWIO, and a user namespace's "
               "does not count";
    case EACCES:
        return "make the node readable and writeable for this user (chown or a udev rule)";
    case ENOENT:
        return "the node is missing: is devtmpfs mounted, and is the node visible in this "
               "container?";
    case ENODEV:
        return "the device is going away";
    default:
        return broker_remedy(ret);
    }
}

// vfio_df_ioctl_bind_iommufd() in drivers/vfio/device_cdev.c.
std::string bind_remedy(int ret) {
    switch (-ret) {
    case EBUSY:
        return "the vfio group of the device is open: DPDK's PCI bus or another process holds it; "
               "add --no-pci (or -b for this device) or stop that process";
    case EINVAL:
        return "another process, or another bus of this one, has bound the device";
    default:
        return {};
    }
}

} // namespace

Result<void> VfioDevice::open(const std::string &cdev_path, int iommufd) {
    if (cdev_)
        return failure(-EBUSY, "open of " + cdev_path, "it is open already");
    path_ = cdev_path;
    const int fd = kernel_.open(cdev_path.c_str(), O_RDWR);
    if (fd < 0)
        return failure(fd, "open of " + cdev_path, open_remedy(fd));
    Fd cdev(kernel_, fd);
    const int ret = device_bind_iommufd(kernel_, fd, iommufd);
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_BIND_IOMMUFD"), bind_remedy(ret));
    cdev_ = std::move(cdev);
    if (auto ok = find_config_region(); !ok) {
        cdev_.reset();
        return ok;
    }
    return {};
}

Result<void> VfioDevice::find_config_region() {
    DeviceInfo device{};
    int ret = device_get_info(kernel_, cdev_.get(), &device);
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_GET_INFO"));
    if (!device.is_pci || device.regions <= uapi::pci_config_region)
        return failure(-ENOTSUP, describe("VFIO_DEVICE_GET_INFO"), "it is not a PCI device");
    can_reset_ = device.can_reset;

    RegionInfo region{};
    ret = device_get_region_info(kernel_, cdev_.get(), uapi::pci_config_region, &region);
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_GET_REGION_INFO of configuration space"));
    config_offset_ = region.offset;
    config_size_ = region.size;
    return {};
}

Result<void> VfioDevice::attach(std::uint32_t ioas) {
    const int ret = device_attach_iommufd_pt(kernel_, cdev_.get(), ioas);
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_ATTACH_IOMMUFD_PT"));
    attached_ = true;
    return {};
}

Result<void> VfioDevice::map_bars() {
    unmap_bars();
    for (std::size_t i = 0; i < max_bars; ++i) {
        const std::string what = "of BAR " + std::to_string(i);
        RegionInfo region{};
        int ret = device_get_region_info(
            kernel_, cdev_.get(), uapi::pci_bar0_region + static_cast<std::uint32_t>(i), &region);
        if (ret < 0) {
            unmap_bars();
            return failure(ret, describe("VFIO_DEVICE_GET_REGION_INFO") + " " + what);
        }
        bars_[i].length = region.size;
        if (!region.can_mmap || region.size == 0)
            continue;
        ret = kernel_.mmap(region.size, cdev_.get(), static_cast<off_t>(region.offset),
                           &bars_[i].addr);
        if (ret < 0) {
            unmap_bars();
            return failure(ret, describe("mmap") + " " + what);
        }
    }
    return {};
}

void VfioDevice::unmap_bars() {
    for (Bar &bar : bars_) {
        if (bar.addr != nullptr)
            (void)kernel_.munmap(bar.addr, bar.length);
        bar = {};
    }
}

Result<void> VfioDevice::quiesce() {
    if (!cdev_)
        return {};
    auto off = set_bus_master(false);
    // Without a reset the bus master bit alone has to do.
    auto done = can_reset_ ? reset() : off;
    quiet_ = off.has_value() || done.has_value();
    return off ? done : off;
}

void VfioDevice::detach() {
    if (!attached_)
        return;
    // A failure changes nothing: the last close detaches too.
    (void)device_detach_iommufd_pt(kernel_, cdev_.get());
    attached_ = false;
}

void VfioDevice::close() {
    if (!cdev_)
        return;
    if (!quiet_)
        (void)quiesce();
    // DETACH would drop the pins of a device that still runs; the last close stops it first.
    if (quiet_)
        detach();
    attached_ = false;
    unmap_bars();
    cdev_.reset();
    quiet_ = true;
}

Result<void> VfioDevice::read_config(void *buf, std::size_t length, std::uint64_t offset) const {
    if (offset > config_size_ || length > config_size_ - offset)
        return failure(-EINVAL, describe("read of configuration space"), "beyond its end");
    const ssize_t ret =
        kernel_.pread(cdev_.get(), buf, length, static_cast<off_t>(config_offset_ + offset));
    if (ret < 0)
        return failure(static_cast<int>(ret), describe("read of configuration space"));
    if (static_cast<std::size_t>(ret) != length)
        return failure(-EIO, describe("read of configuration space"), "it was cut short");
    return {};
}

Result<void> VfioDevice::write_config(const void *buf, std::size_t length, std::uint64_t offset) {
    if (offset > config_size_ || length > config_size_ - offset)
        return failure(-EINVAL, describe("write of configuration space"), "beyond its end");
    quiet_ = false; // it may have been the command register
    const ssize_t ret =
        kernel_.pwrite(cdev_.get(), buf, length, static_cast<off_t>(config_offset_ + offset));
    if (ret < 0)
        return failure(static_cast<int>(ret), describe("write of configuration space"));
    if (static_cast<std::size_t>(ret) != length)
        return failure(-EIO, describe("write of configuration space"), "it was cut short");
    return {};
}

Result<void> VfioDevice::set_bus_master(bool on) {
    std::uint8_t command[2]; // little endian, as all of configuration space
    if (auto ok = read_config(command, sizeof(command), PCI_COMMAND); !ok)
        return ok;
    const std::uint8_t bit = PCI_COMMAND_MASTER;
    command[0] = static_cast<std::uint8_t>(on ? command[0] | bit : command[0] & ~bit);
    return write_config(command, sizeof(command), PCI_COMMAND);
}

Result<void> VfioDevice::reset() const {
    if (!can_reset_)
        return failure(-ENOTSUP, describe("VFIO_DEVICE_RESET"),
                       "the device has no function-level reset");
    const int ret = device_reset(kernel_, cdev_.get());
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_RESET"));
    return {};
}

} // namespace iommufd
