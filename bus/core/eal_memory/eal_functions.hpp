// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <rte_memory.h>

namespace iommufd {

// What the mirror calls of EAL. It is not linked with EAL: the bus passes the functions it is
// linked with, the preload library those of the running DPDK.
struct EalFunctions {
    decltype(&::rte_mem_virt2memseg_list) virt2memseg_list = nullptr;
    decltype(&::rte_mem_virt2memseg) virt2memseg = nullptr;
    decltype(&::rte_memseg_list_walk_thread_unsafe) memseg_list_walk = nullptr;
    decltype(&::rte_memseg_walk_thread_unsafe) memseg_walk = nullptr;
};

} // namespace iommufd
