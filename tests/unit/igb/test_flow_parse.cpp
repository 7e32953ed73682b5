// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Flow rules, read without port or device: what is taken, and each refusal with the part at fault.

#include <cerrno>
#include <string>

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include "ethdev/igb_flow_parse.hpp"
#include "flow_test.hpp"

namespace {

using namespace igb;
using test::Rule;

constexpr std::uint8_t syn = 1u << 1;

FlowResult<FlowRule> parse(Rule &rule) {
    return parse_flow(max_queues, &rule.attr, rule.items(), rule.actions());
}

template <class Filter>
Filter taken(Rule rule) {
    const auto parsed = parse(rule);

    EXPECT_TRUE(parsed) << parsed.error().why;
    EXPECT_TRUE(parsed && std::holds_alternative<Filter>(*parsed));
    return parsed && std::holds_alternative<Filter>(*parsed) ? std::get<Filter>(*parsed) : Filter{};
}

std::string refusal(Rule &rule, int code) {
    const auto parsed = parse(rule);

    EXPECT_FALSE(parsed) << "is taken";
    if (parsed)
        return {};
    EXPECT_EQ(code, parsed.error().code) << parsed.error().why;
    return parsed.error().why;
}

// For an item, by its number, VOIDs counted.
void refused_item(Rule rule, int item, const std::string &why) {
    EXPECT_EQ(why, refusal(rule, EINVAL));
    const auto parsed = parse(rule);
    if (!parsed) {
        EXPECT_EQ(RTE_FLOW_ERROR_TYPE_ITEM, parsed.error().type) << why;
        EXPECT_EQ(rule.items() + item, parsed.error().cause) << why;
    }
}

void refused_action(Rule rule, int action, const std::string &why, int code = EINVAL) {
    EXPECT_EQ(why, refusal(rule, code));
    const auto parsed = parse(rule);
    if (!parsed) {
        EXPECT_EQ(RTE_FLOW_ERROR_TYPE_ACTION, parsed.error().type) << why;
        EXPECT_EQ(rule.actions() + action, parsed.error().cause) << why;
    }
}

void refused_attr(Rule rule, rte_flow_error_type type, const std::string &why) {
    EXPECT_EQ(why, refusal(rule, EINVAL));
    const auto parsed = parse(rule);
    if (!parsed) {
        EXPECT_EQ(type, parsed.error().type) << why;
        EXPECT_EQ(&rule.attr, parsed.error().cause) << why;
    }
}

template <class Item, class Change>
Item make(Change change) {
    Item item{};

    change(item.hdr);
    return item;
}

Rule ether_rule() {
    return Rule().ether(0x88B5).queue(1);
}

Rule tuple_rule() {
    return Rule().eth().ipv4_protocol(IPPROTO_UDP).udp_to(80).queue(1);
}

Rule syn_rule() {
    return Rule().eth().ipv4().tcp_flags(syn, syn).queue(1);
}

rte_flow_action_rss rss_of(const std::uint16_t *queues, std::uint32_t count,
                           std::uint64_t types = RTE_ETH_RSS_IPV4) {
    rte_flow_action_rss rss{};

    rss.types = types;
    rss.queue = queues;
    rss.queue_num = count;
    return rss;
}

constexpr std::uint16_t two_queues[] = {0, 1};

TEST(FlowParse, VoidItemsAndActionsCountForNothing) {
    const EthertypeFilter filter = taken<EthertypeFilter>(Rule()
                                                              .item(RTE_FLOW_ITEM_TYPE_VOID)
                                                              .ether(0x88B5)
                                                              .item(RTE_FLOW_ITEM_TYPE_VOID)
                                                              .action(RTE_FLOW_ACTION_TYPE_VOID)
                                                              .queue(7)
                                                              .action(RTE_FLOW_ACTION_TYPE_VOID));
    EXPECT_EQ(0x88B5, filter.type);
    EXPECT_EQ(7, filter.queue);
}

TEST(FlowParse, TuplesWithAndWithoutEthAndPorts) {
    TupleFilter filter = taken<TupleFilter>(tuple_rule().priority(7));
    EXPECT_EQ(7, filter.priority);
    EXPECT_EQ(tuple::PROTOCOL | tuple::DESTINATION_PORT, filter.compared);
    filter = taken<TupleFilter>(Rule().ipv4_to(0x0A000001).item(RTE_FLOW_ITEM_TYPE_SCTP).queue(15));
    EXPECT_EQ(IPPROTO_SCTP, filter.protocol);
    EXPECT_EQ((Ipv4Address{10, 0, 0, 1}), filter.destination_address);
    EXPECT_EQ(15, filter.queue);
    const auto port = make<rte_flow_item_sctp>([](auto &hdr) { hdr.src_port = RTE_BE16(5); });
    const auto mask = make<rte_flow_item_sctp>([](auto &hdr) { hdr.src_port = UINT16_MAX; });
    filter =
        taken<TupleFilter>(Rule().ipv4_to(1).item(RTE_FLOW_ITEM_TYPE_SCTP, port, mask).queue(1));
    EXPECT_EQ(5, filter.source_port);
}

TEST(FlowParse, SynWithAndWithoutLayersBeforeIt) {
    EXPECT_FALSE(taken<SynFilter>(syn_rule()).first);
    EXPECT_TRUE(
        taken<SynFilter>(
            Rule().priority(UINT32_MAX).item(RTE_FLOW_ITEM_TYPE_IPV6).tcp_flags(syn, syn).queue(7))
            .first);
    EXPECT_EQ(7, taken<SynFilter>(Rule().tcp_flags(syn, syn).queue(7)).queue);
}

TEST(FlowParse, RssWithAndWithoutPattern) {
    EXPECT_EQ(mrqc::IPV4, taken<Rss>(Rule().rss(rss_of(two_queues, 2))).fields);
    EXPECT_EQ(mrqc::IPV4_TCP | mrqc::IPV4_UDP | mrqc::IPV4 | mrqc::IPV6 | mrqc::IPV6_TCP |
                  mrqc::IPV6_UDP,
              taken<Rss>(Rule().rss(rss_of(two_queues, 2, 0))).fields)
        << "what suits";
    EXPECT_EQ(
        mrqc::IPV6_UDP,
        taken<Rss>(Rule().eth().item(RTE_FLOW_ITEM_TYPE_IPV6).udp().rss(rss_of(two_queues, 2, 0)))
            .fields);
    EXPECT_EQ(mrqc::IPV4, taken<Rss>(Rule().eth().ipv4().rss(rss_of(
                                         two_queues, 2, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_IPV6)))
                              .fields)
        << "of the types those of the pattern";
    EXPECT_EQ(0x6D, taken<Rss>(Rule().rss(rss_of(two_queues, 2))).key[0]);
    std::uint8_t key[40] = {0xA5};
    rte_flow_action_rss rss = rss_of(two_queues, 2);
    rss.key = key;
    rss.key_len = 40;
    EXPECT_EQ(0xA5, taken<Rss>(Rule().priority(0xFFFF).rss(rss)).key[0]);
}

TEST(FlowParse, RefusesAttributes) {
    Rule rule = ether_rule();
    rule.attr.ingress = 0;
    refused_attr(rule, RTE_FLOW_ERROR_TYPE_ATTR_INGRESS, "a rule is for ingress");
    rule.attr.egress = 1;
    refused_attr(rule, RTE_FLOW_ERROR_TYPE_ATTR_EGRESS,
                 "the device has no filters for frames that are sent");
    rule = ether_rule();
    rule.attr.transfer = 1;
    refused_attr(rule, RTE_FLOW_ERROR_TYPE_ATTR_TRANSFER,
                 "the device does not transfer frames between ports");
    rule = tuple_rule();
    rule.attr.group = 1;
    refused_attr(rule, RTE_FLOW_ERROR_TYPE_ATTR_GROUP, "there is no group but 0");
}

TEST(FlowParse, RefusesPriorities) {
    constexpr rte_flow_error_type priority = RTE_FLOW_ERROR_TYPE_ATTR_PRIORITY;

    refused_attr(ether_rule().priority(1), priority, "an EtherType filter has priority 0");
    refused_attr(tuple_rule().priority(8), priority,
                 "an n-tuple filter has a priority of 0 to 7, the highest");
    refused_attr(syn_rule().priority(1), priority,
                 "a SYN filter has priority 0, or 4294967295 to go first");
    refused_attr(Rule().priority(0x10000).rss(rss_of(two_queues, 2)), priority,
                 "an RSS rule has a priority of 0 to 65535");
}

TEST(FlowParse, RefusesWhatIsNotThere) {
    Rule rule = ether_rule();

    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_ITEM_NUM,
              parse_flow(1, &rule.attr, nullptr, rule.actions()).error().type);
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_ACTION_NUM,
              parse_flow(1, &rule.attr, rule.items(), nullptr).error().type);
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_ATTR,
              parse_flow(1, nullptr, rule.items(), rule.actions()).error().type);
}

