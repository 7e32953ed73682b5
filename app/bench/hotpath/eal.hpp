// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// EAL for the benchmark: no devices of the machine, one core.

#pragma once

#include <string>
#include <vector>

namespace bench {

struct Machine {
    int main_cpu;       // Where the drivers run.
    int device_cpu;     // Another one, for the two-core runs; -1 if there is none.
    std::string memory; // What kind of pages, for the reader.
};

struct EalOptions {
    std::vector<std::string> plugins; // Shared objects to load before the packaged ones.
    bool small_pages = false;         // No hugepages, even if there are some.
    bool verbose = false;             // Show what the drivers log.
};

// Start EAL. Throws if it does not start.
Machine start_eal(const EalOptions &options);

} // namespace bench
