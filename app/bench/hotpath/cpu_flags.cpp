// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Keeps drivers from MOVDIRI. Where the CPU has it, ixgbe rings its doorbells with it
// (rte_write32_wc() of DPDK 22.11, lib/eal/x86/include/rte_io.h). It writes past the caches,
// which is right for a BAR, but on the model's plain memory costs some 400 cycles a doorbell
// that hardware does not cost. With a plain store that driver is as fast as on a CPU without
// the instruction; the others never use it.

#include <dlfcn.h>

#include <rte_cpuflags.h>

extern "C" int rte_cpu_get_flag_enabled(rte_cpu_flag_t feature) {
    using Function = int (*)(rte_cpu_flag_t);
    static const auto real =
        reinterpret_cast<Function>(dlsym(RTLD_NEXT, "rte_cpu_get_flag_enabled"));

    return feature == RTE_CPUFLAG_MOVDIRI || real == nullptr ? 0 : real(feature);
}
