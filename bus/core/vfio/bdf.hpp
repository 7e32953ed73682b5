// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace iommufd {

// "0000:01:00.0" from what EAL takes for it: "0000:01:00.0" or "01:00.0", in any case and width.
std::optional<std::string> normal_bdf(std::string_view name);

} // namespace iommufd
