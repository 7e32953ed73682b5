// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// dpdk-iommufd-run --bind and --unbind: a function goes from its kernel driver to vfio-pci in
// no-IOMMU mode, and back to the driver that the kernel chooses.
//
//     bind      mode on, driver_override = vfio-pci, unbind, drivers_probe, is there a node?
//     unbind    no driver_override, unbind, drivers_probe
//
// The kernel lets neither step be undone half way, and an unbind waits for ever while somebody has
// the device open (Linux 7.3, drivers/vfio/vfio_main.c, vfio_unregister_group_dev()): so whoever
// uses it is asked for first.

#include <string>

#include "core/sys/result.hpp"
#include "host.hpp"

namespace run {

// Errors: ENODEV there is no such function; EBUSY it has an interface that is up, or it is open;
// ENOTSUP it stands behind an IOMMU, or the kernel has no no-IOMMU mode. When the last step fails
// the function has the driver that it had.
iommufd::Result<void> bind_function(const std::string &bdf, const HostPaths &paths = {});

// Errors: ENODEV; EBUSY it is open; ENOTSUP it is not vfio-pci's.
iommufd::Result<void> unbind_function(const std::string &bdf, const HostPaths &paths = {});

} // namespace run
