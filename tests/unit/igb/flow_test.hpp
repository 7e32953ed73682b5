// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Flow rules put together piece by piece, and frames for them.

#include <cstdint>
#include <memory>
#include <vector>

#include <rte_byteorder.h>
#include <rte_flow.h>
#include <rte_ip.h>

#include "frames.hpp"

namespace test {

// A rule that is for ingress, has items and actions as they are added, and ends by itself.
class Rule {
public:
    rte_flow_attr attr{};

    Rule() {
        attr.ingress = 1;
        items_.resize(1);
        actions_.resize(1);
        items_[0].type = RTE_FLOW_ITEM_TYPE_END;
        actions_[0].type = RTE_FLOW_ACTION_TYPE_END;
    }

    Rule &item(rte_flow_item_type type) {
        items_.back().type = type;
        items_.emplace_back().type = RTE_FLOW_ITEM_TYPE_END;
        return *this;
    }

    template <class Item>
    Rule &item(rte_flow_item_type type, const Item &spec, const Item &mask) {
        items_.back().spec = keep(spec);
        items_.back().mask = keep(mask);
        return item(type);
    }

    Rule &action(rte_flow_action_type type, const void *conf = nullptr) {
        actions_.back().type = type;
        actions_.back().conf = conf;
        actions_.emplace_back().type = RTE_FLOW_ACTION_TYPE_END;
        return *this;
    }

    Rule &queue(std::uint16_t index) {
        return action(RTE_FLOW_ACTION_TYPE_QUEUE, keep(rte_flow_action_queue{.index = index}));
    }

    Rule &rss(const rte_flow_action_rss &conf) {
        return action(RTE_FLOW_ACTION_TYPE_RSS, keep(conf));
    }

    Rule &priority(std::uint32_t value) {
        attr.priority = value;
        return *this;
    }

    Rule &ether(std::uint16_t type) {
        rte_flow_item_eth spec{};
        rte_flow_item_eth mask{};

        spec.hdr.ether_type = rte_cpu_to_be_16(type);
        mask.hdr.ether_type = UINT16_MAX;
        return item(RTE_FLOW_ITEM_TYPE_ETH, spec, mask);
    }

    Rule &eth() { return item(RTE_FLOW_ITEM_TYPE_ETH); }
    Rule &ipv4() { return item(RTE_FLOW_ITEM_TYPE_IPV4); }

    Rule &ipv4_to(std::uint32_t destination) {
        rte_flow_item_ipv4 spec{};
        rte_flow_item_ipv4 mask{};

        spec.hdr.dst_addr = rte_cpu_to_be_32(destination);
        mask.hdr.dst_addr = UINT32_MAX;
        return item(RTE_FLOW_ITEM_TYPE_IPV4, spec, mask);
    }

    Rule &ipv4_protocol(std::uint8_t protocol) {
        rte_flow_item_ipv4 spec{};
        rte_flow_item_ipv4 mask{};

        spec.hdr.next_proto_id = protocol;
        mask.hdr.next_proto_id = UINT8_MAX;
        return item(RTE_FLOW_ITEM_TYPE_IPV4, spec, mask);
    }

    Rule &udp() { return item(RTE_FLOW_ITEM_TYPE_UDP); }

    Rule &udp_to(std::uint16_t port) {
        rte_flow_item_udp spec{};
        rte_flow_item_udp mask{};

        spec.hdr.dst_port = rte_cpu_to_be_16(port);
        mask.hdr.dst_port = UINT16_MAX;
        return item(RTE_FLOW_ITEM_TYPE_UDP, spec, mask);
    }

    Rule &tcp_flags(std::uint8_t flags, std::uint8_t flags_mask) {
        rte_flow_item_tcp spec{};
        rte_flow_item_tcp mask{};

        spec.hdr.tcp_flags = flags;
        mask.hdr.tcp_flags = flags_mask;
        return item(RTE_FLOW_ITEM_TYPE_TCP, spec, mask);
    }

    rte_flow_item *items() { return items_.data(); }
    rte_flow_action *actions() { return actions_.data(); }

private:
    // For as long as the rule lives, wherever it is moved to.
    template <class T>
    const T *keep(const T &value) {
        auto kept = std::make_shared<T>(value);
        kept_.push_back(kept);
        return kept.get();
    }

    std::vector<rte_flow_item> items_;
    std::vector<rte_flow_action> actions_;
    std::vector<std::shared_ptr<void>> kept_;
};

} // namespace test
