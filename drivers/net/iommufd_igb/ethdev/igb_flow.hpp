// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What an application holds of a flow rule. The rule itself is in the port's settings, as a filter
// that has its place there; the handle says which. Plain data, for it is in dev_private.

#include <array>
#include <cstddef>
#include <cstdint>

#include <ethdev_driver.h>

#include "hw/igb_flow_filter.hpp"

namespace igb {

enum class FlowKind : std::uint8_t { ethertype, tuple, syn, rss };

} // namespace igb

// rte_flow.h leaves the structure to the driver.
struct rte_flow {
    igb::FlowKind kind;
    std::uint8_t place; // among the filters of its kind
};

namespace igb {

using FlowHandles = std::array<rte_flow, nb_ethertype_filters + nb_tuple_filters + 2>;

constexpr FlowHandles make_flow_handles() {
    FlowHandles handles{};
    std::size_t next = 0;

    for (std::uint8_t i = 0; i < nb_ethertype_filters; i++)
        handles[next++] = {.kind = FlowKind::ethertype, .place = i};
    for (std::uint8_t i = 0; i < nb_tuple_filters; i++)
        handles[next++] = {.kind = FlowKind::tuple, .place = i};
    handles[next++] = {.kind = FlowKind::syn, .place = 0};
    handles[next++] = {.kind = FlowKind::rss, .place = 0};
    return handles;
}

int flow_ops_get(rte_eth_dev *dev, const rte_flow_ops **ops);
// 0, or -EINVAL after a line about a rule for a queue that the port's configuration has not.
int flow_check_queues(const rte_eth_dev *dev);
// All rules are gone, as far as the port knows: of a device that is about to be reset, or has been.
void flow_forget(rte_eth_dev *dev);

} // namespace igb
