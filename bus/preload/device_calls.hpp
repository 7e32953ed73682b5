// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What DPDK's PCI bus asks of vfio about a device, whatever the functions are called in the running
// DPDK.

#include "preload/library.hpp"

namespace iommufd::preload {

enum class SetUp : std::uint8_t {
    done,
    failed,   // it has been said why
    left,     // another bus has it, or it was given to nobody: the PCI bus goes on without it
    not_ours, // for DPDK's own function
};

// The cdev of the device, bound and with all memory compared.
SetUp set_up_device(Library &p, const char *dev_addr, int *fd);

// Nothing if the device is not ours; else 0 or -1, and it has been said why.
std::optional<int> release_device(Library &p, const char *dev_addr, int fd);

// VFIO_DEVICE_GET_INFO: 0 or -1, which has been logged.
int get_device_info(const char *dev_addr, int fd, vfio_device_info *info);

// A refusal with the reason.
int refuse_container(const char *function);

} // namespace iommufd::preload
