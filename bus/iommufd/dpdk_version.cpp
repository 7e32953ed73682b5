// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Whether a plugin fits the DPDK that loads it. DPDK's ABI version does not say it for plugins:
// struct rte_bus changed in 26.07, which declares compatibility with 25.11.

#include <cstdio>

#include <rte_version.h>

#include "iommufd/bus_iommufd_driver.h"
#include "iommufd/log.hpp"

bool rte_iommufd_check_dpdk_version(const char *plugin, unsigned int year, unsigned int month) {
    unsigned int running_year = 0;
    unsigned int running_month = 0;
    // "DPDK 22.11.11"; the functions that give the parts are experimental in 22.11.
    (void)std::sscanf(rte_version(), RTE_VER_PREFIX " %u.%u", &running_year, &running_month);
    if (running_year == year && running_month == month)
        return true;
    iommufd::eal::log(RTE_LOG_ERR,
                      "plugin '%s' was built for DPDK %u.%02u and stays out of this one, %s; build "
                      "it against the installed DPDK",
                      plugin, year, month, rte_version());
    return false;
}
