// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

#include <chrono>

namespace bench {

// Nanoseconds that a function takes.
template <typename Function>
double time_ns(Function &&function) {
    const auto begin = std::chrono::steady_clock::now();

    function();
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin)
        .count();
}

} // namespace bench
