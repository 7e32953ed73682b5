// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Walking the items and actions of a flow rule, of which those of type VOID count for nothing. Of
// the two files that read rules alone.

#include <cerrno>

#include <rte_flow.h>

#include "ethdev/igb_flow_parse.hpp"

namespace igb {

inline const rte_flow_item *first_item(const rte_flow_item *item) {
    while (item->type == RTE_FLOW_ITEM_TYPE_VOID)
        item++;
    return item;
}

inline const rte_flow_action *first_action(const rte_flow_action *action) {
    while (action->type == RTE_FLOW_ACTION_TYPE_VOID)
        action++;
    return action;
}

// Behind one that is not END.
inline const rte_flow_item *next_item(const rte_flow_item *item) {
    return first_item(item + 1);
}

inline tl::unexpected<FlowRefusal> refuse_item(const rte_flow_item *item, const char *why) {
    return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ITEM, item, why);
}

inline tl::unexpected<FlowRefusal> refuse_action(int code, const rte_flow_action *action,
                                                 const char *why) {
    return refuse(code, RTE_FLOW_ERROR_TYPE_ACTION, action, why);
}

inline FlowResult<> check_last_action(const rte_flow_action *action) {
    if (const rte_flow_action *more = first_action(action + 1);
        more->type != RTE_FLOW_ACTION_TYPE_END)
        return refuse_action(EINVAL, more, "a rule has one action");
    return {};
}

// An item that tells a layer and compares nothing of it.
inline bool is_bare(const rte_flow_item *item) {
    return item->spec == nullptr && item->last == nullptr && item->mask == nullptr;
}

inline FlowResult<> check_spec_and_mask(const rte_flow_item *item) {
    if (item->last != nullptr)
        return refuse_item(item, "the device compares values, not ranges");
    if (item->spec == nullptr || item->mask == nullptr)
        return refuse_item(item, "the item needs both spec and mask");
    return {};
}

// igb_flow_parse_rss.cpp: a rule whose first action is RSS.
FlowResult<FlowRule> parse_flow_rss(std::uint16_t nb_rx_queues, const rte_flow_item *item,
                                    const rte_flow_action *action);

} // namespace igb
