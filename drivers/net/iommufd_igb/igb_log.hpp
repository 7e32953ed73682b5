// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Log type of the driver, "pmd.net.iommufd_igb".

#include <rte_log.h>

namespace igb {

extern int log_type;

} // namespace igb

// IGB_LOG(ERR, "format", ...): one line, ended here.
#define IGB_LOG(level, format, ...)                                                                \
    rte_log(RTE_LOG_##level, igb::log_type, "iommufd_igb: " format "\n" __VA_OPT__(, ) __VA_ARGS__)

// The same about a port.
#define IGB_PORT_LOG(level, dev, format, ...)                                                      \
    IGB_LOG(level, "%s: " format, (dev)->device->name __VA_OPT__(, ) __VA_ARGS__)
