// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <cstdint>
#include <string>

#include "core/ioas/address.hpp"

namespace iommufd {

// "CALL of 0x200000 bytes at 0x7f0000000000", the object of an Error.
std::string range_text(const char *call, Va va, std::uint64_t length);

// Rounded up: "3 MiB".
std::string mebibytes(std::uint64_t bytes);

} // namespace iommufd
