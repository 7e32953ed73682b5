// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

#include <algorithm>
#include <vector>

namespace bench {

// Of at least one value; of an even number of them the upper one in the middle.
inline double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);

    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

} // namespace bench
