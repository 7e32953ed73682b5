// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// One device through its vfio cdev, in two types that undo themselves:
//
//     BoundDevice::open() ---> attach() ---> map_bars() ---> ... ---> end of the AttachedDevice
//     cdev, BIND               IOAS: MAP     registers                bus master off, RESET
//     (reset, no bus           and GET_PA                             DETACH: the pins go
//     master)                  work                                   BARs, cdev
//
// DETACH alone leaves the bus master bit set while the pins are dropped (Linux 7.3, measured),
// so nothing may be unmapped or detached before quiesce(). A device that cannot be stopped is not
// detached: the kernel stops it at the last close of its cdev, before it unpins.

#include <cstdint>
#include <string>

#include "core/sys/fd.hpp"
#include "core/sys/kernel.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

// A cdev, bound to an iommufd. Move-only; the end stops the device and closes it.
class BoundDevice {
public:
    // Open the cdev and bind it: the function is reset and no bus master. kernel outlives it.
    // token: for a device that asks for one; others do without.
    static Result<BoundDevice> open(Kernel &kernel, const std::string &cdev_path, int iommufd,
                                    const VfToken *token = nullptr);

    BoundDevice(BoundDevice &&) noexcept = default;
    BoundDevice &operator=(BoundDevice &&) noexcept = delete;
    BoundDevice(const BoundDevice &) = delete;
    BoundDevice &operator=(const BoundDevice &) = delete;
    ~BoundDevice();

    // Stop DMA: bus master off, then VFIO_DEVICE_RESET. Both are tried; first error returned. A
    // device that is being taken away is not reset by us, and that is none.
    Result<void> quiesce();
    // Whether it does no DMA, as far as we wrote its configuration space.
    [[nodiscard]] bool is_quiet() const { return quiet_; }
    // Whether quiesce() is to be called: it is not quiet, and has not failed to become so.
    [[nodiscard]] bool needs_quiesce() const { return !quiet_ && !left_to_kernel_; }

    [[nodiscard]] Kernel &kernel() const { return *kernel_; }
    [[nodiscard]] int fd() const { return cdev_.get(); }
    // "VFIO_DEVICE_RESET on /dev/vfio/devices/...", the object of an Error.
    [[nodiscard]] std::string describe(const char *call) const { return call + (" on " + path_); }

    // EINVAL beyond the end of configuration space, EIO if the kernel moves less.
    Result<void> read_config(void *buf, std::size_t length, std::uint64_t offset) const;
    Result<void> write_config(const void *buf, std::size_t length, std::uint64_t offset);
    Result<void> set_bus_master(bool on);
    [[nodiscard]] Result<void> reset() const;

private:
    BoundDevice(Kernel &kernel, std::string path, Fd cdev)
        : kernel_(&kernel), path_(std::move(path)), cdev_(std::move(cdev)) {}
    Result<void> find_config_region();

    Kernel *kernel_;
    std::string path_;
    Fd cdev_;
    std::uint64_t config_offset_ = 0;
    std::uint64_t config_size_ = 0;
    bool can_reset_ = false;
    bool quiet_ = true;           // no bus master since BIND or quiesce(), as far as we wrote it
    bool left_to_kernel_ = false; // quiesce() has failed since
};

} // namespace iommufd
