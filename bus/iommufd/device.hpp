// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A device on the bus from scan to removal. Called from EAL's thread or under its hotplug lock,
// so one at a time.

#include <optional>

#include "core/eal_memory/attachment.hpp"
#include "core/vfio/pci_scan.hpp"
#include "iommufd/bus_iommufd_driver.h"

namespace iommufd::eal {

// An rte_iommufd_device with what the bus alone needs of it.
struct Device : rte_iommufd_device {
    explicit Device(const PciFunction &f);

    PciFunction function;
    std::optional<Attachment> attachment; // from the first step of a probe on
};

inline Device *device_of(rte_iommufd_device *dev) {
    return static_cast<Device *>(dev);
}

// Whether a driver's table has the ID.
bool has_id(const rte_iommufd_driver &driver, const rte_pci_id &id);

// The first registered driver whose table has the ID; nullptr if none has.
rte_iommufd_driver *find_driver(const rte_pci_id &id);

// Open, bind, attach, map memory and BARs, then the driver's probe(); undone in reverse on
// error. 0 or a negative errno, which has been logged.
int probe_device(Device *dev);

// The driver's remove(), then the safe order: quiesce, unmap if it is the last, detach, close.
// With force the device goes even if the driver will not let it.
int remove_device(Device *dev, bool force);

} // namespace iommufd::eal
