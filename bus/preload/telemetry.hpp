// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The telemetry commands:
//
//     /iommufd_preload/info            how much is pinned
//     /iommufd_preload/devices         the devices and their nodes
//     /iommufd_preload/pinned,START    what is pinned, from the START-th range on, and for whom

#include <string>
#include <vector>

#include "preload/devices.hpp"
#include "preload/virt2phy.hpp"

namespace iommufd::preload {

struct Told {
    Virt2Phy::Census memory;
    std::vector<Virt2Phy::Pinned> pinned;
    std::vector<Devices::Held> devices;
};

// A line of /iommufd_preload/pinned: "va=0x7f0000000000 bytes=2097152 for=dma_map users=2".
std::string pinned_text(const Virt2Phy::Pinned &pinned);

// Where DPDK's telemetry is not loaded nothing is done. ask may be called by any thread.
void register_telemetry(Told (*ask)());

} // namespace iommufd::preload
