// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/vfio/bound_device.hpp"

#include <cerrno>
#include <cstddef>
#include <utility>

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
    case EACCES:
        return "it shares a token with a driver in user space, of its physical or virtual "
               "functions: "
               "give it by EAL's --vfio-vf-token";
    case EINVAL:
        return "another process, or another bus of this one, has bound the device";
    default:
        return broker_remedy(ret);
    }
}

} // namespace

Result<BoundDevice> BoundDevice::open(Kernel &kernel, const std::string &cdev_path, int iommufd,
                                      const VfToken *token) {
    const int fd = kernel.open(cdev_path.c_str(), O_RDWR);
    if (fd < 0)
        return failure(fd, "open of " + cdev_path, open_remedy(fd));
    BoundDevice device(kernel, cdev_path, Fd(kernel, fd));
    int ret = device_bind_iommufd(kernel, fd, iommufd, token);
    // A device that is neither a port with virtual functions nor one of these takes none.
    if (ret == -EINVAL && token != nullptr)
        ret = device_bind_iommufd(kernel, fd, iommufd);
    if (ret < 0)
        return failure(ret, device.describe("VFIO_DEVICE_BIND_IOMMUFD"), bind_remedy(ret));
    TRY(device.find_config_region());
    return device;
}

BoundDevice::~BoundDevice() {
    if (cdev_ && needs_quiesce())
        (void)quiesce();
}

Result<void> BoundDevice::find_config_region() {
    DeviceInfo device{};
    int ret = device_get_info(*kernel_, cdev_.get(), &device);
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_GET_INFO"));
    if (!device.is_pci || device.regions <= uapi::pci_config_region)
        return failure(-ENOTSUP, describe("VFIO_DEVICE_GET_INFO"), "it is not a PCI device");
    can_reset_ = device.can_reset;

    RegionInfo region{};
    ret = device_get_region_info(*kernel_, cdev_.get(), uapi::pci_config_region, &region);
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_GET_REGION_INFO of configuration space"));
    config_offset_ = region.offset;
    config_size_ = region.size;
    return {};
}

Result<void> BoundDevice::quiesce() {
    auto off = set_bus_master(false);
    // Without a reset the bus master bit alone has to do.
    auto done = can_reset_ ? reset() : off;
    // While the kernel takes a device from its driver, at an unplug or unbind, it holds the lock
    // that a reset needs, and resets it at the last close.
    if (off && !done && done.error().code == EAGAIN)
        done = {};
    quiet_ = off.has_value() || done.has_value();
    left_to_kernel_ = !quiet_;
    return off ? done : off;
}

Result<void> BoundDevice::read_config(void *buf, std::size_t length, std::uint64_t offset) const {
    if (offset > config_size_ || length > config_size_ - offset)
        return failure(-EINVAL, describe("read of configuration space"), "beyond its end");
    const ssize_t ret =
        kernel_->pread(cdev_.get(), buf, length, static_cast<off_t>(config_offset_ + offset));
    if (ret < 0)
        return failure(static_cast<int>(ret), describe("read of configuration space"));
    if (static_cast<std::size_t>(ret) != length)
        return failure(-EIO, describe("read of configuration space"), "it was cut short");
    return {};
}

Result<void> BoundDevice::write_config(const void *buf, std::size_t length, std::uint64_t offset) {
    if (offset > config_size_ || length > config_size_ - offset)
        return failure(-EINVAL, describe("write of configuration space"), "beyond its end");
    quiet_ = left_to_kernel_ = false; // it may have been the command register
    const ssize_t ret =
        kernel_->pwrite(cdev_.get(), buf, length, static_cast<off_t>(config_offset_ + offset));
    if (ret < 0)
        return failure(static_cast<int>(ret), describe("write of configuration space"));
    if (static_cast<std::size_t>(ret) != length)
        return failure(-EIO, describe("write of configuration space"), "it was cut short");
    return {};
}

Result<void> BoundDevice::set_bus_master(bool on) {
    std::uint8_t command[2]; // little endian, as all of configuration space
    TRY(read_config(command, sizeof(command), PCI_COMMAND));
    const std::uint8_t bit = PCI_COMMAND_MASTER;
    command[0] = static_cast<std::uint8_t>(on ? command[0] | bit : command[0] & ~bit);
    return write_config(command, sizeof(command), PCI_COMMAND);
}

Result<void> BoundDevice::reset() const {
    if (!can_reset_)
        return failure(-ENOTSUP, describe("VFIO_DEVICE_RESET"),
                       "the device has no function-level reset");
    const int ret = device_reset(*kernel_, cdev_.get());
    if (ret < 0)
        return failure(ret, describe("VFIO_DEVICE_RESET"));
    return {};
}

} // namespace iommufd