TEST(FlowParse, RefusesActions) {
    refused_action(Rule().ether(0x88B5), 0, "the first action is none of QUEUE and RSS");
    refused_action(Rule().ether(0x88B5).action(RTE_FLOW_ACTION_TYPE_DROP), 0,
                   "the device's filters give frames to a queue and drop none");
    refused_action(Rule().ether(0x88B5).action(RTE_FLOW_ACTION_TYPE_MARK), 0,
                   "the first action is none of QUEUE and RSS");
    refused_action(ether_rule().action(RTE_FLOW_ACTION_TYPE_COUNT), 1, "a rule has one action");
    refused_action(Rule().ether(0x88B5).action(RTE_FLOW_ACTION_TYPE_QUEUE), 0,
                   "the QUEUE action names no queue");
    refused_action(Rule().ether(0x88B5).queue(16), 0,
                   "the QUEUE action names an Rx queue that the port has not");
    refused_action(Rule().ether(0x88B5).queue(8), 0,
                   "EtherType and SYN filters reach Rx queues 0 to 7");
    refused_action(Rule().tcp_flags(syn, syn).queue(8), 0,
                   "EtherType and SYN filters reach Rx queues 0 to 7");
}

TEST(FlowParse, RefusesPatternsThatNoFilterHas) {
    refused_item(Rule().queue(1), 0, "no filter of the device begins with this item");
    refused_item(Rule().item(RTE_FLOW_ITEM_TYPE_VLAN).queue(1), 0,
                 "no filter of the device begins with this item");
    refused_item(Rule().item(RTE_FLOW_ITEM_TYPE_RAW).queue(1), 0,
                 "the 82576 has no flexible filters");
    refused_item(Rule().eth().queue(1), 1,
                 "an ETH item without an EtherType is followed by IPV4 or IPV6");
    refused_item(Rule().eth().tcp_flags(syn, syn).queue(1), 1,
                 "an ETH item without an EtherType is followed by IPV4 or IPV6");
}

