// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// How ranges, sizes and who uses them are put into words, for the texts of an Error.

#include <cstdint>
#include <string>

#include "core/ioas/address.hpp"

namespace iommufd {

// "CALL of 0x200000 bytes at 0x7f0000000000", the object of an Error.
std::string range_text(const char *call, Va va, std::uint64_t length);

// Rounded up: "3 MiB".
std::string mebibytes(std::uint64_t bytes);

// RLIMIT_MEMLOCK is lower than what must be pinned, both in bytes: what to do.
std::string memlock_text(std::uint64_t limit, std::uint64_t needed);

// Why something is not unmapped: so many queues hold it, pools have objects in it, or transmit
// queues have packets in it.
std::string held_by_queues_text(std::uint64_t queues);
std::string held_by_pools_text(std::uint64_t pools);
std::string in_flight_text(std::uint64_t queues);

} // namespace iommufd
