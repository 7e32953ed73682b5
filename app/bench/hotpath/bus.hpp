// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// In place of two buses: the drivers' shared objects, unmodified, hand themselves over when
// EAL loads them, because the executable's rte_pci_register() and rte_iommufd_register() go
// before those of the bus libraries (it is linked with -rdynamic). Drivers are then given
// modelled devices.

#pragma once

#include <cstdint>
#include <string>

#include "device.hpp"

namespace bench {

// A driver that was loaded.
struct DriverFile {
    std::string path; // Of the shared object; empty if it was not loaded.
    [[nodiscard]] bool found() const { return !path.empty(); }
};

DriverFile pci_driver_file(const std::string &driver);
DriverFile iommufd_driver_file(const std::string &driver);

// Let a driver take a device. Both live until the process ends.
//
// name: of the device, and of the ethdev port. Returns the port; throws if the driver refuses.
std::uint16_t probe_pci(const std::string &driver, Device &device, const std::string &name);
std::uint16_t probe_iommufd(const std::string &driver, Device &device, const std::string &name);

} // namespace bench
