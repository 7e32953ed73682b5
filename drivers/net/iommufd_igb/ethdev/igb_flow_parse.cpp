// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Rules to a queue as DPDK 22.11.11, igb_flow.c, takes them for the 82576, and what it leaves open
// closed: a field, an item or a priority that the device would not look at is refused, where that
// driver takes some and ignores them (iommufd_igb.rst has the list). Rules of RSS are read in
// igb_flow_parse_rss.cpp.

#include "ethdev/igb_flow_parse.hpp"

#include <bit>
#include <cerrno>
#include <cstring>
#include <type_traits>

#include <netinet/in.h>

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "ethdev/igb_flow_items.hpp"
#include "hw/igb_result.hpp"

namespace igb {

namespace {

constexpr std::uint32_t highest_tuple_priority = 7; // IMIR has three bits for it
constexpr std::uint32_t first_of_all = UINT32_MAX;  // priority of a SYN filter, as stock has it
constexpr std::uint32_t last_rss_priority = 0xFFFF; // the same of RSS
constexpr std::uint8_t all_tcp_flags = 0x3F;        // FIN to URG

// Whether a mask has nothing but the fields that take_out() clears.
template <class Mask, class TakeOut>
bool has_only(Mask mask, TakeOut take_out) {
    const Mask nothing{};

    take_out(mask);
    return std::memcmp(&mask, &nothing, sizeof(mask)) == 0;
}

// Of a field with that mask, whether it is compared.
template <class T>
FlowResult<bool> is_compared(const rte_flow_item *item, T mask) {
    if (mask == 0)
        return false;
    if (mask == static_cast<T>(~T{0}))
        return true;
    return refuse_item(item, "the device compares all bits of a field or none");
}

FlowResult<> check_attr(const rte_flow_attr *attr) {
    if (attr->egress)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS, attr,
                      "the device has no filters for frames that are sent");
    if (attr->transfer)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER, attr,
                      "the device does not transfer frames between ports");
    if (!attr->ingress)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ATTR_INGRESS, attr, "a rule is for ingress");
    if (attr->group != 0)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, attr, "there is no group but 0");
    return {};
}

FlowResult<> check_priority(const rte_flow_attr *attr, bool has_it, const char *why) {
    if (!has_it)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY, attr, why);
    return {};
}

// The queue that frames go to: a QUEUE action and no other.
FlowResult<std::uint8_t> parse_queue(std::uint16_t nb_rx_queues, const rte_flow_action *action) {
    if (action->type == RTE_FLOW_ACTION_TYPE_DROP)
        return refuse_action(EINVAL, action,
                             "the device's filters give frames to a queue and drop none");
    if (action->type != RTE_FLOW_ACTION_TYPE_QUEUE)
        return refuse_action(EINVAL, action, "the first action is none of QUEUE and RSS");
    const auto *queue = static_cast<const rte_flow_action_queue *>(action->conf);
    if (queue == nullptr)
        return refuse_action(EINVAL, action, "the QUEUE action names no queue");
    if (queue->index >= nb_rx_queues || queue->index >= max_queues)
        return refuse_action(EINVAL, action,
                             "the QUEUE action names an Rx queue that the port has not");
    TRY(check_last_action(action));
    return static_cast<std::uint8_t>(queue->index);
}

FlowResult<EthertypeFilter> parse_ethertype(const rte_flow_item *item) {
    TRY(check_spec_and_mask(item));
    const auto *spec = static_cast<const rte_flow_item_eth *>(item->spec);
    const auto *mask = static_cast<const rte_flow_item_eth *>(item->mask);
    const auto take_out_type = [](rte_flow_item_eth &rest) { rest.hdr.ether_type = 0; };

    if (!has_only(*mask, take_out_type))
        return refuse_item(item, "an EtherType filter compares the EtherType and nothing else");
    if (mask->hdr.ether_type != UINT16_MAX)
        return refuse_item(item, "an EtherType filter compares all bits of the EtherType");
    const std::uint16_t type = rte_be_to_cpu_16(spec->hdr.ether_type);
    if (type == RTE_ETHER_TYPE_IPV4 || type == RTE_ETHER_TYPE_IPV6)
        return refuse_item(item,
                           "no EtherType filter is for IPv4 or IPv6: name the IP item instead");
    if (const rte_flow_item *more = next_item(item); more->type != RTE_FLOW_ITEM_TYPE_END)
        return refuse_item(more, "nothing may follow the item of an EtherType filter");
    return EthertypeFilter{.on = true, .type = type};
}

