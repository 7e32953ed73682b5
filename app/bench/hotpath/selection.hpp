// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What of all that could be measured is asked for.

#pragma once

#include <string>
#include <vector>

#include "rounds.hpp"

namespace bench {

struct Selection {
    const Workload *workload = &workloads().front();
    std::vector<std::string> variants; // Empty: all.
    std::vector<Op> ops;
    std::vector<unsigned int> bursts;
    unsigned int rounds = 0; // 0: as the mode finds right.
};

constexpr const char *name_of(Op op) {
    return op == Op::rx ? "rx" : op == Op::tx ? "tx" : "fwd";
}

constexpr const char *name_of(Cache cache) {
    return cache == Cache::warm ? "warm" : "flushed";
}

// Whether a variant can be asked for bursts of this size.
inline bool supports_burst(const Variant &variant, unsigned int burst) {
    return burst >= variant.smallest_burst;
}

} // namespace bench
