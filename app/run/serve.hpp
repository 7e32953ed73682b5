// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// dpdk-iommufd-run --serve: this process becomes the server (server.hpp) until a signal ends it.

#include "core/sys/result.hpp"
#include "preflight.hpp"

namespace run {

iommufd::Result<void> serve(const Options &options, const Preflight &preflight);

} // namespace run