FlowResult<> parse_ipv4(const rte_flow_item *item, TupleFilter &filter) {
    TRY(check_spec_and_mask(item));
    const rte_ipv4_hdr &spec = static_cast<const rte_flow_item_ipv4 *>(item->spec)->hdr;
    const rte_ipv4_hdr &mask = static_cast<const rte_flow_item_ipv4 *>(item->mask)->hdr;
    const auto take_out_tuple = [](rte_ipv4_hdr &rest) {
        rest.next_proto_id = 0;
        rest.src_addr = 0;
        rest.dst_addr = 0;
    };

    if (!has_only(mask, take_out_tuple))
        return refuse_item(item,
                           "an n-tuple filter compares of IPv4 the addresses and the protocol");
    if (TRY(is_compared(item, mask.next_proto_id))) {
        filter.compared |= tuple::PROTOCOL;
        filter.protocol = spec.next_proto_id;
    }
    if (TRY(is_compared(item, mask.src_addr))) {
        filter.compared |= tuple::SOURCE_ADDRESS;
        filter.source_address = std::bit_cast<Ipv4Address>(rte_be32_t{spec.src_addr});
    }
    if (TRY(is_compared(item, mask.dst_addr))) {
        filter.compared |= tuple::DESTINATION_ADDRESS;
        filter.destination_address = std::bit_cast<Ipv4Address>(rte_be32_t{spec.dst_addr});
    }
    return {};
}

// Ports, of TCP, UDP and SCTP alike.
template <class Header>
FlowResult<> parse_ports(const rte_flow_item *item, const Header &spec, const Header &mask,
                         TupleFilter &filter) {
    if (TRY(is_compared(item, mask.src_port))) {
        filter.compared |= tuple::SOURCE_PORT;
        filter.source_port = rte_be_to_cpu_16(spec.src_port);
    }
    if (TRY(is_compared(item, mask.dst_port))) {
        filter.compared |= tuple::DESTINATION_PORT;
        filter.destination_port = rte_be_to_cpu_16(spec.dst_port);
    }
    return {};
}

FlowResult<> parse_tcp_flags(const rte_flow_item *item, const rte_tcp_hdr &spec,
                             const rte_tcp_hdr &mask, TupleFilter &filter) {
    if (!TRY(is_compared(item, mask.tcp_flags)))
        return {};
    if ((spec.tcp_flags & ~all_tcp_flags) != 0)
        return refuse_item(item, "an n-tuple filter knows the TCP flags FIN to URG");
    if (spec.tcp_flags == 0)
        return refuse_item(item, "an n-tuple filter compares TCP flags that are set, and none is");
    filter.tcp_flags = spec.tcp_flags;
    return {};
}

// Ports and flags of a TCP, UDP or SCTP item, which may have none.
template <class Item>
FlowResult<> parse_l4(const rte_flow_item *item, TupleFilter &filter) {
    if (is_bare(item))
        return {};
    TRY(check_spec_and_mask(item));
    const auto &spec = static_cast<const Item *>(item->spec)->hdr;
    const auto &mask = static_cast<const Item *>(item->mask)->hdr;
    constexpr bool is_tcp = std::is_same_v<Item, rte_flow_item_tcp>;
    const auto take_out_tuple = [](auto &rest) {
        rest.src_port = 0;
        rest.dst_port = 0;
        if constexpr (is_tcp)
            rest.tcp_flags = 0;
    };

    if (!has_only(mask, take_out_tuple))
        return refuse_item(item, is_tcp ? "an n-tuple filter compares of TCP the ports and flags"
                                        : "an n-tuple filter compares of UDP and SCTP the ports");
    TRY(parse_ports(item, spec, mask, filter));
    if constexpr (is_tcp)
        TRY(parse_tcp_flags(item, spec, mask, filter));
    return {};
}

// The item says the protocol too, which stock leaves to the IPv4 item.
FlowResult<> set_protocol(const rte_flow_item *item, std::uint8_t protocol, TupleFilter &filter) {
    if ((filter.compared & tuple::PROTOCOL) && filter.protocol != protocol)
        return refuse_item(item, "the IPv4 item names the protocol of another item than this");
    filter.compared |= tuple::PROTOCOL;
    filter.protocol = protocol;
    return {};
}

// item: IPv4's.
FlowResult<TupleFilter> parse_tuple(const rte_flow_item *item) {
    TupleFilter filter{.on = true};

    TRY(parse_ipv4(item, filter));
    item = next_item(item);
    switch (item->type) {
    case RTE_FLOW_ITEM_TYPE_TCP:
        TRY(set_protocol(item, IPPROTO_TCP, filter));
        TRY(parse_l4<rte_flow_item_tcp>(item, filter));
        break;
    case RTE_FLOW_ITEM_TYPE_UDP:
        TRY(set_protocol(item, IPPROTO_UDP, filter));
        TRY(parse_l4<rte_flow_item_udp>(item, filter));
        break;
    case RTE_FLOW_ITEM_TYPE_SCTP:
        TRY(set_protocol(item, IPPROTO_SCTP, filter));
        TRY(parse_l4<rte_flow_item_sctp>(item, filter));
        break;
    default:
        return refuse_item(item,
                           "the IPv4 item of an n-tuple filter is followed by TCP, UDP or SCTP");
    }
    if (const rte_flow_item *more = next_item(item); more->type != RTE_FLOW_ITEM_TYPE_END)
        return refuse_item(more, "nothing may follow TCP, UDP or SCTP");
    return filter;
}

