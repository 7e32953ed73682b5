// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the address space tells through DPDK's telemetry socket (usertools/dpdk-telemetry.py):
//
//     /iommufd/memory        totals: what is pinned, what it cost, what memlock allows
//     /iommufd/areas,START   areas from the START-th on, one line each
//     /iommufd/arenas        arenas, one line each

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include <rte_common.h>
#include <rte_telemetry.h>

#include "core/broker/client.hpp"
#include "iommufd/dpdk_compat.hpp"
#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

namespace iommufd::eal {
namespace {

constexpr std::size_t lines = 200; // of an answer; telemetry's messages are limited

// Bytes that are pinned for this process, by whomever: "VmPin: 1024 kB" (proc(5)).
std::uint64_t pinned_by_kernel() {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line))
        if (line.rfind("VmPin:", 0) == 0)
            return std::strtoull(line.c_str() + 6, nullptr, 10) << 10;
    return 0;
}

int memory_totals(const char * /*cmd*/, const char * /*params*/, rte_tel_data *data) {
    return guarded([=] {
        AddressSpace &space = process_memory().space();
        const AddressSpaceStats stats = space.stats();
        std::uint64_t limit = 0;
        (void)broker::process_kernel().memlock_limit(&limit);
        (void)rte_tel_data_start_dict(data);
        const std::pair<const char *, std::uint64_t> values[] = {
            {"areas", stats.areas},
            {"held_areas", stats.held_areas},
            {"retired_areas", stats.retired_areas},
            {"pages_4k", stats.pages_4k},
            {"pages_2m", stats.pages_2m},
            {"pages_1g", stats.pages_1g},
            {"bytes_pinned", stats.bytes},
            {"longest_run", stats.longest_run},
            {"map_calls", stats.map_calls},
            {"map_ns", stats.map_ns},
            {"get_pa_calls", stats.get_pa_calls},
            {"get_pa_ns", stats.get_pa_ns},
            {"unmap_calls", stats.unmap_calls},
            {"unmap_ns", stats.unmap_ns},
            {"memlock_used", pinned_by_kernel()},
            {"memlock_limit", limit},
        };
        for (const auto &[name, value] : values)
            (void)add_dict_uint(data, name, value);
        (void)rte_tel_data_add_dict_string(
            data, "rlimit_mode",
            space.rlimit_mode() == AddressSpace::RlimitMode::process ? "process" : "user");
        return 0;
    });
}

int area_lines(const char * /*cmd*/, const char *params, rte_tel_data *data) {
    return guarded([=] {
        const std::size_t first = params == nullptr ? 0 : std::strtoull(params, nullptr, 10);
        const auto all = process_memory().space().list();
        (void)rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
        for (std::size_t i = first; i < all.size() && i - first < lines; ++i) {
            const auto &area = all[i];
            char line[RTE_TEL_MAX_STRING_LEN];
            (void)std::snprintf(line, sizeof(line),
                                "va=0x%" PRIx64 " bytes=%" PRIu64 " page=%" PRIu64
                                " queues=%u pools=%u%s%s",
                                raw(area.va), area.length, area.page_size, area.queues, area.pools,
                                area.from_file ? " arena" : "", area.retired ? " freed" : "");
            (void)rte_tel_data_add_array_string(data, line);
        }
        return 0;
    });
}

int arena_lines(const char * /*cmd*/, const char * /*params*/, rte_tel_data *data) {
    return guarded([=] {
        (void)rte_tel_data_start_array(data, RTE_TEL_STRING_VAL);
        for (const Arena *arena : process_memory().arenas()) {
            char line[RTE_TEL_MAX_STRING_LEN];
            (void)std::snprintf(line, sizeof(line),
                                "va=0x%" PRIx64 " bytes=%" PRIu64 " free=%" PRIu64 " page=%" PRIu64
                                " node=%d pieces=%zu",
                                raw(arena->start()), arena->length(), arena->free_bytes(),
                                arena->page_size(), arena->node(), arena->allocations());
            (void)rte_tel_data_add_array_string(data, line);
        }
        return 0;
    });
}

} // namespace
} // namespace iommufd::eal

RTE_INIT(iommufd_telemetry_register) {
    using namespace iommufd::eal;
    (void)rte_telemetry_register_cmd("/iommufd/memory", memory_totals,
                                     "Totals of the address space. Takes no parameters");
    (void)rte_telemetry_register_cmd("/iommufd/areas", area_lines,
                                     "Areas of the address space, 200 at most. Parameters: number "
                                     "of the first");
    (void)rte_telemetry_register_cmd("/iommufd/arenas", arena_lines,
                                     "Arenas of hugepages. Takes no parameters");
}
