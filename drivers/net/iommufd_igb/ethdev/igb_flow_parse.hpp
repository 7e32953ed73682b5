// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A flow rule, read: attributes, pattern and actions become one filter of the device, or a refusal
// that names the attribute, item or action at fault. Touches neither port nor device.
//
//     pattern                                     actions   filter
//     eth type is T                               queue     EtherType
//     [eth] ipv4 with fields [tcp | udp | sctp]   queue     n-tuple
//     [eth] [ipv4 | ipv6] tcp with SYN            queue     SYN
//     [eth] [ipv4 | ipv6] [tcp | udp]             rss       RSS

#include <cstdint>
#include <variant>

#include <rte_flow.h>
#include <tl/expected.hpp>

#include "hw/igb_flow_filter.hpp"
#include "hw/igb_settings.hpp"

namespace igb {

using FlowRule = std::variant<EthertypeFilter, TupleFilter, SynFilter, Rss>;

// What rte_flow_error is told. why is a literal.
struct FlowRefusal {
    int code; // errno, positive
    rte_flow_error_type type;
    const void *cause; // the attributes, item or action at fault, if there is one
    const char *why;
};

template <class T = void>
using FlowResult = tl::expected<T, FlowRefusal>;

inline tl::unexpected<FlowRefusal> refuse(int code, rte_flow_error_type type, const void *cause,
                                          const char *why) {
    return tl::make_unexpected(FlowRefusal{code, type, cause, why});
}

// A rule for a port of so many receive queues.
FlowResult<FlowRule> parse_flow(std::uint16_t nb_rx_queues, const rte_flow_attr *attr,
                                const rte_flow_item pattern[], const rte_flow_action actions[]);

} // namespace igb