// item: TCP's.
FlowResult<SynFilter> parse_syn(const rte_flow_item *item) {
    TRY(check_spec_and_mask(item));
    const rte_tcp_hdr &spec = static_cast<const rte_flow_item_tcp *>(item->spec)->hdr;
    const rte_tcp_hdr &mask = static_cast<const rte_flow_item_tcp *>(item->mask)->hdr;
    const auto take_out_flags = [](rte_tcp_hdr &rest) { rest.tcp_flags = 0; };

    if (!has_only(mask, take_out_flags) || mask.tcp_flags != RTE_TCP_SYN_FLAG ||
        !(spec.tcp_flags & RTE_TCP_SYN_FLAG))
        return refuse_item(item, "without fields of IPv4 before it TCP is compared for SYN alone");
    if (const rte_flow_item *more = next_item(item); more->type != RTE_FLOW_ITEM_TYPE_END)
        return refuse_item(more, "nothing may follow the TCP item of a SYN filter");
    return SynFilter{.on = true};
}

// The first item behind an ETH item that compares nothing, or the first of all.
FlowResult<const rte_flow_item *> skip_bare_eth(const rte_flow_item *item) {
    if (item->type != RTE_FLOW_ITEM_TYPE_ETH)
        return item;
    item = next_item(item);
    if (item->type != RTE_FLOW_ITEM_TYPE_IPV4 && item->type != RTE_FLOW_ITEM_TYPE_IPV6)
        return refuse_item(item, "an ETH item without an EtherType is followed by IPV4 or IPV6");
    return item;
}

FlowResult<FlowRule> parse_syn_behind_ip(const rte_flow_attr *attr, const rte_flow_item *item) {
    if (item->type != RTE_FLOW_ITEM_TYPE_TCP) {
        if (!is_bare(item))
            return refuse_item(item, "fields of IPv6 are not compared");
        item = next_item(item);
        if (item->type != RTE_FLOW_ITEM_TYPE_TCP)
            return refuse_item(item,
                               "an IP item without fields is followed by TCP, of SYN filters");
    }
    SynFilter filter = TRY(parse_syn(item));
    TRY(check_priority(attr, attr->priority == 0 || attr->priority == first_of_all,
                       "a SYN filter has priority 0, or 4294967295 to go first"));
    filter.first = attr->priority == first_of_all;
    return filter;
}

FlowResult<FlowRule> parse_pattern(const rte_flow_attr *attr, const rte_flow_item *item) {
    if (item->type == RTE_FLOW_ITEM_TYPE_ETH && !is_bare(item)) {
        const EthertypeFilter filter = TRY(parse_ethertype(item));
        TRY(check_priority(attr, attr->priority == 0, "an EtherType filter has priority 0"));
        return filter;
    }
    if (item->type == RTE_FLOW_ITEM_TYPE_RAW)
        return refuse_item(item, "the 82576 has no flexible filters");
    item = TRY(skip_bare_eth(item));
    switch (item->type) {
    case RTE_FLOW_ITEM_TYPE_IPV4:
        if (!is_bare(item)) {
            TupleFilter filter = TRY(parse_tuple(item));
            TRY(check_priority(attr, attr->priority <= highest_tuple_priority,
                               "an n-tuple filter has a priority of 0 to 7, the highest"));
            filter.priority = static_cast<std::uint8_t>(attr->priority);
            return filter;
        }
        [[fallthrough]];
    case RTE_FLOW_ITEM_TYPE_IPV6:
    case RTE_FLOW_ITEM_TYPE_TCP:
        return parse_syn_behind_ip(attr, item);
    default:
        return refuse_item(item, "no filter of the device begins with this item");
    }
}

FlowResult<FlowRule> with_queue(FlowRule rule, const rte_flow_action *action, std::uint8_t queue) {
    if (!std::holds_alternative<TupleFilter>(rule) && queue >= nb_three_bit_queues)
        return refuse_action(EINVAL, action, "EtherType and SYN filters reach Rx queues 0 to 7");
    const auto set_queue = [=](auto &filter) {
        if constexpr (requires { filter.queue; })
            filter.queue = queue;
    };

    std::visit(set_queue, rule);
    return rule;
}

} // namespace

FlowResult<FlowRule> parse_flow(std::uint16_t nb_rx_queues, const rte_flow_attr *attr,
                                const rte_flow_item pattern[], const rte_flow_action actions[]) {
    if (pattern == nullptr)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ITEM_NUM, nullptr, "there is no pattern");
    if (actions == nullptr)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ACTION_NUM, nullptr, "there are no actions");
    if (attr == nullptr)
        return refuse(EINVAL, RTE_FLOW_ERROR_TYPE_ATTR, nullptr, "there are no attributes");
    TRY(check_attr(attr));

    const rte_flow_action *action = first_action(actions);
    if (action->type == RTE_FLOW_ACTION_TYPE_RSS) {
        TRY(check_priority(attr, attr->priority <= last_rss_priority,
                           "an RSS rule has a priority of 0 to 65535"));
        return parse_flow_rss(nb_rx_queues, first_item(pattern), action);
    }
    const std::uint8_t queue = TRY(parse_queue(nb_rx_queues, action));
    return with_queue(TRY(parse_pattern(attr, first_item(pattern))), action, queue);
}

} // namespace igb
