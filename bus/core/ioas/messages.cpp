// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/ioas/messages.hpp"

#include <cinttypes>
#include <cstdio>

namespace iommufd {
namespace {

std::string counted(std::uint64_t count, const char *one, const char *several) {
    return std::to_string(count) + (count == 1 ? one : several);
}

} // namespace

std::string range_text(const char *call, Va va, std::uint64_t length) {
    char text[128];
    (void)std::snprintf(text, sizeof(text), "%s of 0x%" PRIx64 " bytes at 0x%" PRIx64, call, length,
                        raw(va));
    return text;
}

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string((bytes >> 20) + (bytes % (1U << 20) != 0 ? 1 : 0)) + " MiB";
}

std::string memlock_text(std::uint64_t limit, std::uint64_t needed) {
    return "pinning is charged against RLIMIT_MEMLOCK, which is " + mebibytes(limit) + " where " +
           mebibytes(needed) + " are needed: raise it ('ulimit -l " + std::to_string(needed >> 10) +
           "', LimitMEMLOCK=) or grant CAP_IPC_LOCK";
}

std::string held_by_queues_text(std::uint64_t queues) {
    return "a device may still write to it: " + counted(queues, " queue uses", " queues use") +
           " it; stop the port and release its queues first";
}

std::string held_by_pools_text(std::uint64_t pools) {
    return "objects of " + counted(pools, " pool", " pools") +
           " carry its addresses; free what was made of it first";
}

std::string in_flight_text(std::uint64_t queues) {
    return "packets in it are in flight in " +
           counted(queues, " transmit queue", " transmit queues") +
           "; wait until they are completed, or stop the port";
}

} // namespace iommufd
