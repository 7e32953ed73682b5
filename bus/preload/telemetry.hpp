// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The telemetry commands /iommufd_preload/info, what is pinned, and /iommufd_preload/devices.

#include <vector>

#include "preload/devices.hpp"
#include "preload/virt2phy.hpp"

namespace iommufd::preload {

// Where DPDK's telemetry is not loaded nothing is done. ask may come from any thread.
void register_telemetry(Virt2Phy::Census (*ask)(std::vector<Devices::Held> *held));

} // namespace iommufd::preload
