// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Extended statistics, by the names that net_e1000_igb has.

#include <cstdio>

#include "ethdev/igb_ethdev.hpp"
#include "hw/igb_counters.hpp"

namespace igb {

namespace {

// Octet registers count the CRC of each packet, which ethdev's bytes are without.
std::uint64_t value_of(const Counts &counts, std::size_t which) {
    const Counter &counter = counters[which];
    std::uint64_t packets = 0;

    for (std::size_t i = 0; i < counters.size() && counter.packets != 0; i++)
        if (counters[i].low == counter.packets)
            packets = counts[i];
    return counts[which] - RTE_ETHER_CRC_LEN * packets;
}

} // namespace

int xstats_get(rte_eth_dev *dev, rte_eth_xstat *xstats, unsigned int size) {
    if (xstats == nullptr || size < counters.size())
        return counters.size();
    const Counts counts = stats_counts(dev);
    for (std::size_t i = 0; i < counters.size(); i++)
        xstats[i] = {.id = i, .value = value_of(counts, i)};
    return counters.size();
}

int xstats_get_names(rte_eth_dev *, rte_eth_xstat_name *names, unsigned int size) {
    if (names == nullptr || size < counters.size())
        return counters.size();
    for (std::size_t i = 0; i < counters.size(); i++)
        (void)std::snprintf(names[i].name, sizeof(names[i].name), "%s", counters[i].name);
    return counters.size();
}

} // namespace igb
