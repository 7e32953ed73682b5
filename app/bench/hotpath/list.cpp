// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the benchmark has found.

#include <cstdint>
#include <cstdio>

#include <rte_ethdev.h>
#include <rte_version.h>

#include "json.hpp"
#include "modes.hpp"

namespace bench {

namespace {

std::string offload_names(std::uint64_t offloads, const char *(*name)(std::uint64_t)) {
    std::string names;

    for (std::uint64_t rest = offloads; rest != 0; rest &= rest - 1) {
        names += names.empty() ? "" : ", ";
        names += quote(name(rest & -rest));
    }
    return "[" + names + "]";
}

} // namespace

void list_machine(const Machine &machine) {
    std::printf("{\"dpdk\": %s, \"memory\": %s, \"two_cores\": %s}\n", quote(rte_version()).c_str(),
                quote(machine.memory).c_str(), machine.device_cpu < 0 ? "false" : "true");
}

void list_variants(const Variants &variants) {
    for (const auto &variant : variants.present)
        std::printf("{\"variant\": %s, \"driver\": %s, \"rx_mode\": %s, \"tx_mode\": %s, "
                    "\"rx_offloads\": %s, \"tx_offloads\": %s}\n",
                    quote(variant->name).c_str(), quote(variant->driver).c_str(),
                    quote(variant->rx.mode).c_str(), quote(variant->tx.mode).c_str(),
                    offload_names(variant->rx.offloads, rte_eth_dev_rx_offload_name).c_str(),
                    offload_names(variant->tx.offloads, rte_eth_dev_tx_offload_name).c_str());
    for (const Absent &absent : variants.absent)
        std::printf("{\"absent\": %s, \"reason\": %s}\n", quote(absent.name).c_str(),
                    quote(absent.reason).c_str());
}

} // namespace bench
