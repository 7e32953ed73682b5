// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// rte_vect.h, which does not say extern "C" for its functions (DPDK 22.11). To be included
// before any DPDK header.

#pragma once

#include <x86intrin.h>

extern "C" {
#include <rte_vect.h>
}