TEST(FlowParse, RefusesEthertypes) {
    rte_flow_item_eth spec{};
    rte_flow_item_eth mask{};
    const auto rule = [&] { return Rule().item(RTE_FLOW_ITEM_TYPE_ETH, spec, mask).queue(1); };

    refused_item(rule(), 0, "an EtherType filter compares all bits of the EtherType");
    mask.hdr.ether_type = RTE_BE16(0xFFF0);
    refused_item(rule(), 0, "an EtherType filter compares all bits of the EtherType");
    mask.hdr.ether_type = UINT16_MAX;
    mask.hdr.dst_addr.addr_bytes[5] = 1;
    refused_item(rule(), 0, "an EtherType filter compares the EtherType and nothing else");
    mask.hdr.dst_addr.addr_bytes[5] = 0;
    mask.hdr.src_addr.addr_bytes[0] = 0xFF;
    refused_item(rule(), 0, "an EtherType filter compares the EtherType and nothing else");
    mask.hdr.src_addr.addr_bytes[0] = 0;
    mask.has_vlan = 1;
    refused_item(rule(), 0, "an EtherType filter compares the EtherType and nothing else");
    for (const std::uint16_t ip : {0x0800, 0x86DD})
        refused_item(Rule().ether(ip).queue(1), 0,
                     "no EtherType filter is for IPv4 or IPv6: name the IP item instead");
    refused_item(Rule().ether(0x88B5).ipv4().queue(1), 1,
                 "nothing may follow the item of an EtherType filter");
    Rule half = ether_rule();
    half.items()[0].mask = nullptr;
    refused_item(half, 0, "the item needs both spec and mask");
    Rule range = ether_rule();
    range.items()[0].last = range.items()[0].spec;
    refused_item(range, 0, "the device compares values, not ranges");
}

