/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/* Included before everything else: the version of a DPDK that does not exist. */

#include <rte_build_config.h>

#undef RTE_VER_MONTH
#define RTE_VER_MONTH 12
