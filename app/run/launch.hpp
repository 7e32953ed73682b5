// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Becomes the command, with the library and without capabilities.

#include "core/sys/result.hpp"
#include "preflight.hpp"

namespace run {

// Comes back only if it fails, having undone what was done; errno of the error is exec's if it was
// that which failed.
iommufd::Error launch(const Options &options, const Preflight &preflight);

// The same with --connect: as the caller, with a broker that another process serves.
iommufd::Error launch_connected(const Options &options, const Preflight &preflight);

} // namespace run
