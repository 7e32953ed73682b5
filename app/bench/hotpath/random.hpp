// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

#include <cstdint>
#include <random>

namespace bench {

// The same numbers in every run and for every variant.
class Random {
public:
    std::uint32_t below(std::uint32_t limit) {
        return static_cast<std::uint32_t>(generator_() % limit);
    }
    std::uint32_t between(std::uint32_t least, std::uint32_t most) {
        return least + below(most - least + 1);
    }
    std::uint32_t any() { return generator_(); }
    bool coin() { return below(2) == 0; }

private:
    std::mt19937 generator_{82576};
};

} // namespace bench