TEST(FlowParse, RefusesIpv4Fields) {
    const rte_flow_item_ipv4 spec{};
    const auto refused_mask = [&](auto change, const std::string &why) {
        refused_item(Rule()
                         .item(RTE_FLOW_ITEM_TYPE_IPV4, spec, make<rte_flow_item_ipv4>(change))
                         .udp()
                         .queue(1),
                     0, why);
    };
    const std::string others = "an n-tuple filter compares of IPv4 the addresses and the protocol";
    const std::string partly = "the device compares all bits of a field or none";

    refused_mask([](auto &hdr) { hdr.type_of_service = 1; }, others);
    refused_mask([](auto &hdr) { hdr.time_to_live = 0xFF; }, others);
    refused_mask([](auto &hdr) { hdr.fragment_offset = 1; }, others);
    refused_mask([](auto &hdr) { hdr.src_addr = RTE_BE32(0xFFFFFF00); }, partly);
    refused_mask([](auto &hdr) { hdr.dst_addr = 1; }, partly);
    refused_mask([](auto &hdr) { hdr.next_proto_id = 0x0F; }, partly);
    Rule half = tuple_rule();
    half.items()[1].spec = nullptr;
    refused_item(half, 1, "the item needs both spec and mask");
}

TEST(FlowParse, RefusesWhatFollowsIpv4) {
    refused_item(Rule().ipv4_to(1).queue(1), 1,
                 "the IPv4 item of an n-tuple filter is followed by TCP, UDP or SCTP");
    refused_item(Rule().ipv4_to(1).item(RTE_FLOW_ITEM_TYPE_ICMP).queue(1), 1,
                 "the IPv4 item of an n-tuple filter is followed by TCP, UDP or SCTP");
    refused_item(Rule().ipv4_protocol(IPPROTO_TCP).udp().queue(1), 1,
                 "the IPv4 item names the protocol of another item than this");
    refused_item(Rule().ipv4_to(1).udp().item(RTE_FLOW_ITEM_TYPE_VXLAN).queue(1), 2,
                 "nothing may follow TCP, UDP or SCTP");
    refused_item(Rule().ipv4().udp().queue(1), 1,
                 "an IP item without fields is followed by TCP, of SYN filters");
}

TEST(FlowParse, RefusesFieldsOfPortsAndFlags) {
    const auto udp = make<rte_flow_item_udp>([](auto &hdr) { hdr.dgram_len = 1; });
    const auto half = make<rte_flow_item_udp>([](auto &hdr) { hdr.dst_port = 1; });
    const auto tcp = make<rte_flow_item_tcp>([](auto &hdr) { hdr.rx_win = 1; });

    refused_item(Rule().ipv4_to(1).item(RTE_FLOW_ITEM_TYPE_UDP, udp, udp).queue(1), 1,
                 "an n-tuple filter compares of UDP and SCTP the ports");
    refused_item(Rule().ipv4_to(1).item(RTE_FLOW_ITEM_TYPE_UDP, half, half).queue(1), 1,
                 "the device compares all bits of a field or none");
    refused_item(Rule().ipv4_to(1).item(RTE_FLOW_ITEM_TYPE_TCP, tcp, tcp).queue(1), 1,
                 "an n-tuple filter compares of TCP the ports and flags");
    refused_item(Rule().ipv4_to(1).tcp_flags(syn, syn).queue(1), 1,
                 "the device compares all bits of a field or none");
    refused_item(Rule().ipv4_to(1).tcp_flags(0, 0xFF).queue(1), 1,
                 "an n-tuple filter compares TCP flags that are set, and none is");
    refused_item(Rule().ipv4_to(1).tcp_flags(0x40, 0xFF).queue(1), 1,
                 "an n-tuple filter knows the TCP flags FIN to URG");
}

