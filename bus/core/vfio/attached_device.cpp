// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/vfio/attached_device.hpp"

#include <string>
#include <utility>

#include "core/sys/uapi.hpp"

namespace iommufd {

Result<AttachedDevice> attach(BoundDevice &&device, std::uint32_t ioas) {
    if (const int ret = device_attach_iommufd_pt(device.kernel(), device.fd(), ioas); ret < 0)
        return failure(ret, device.describe("VFIO_DEVICE_ATTACH_IOMMUFD_PT"));
    return AttachedDevice(std::move(device));
}

AttachedDevice::~AttachedDevice() {
    if (device_.fd() < 0) // moved from
        return;
    if (device_.needs_quiesce())
        (void)device_.quiesce();
    // DETACH would drop the pins of a device that still runs; the last close stops it first. A
    // failure changes nothing: the last close detaches too.
    if (device_.is_quiet())
        (void)device_detach_iommufd_pt(device_.kernel(), device_.fd());
}

Result<AttachedDevice::Bars> AttachedDevice::map_all_bars() const {
    Bars bars;
    for (std::size_t i = 0; i < max_bars; ++i) {
        const std::string what = "of BAR " + std::to_string(i);
        RegionInfo region{};
        const int ret =
            device_get_region_info(device_.kernel(), device_.fd(),
                                   uapi::pci_bar0_region + static_cast<std::uint32_t>(i), &region);
        if (ret < 0)
            return failure(ret, device_.describe("VFIO_DEVICE_GET_REGION_INFO") + " " + what);
        bars[i].size = region.size;
        if (region.can_mmap && region.size != 0)
            bars[i].mapping = TRY(Mapping::create(device_.kernel(), region.size, device_.fd(),
                                                  static_cast<off_t>(region.offset),
                                                  device_.describe(what.c_str())));
    }
    return bars;
}

Result<void> AttachedDevice::map_bars() {
    bars_ = {};
    bars_ = TRY(map_all_bars());
    return {};
}

} // namespace iommufd
