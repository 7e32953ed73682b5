// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <chrono>
#include <cstdint>

namespace iommufd {

// Adds the time of its scope to a counter of nanoseconds.
class Stopwatch {
public:
    explicit Stopwatch(std::uint64_t *total) : total_(total), start_(Clock::now()) {}
    ~Stopwatch() {
        *total_ += static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start_).count());
    }
    Stopwatch(const Stopwatch &) = delete;
    Stopwatch &operator=(const Stopwatch &) = delete;

private:
    using Clock = std::chrono::steady_clock;
    std::uint64_t *total_;
    Clock::time_point start_;
};

} // namespace iommufd