TEST(FlowParse, RefusesSynWithMore) {
    const auto ipv6 = make<rte_flow_item_ipv6>([](auto &hdr) { hdr.proto = 6; });
    const std::string alone = "without fields of IPv4 before it TCP is compared for SYN alone";

    refused_item(Rule().tcp_flags(syn, 0xFF).queue(1), 0, alone);
    refused_item(Rule().tcp_flags(0, syn).queue(1), 0, alone);
    refused_item(Rule().eth().ipv4().item(RTE_FLOW_ITEM_TYPE_TCP).queue(1), 2,
                 "the item needs both spec and mask");
    refused_item(Rule().item(RTE_FLOW_ITEM_TYPE_IPV6, ipv6, ipv6).tcp_flags(syn, syn).queue(1), 0,
                 "fields of IPv6 are not compared");
    refused_item(Rule().tcp_flags(syn, syn).item(RTE_FLOW_ITEM_TYPE_RAW).queue(1), 1,
                 "nothing may follow the TCP item of a SYN filter");
}

TEST(FlowParse, RefusesRss) {
    const std::uint16_t many[17] = {};
    const std::uint16_t far[] = {0, 16};
    const auto refused = [](auto change, const std::string &why, int code) {
        rte_flow_action_rss rss = rss_of(two_queues, 2);
        change(rss);
        refused_action(Rule().rss(rss), 0, why, code);
    };

    refused_action(Rule().action(RTE_FLOW_ACTION_TYPE_RSS), 0, "the RSS action names no queues");
    refused([](auto &rss) { rss.queue_num = 0; }, "the RSS action names no queues", EINVAL);
    refused_action(Rule().rss(rss_of(many, 17)), 0,
                   "the RSS action names more queues than a port can have", ENOTSUP);
    refused_action(Rule().rss(rss_of(far, 2)), 0,
                   "the RSS action names an Rx queue that the port has not");
    refused([](auto &rss) { rss.func = RTE_ETH_HASH_FUNCTION_SIMPLE_XOR; },
            "the hash function is the default one, Toeplitz", ENOTSUP);
    refused([](auto &rss) { rss.level = 2; }, "RSS is by the outermost headers, level 0", ENOTSUP);
    refused([](auto &rss) { rss.key_len = 16; }, "an RSS key has 40 bytes", ENOTSUP);
    refused([](auto &rss) { rss.key_len = 40; }, "the RSS key has a length and is not there",
            EINVAL);
    refused([](auto &rss) { rss.types = RTE_ETH_RSS_L2_PAYLOAD; },
            "the device hashes none of the RSS types for such frames", EINVAL);
    refused_action(Rule().rss(rss_of(two_queues, 2)).action(RTE_FLOW_ACTION_TYPE_COUNT), 1,
                   "a rule has one action");
}

TEST(FlowParse, RefusesPatternsOfRss) {
    const rte_flow_action_rss rss = rss_of(two_queues, 2);
    const std::string layers = "the pattern of an RSS rule is of ETH, IPV4 or IPV6, TCP or UDP";

    refused_item(Rule().ether(0x88B5).rss(rss), 0,
                 "RSS is for all frames of a kind, whatever their fields are");
    refused_item(Rule().eth().ipv4_to(1).rss(rss), 1,
                 "RSS is for all frames of a kind, whatever their fields are");
    refused_item(Rule().eth().ipv4().item(RTE_FLOW_ITEM_TYPE_SCTP).rss(rss), 2, layers);
    refused_item(Rule().ipv4().item(RTE_FLOW_ITEM_TYPE_IPV6).rss(rss), 1, layers);
    refused_item(Rule().udp().ipv4().rss(rss), 1, layers);
    refused_action(Rule().eth().ipv4().udp().rss(rss), 0,
                   "the device hashes none of the RSS types for such frames");
}

} // namespace
