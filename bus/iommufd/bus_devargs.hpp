// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Device arguments that the bus itself reads, on any device:
//
//     arena=512M           mbuf pools of the application come from an arena of this size, of the
//                          NUMA node that each is for
//     arena_page=2M|1G     of hugepages of this size
//     arena_full=fail      a pool that finds no room there is not made; hugepages, the default: it
//                          comes from EAL's
//     rlimit_mode=process  pins are charged to the process, not to the user

#include <cstdint>
#include <optional>

#include <rte_devargs.h>

#include "core/ioas/address_space.hpp"

namespace iommufd::eal {

extern const char *const bus_devargs[]; // keys, NULL-terminated

struct BusDevargs {
    std::uint64_t arena = 0; // bytes; 0: none
    std::uint64_t arena_page_size = 0;
    bool arena_required = false;
    std::optional<AddressSpace::RlimitMode> rlimit_mode;
};

// devargs may be nullptr.
Result<BusDevargs> parse_bus_devargs(const rte_devargs *devargs);

// Before the address space is open; afterwards only what it has already is accepted.
Result<void> set_rlimit_mode(const BusDevargs &options);

// Once a device is attached: the arena of its node; those of others are made when a pool is for
// them. A second device may ask for the same. node: the NUMA node of the device, negative if it has
// none; then it is the calling thread's, where there are several.
Result<void> make_pool_arena(const BusDevargs &options, int node);

} // namespace iommufd::eal
