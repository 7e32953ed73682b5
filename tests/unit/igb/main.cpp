// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// EAL without hugepages, devices and files, then the tests.

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_log.h>

#include "fake_bus.hpp"

int main(int argc, char **argv) {
    char program[] = "test-igb-driver";
    char huge[] = "--no-huge";
    char memory_option[] = "-m";
    char memory[] = "128";
    char pci[] = "--no-pci";
    char telemetry[] = "--no-telemetry";
    char shconf[] = "--no-shconf";
    char iova[] = "--iova-mode=va";
    char cores_option[] = "-l";
    char cores[] = "0";
    char *eal_args[] = {program,   huge,   memory_option, memory,       pci,
                        telemetry, shconf, iova,          cores_option, cores};

    testing::InitGoogleTest(&argc, argv);
    if (rte_eal_init(static_cast<int>(std::size(eal_args)), eal_args) < 0)
        return 1;
    test::register_pool_ops();
    const int result = RUN_ALL_TESTS();
    rte_eal_cleanup();
    return result;
}
