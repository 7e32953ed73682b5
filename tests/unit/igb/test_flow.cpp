// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Flow rules of a port: frames go to the queues that they say, for as long as they are there. That
// without a rule they do not is looked at each time.

#include <algorithm>
#include <set>

#include "flow_port_test.hpp"

namespace {

using namespace igb;
using test::ether_frame;
using test::FrameFields;
using test::ipv4_frame;
using test::ipv6_frame;
using test::Rule;
using FlowTest = test::FlowPortTest;

TEST_F(FlowTest, EthertypeRuleSteers) {
    bring_up(2);
    EXPECT_EQ(0, arrives_at(ether_frame(0x88B5))) << "without a rule";
    rte_flow *flow = create(Rule().ether(0x88B5).queue(1));
    ASSERT_NE(nullptr, flow);
    EXPECT_EQ(0x84010000u | 0x88B5, device().peek(reg::ETQF(0)));
    EXPECT_EQ(1, arrives_at(ether_frame(0x88B5)));
    EXPECT_EQ(0, arrives_at(ether_frame(0x88B6)));
    ASSERT_EQ(0, destroy(flow));
    EXPECT_EQ(0, arrives_at(ether_frame(0x88B5)));
    EXPECT_EQ(0u, device().peek(reg::ETQF(0)));
}

TEST_F(FlowTest, TupleRuleSteersByAllFiveFields) {
    rte_flow_item_ipv4 spec{};
    rte_flow_item_ipv4 mask{};
    rte_flow_item_udp ports{};
    rte_flow_item_udp ports_mask{};

    bring_up(4);
    spec.hdr.src_addr = RTE_BE32(0xC0A80001);
    spec.hdr.dst_addr = RTE_BE32(0xC0A80002);
    spec.hdr.next_proto_id = IPPROTO_UDP;
    mask.hdr.src_addr = mask.hdr.dst_addr = UINT32_MAX;
    mask.hdr.next_proto_id = UINT8_MAX;
    ports.hdr.src_port = RTE_BE16(1024);
    ports.hdr.dst_port = RTE_BE16(80);
    ports_mask.hdr.src_port = ports_mask.hdr.dst_port = UINT16_MAX;
    EXPECT_EQ(0, arrives_at(ipv4_frame({}))) << "without a rule";
    ASSERT_NE(nullptr, create(Rule()
                                  .eth()
                                  .item(RTE_FLOW_ITEM_TYPE_IPV4, spec, mask)
                                  .item(RTE_FLOW_ITEM_TYPE_UDP, ports, ports_mask)
                                  .queue(3)));
    EXPECT_EQ(3, arrives_at(ipv4_frame({})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.source = 0xC0A80003})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.destination = 0xC0A80003})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.source_port = 1025})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.destination_port = 81})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.protocol = IPPROTO_TCP})));
    EXPECT_EQ(0, arrives_at(ipv6_frame({})));
    // Addresses and ports as they are on the wire, the protocol, queue 3; every field compared.
    EXPECT_EQ(0x0100A8C0u, device().peek(reg::SAQF(0)));
    EXPECT_EQ(0x0200A8C0u, device().peek(reg::DAQF(0)));
    EXPECT_EQ(0x0004u, device().peek(reg::SPQF(0)));
    EXPECT_EQ(0x5000u, device().peek(reg::IMIR(0)));
    EXPECT_EQ(imirext::SIZE_BYPASS | imirext::FLAGS_BYPASS, device().peek(reg::IMIREXT(0)));
    EXPECT_EQ(0x00038111u, device().peek(reg::FTQF(0)));
}

TEST_F(FlowTest, TupleRuleLeavesOpenWhatItDoesNotName) {
    bring_up(2);
    ASSERT_NE(nullptr, create(Rule().ipv4_to(0xC0A80002).udp().queue(1)));
    EXPECT_EQ(1, arrives_at(ipv4_frame({})));
    EXPECT_EQ(1, arrives_at(ipv4_frame({.source = 1, .source_port = 2, .destination_port = 3})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.destination = 0xC0A80003})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.protocol = IPPROTO_TCP}))) << "the item says UDP";
    EXPECT_EQ(0xA0018111u, device().peek(reg::FTQF(0)));
    EXPECT_EQ(imir::PORT_BYPASS, device().peek(reg::IMIR(0)));
}

TEST_F(FlowTest, TupleRuleOfTcpFlags) {
    constexpr std::uint8_t reset = 1u << 2;
    constexpr std::uint8_t acknowledge = 1u << 4;

    bring_up(2);
    ASSERT_NE(
        nullptr,
        create(Rule().ipv4_protocol(IPPROTO_TCP).tcp_flags(reset | acknowledge, 0xFF).queue(1)));
    EXPECT_EQ(imirext::SIZE_BYPASS | 1u << 16 | 1u << 14, device().peek(reg::IMIREXT(0)));
    FrameFields fields{.protocol = IPPROTO_TCP, .tcp_flags = reset | acknowledge};
    EXPECT_EQ(1, arrives_at(ipv4_frame(fields)));
    fields.tcp_flags = reset;
    EXPECT_EQ(0, arrives_at(ipv4_frame(fields)));
}

TEST_F(FlowTest, TupleRuleOfSctp) {
    rte_flow_item_sctp spec{};
    rte_flow_item_sctp mask{};

    bring_up(2);
    spec.hdr.src_port = RTE_BE16(1024);
    mask.hdr.src_port = UINT16_MAX;
    ASSERT_NE(
        nullptr,
        create(Rule().ipv4_to(0xC0A80002).item(RTE_FLOW_ITEM_TYPE_SCTP, spec, mask).queue(1)));
    EXPECT_EQ(1, arrives_at(ipv4_frame({.protocol = IPPROTO_SCTP})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.protocol = IPPROTO_SCTP, .source_port = 1025})));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.protocol = IPPROTO_UDP})));
}

TEST_F(FlowTest, TheHigherPriorityOfTwoTupleRulesDecides) {
    bring_up(4);
    ASSERT_NE(nullptr, create(Rule().ipv4_protocol(IPPROTO_UDP).udp().queue(1)));
    ASSERT_NE(nullptr, create(Rule().priority(7).ipv4_protocol(IPPROTO_UDP).udp_to(80).queue(2)));
    EXPECT_EQ(2, arrives_at(ipv4_frame({})));
    EXPECT_EQ(1, arrives_at(ipv4_frame({.destination_port = 81})));
}

TEST_F(FlowTest, SynRuleSteers) {
    constexpr std::uint8_t syn = 1u << 1;
    constexpr std::uint8_t acknowledge = 1u << 4;
    const FrameFields opening{.protocol = IPPROTO_TCP, .tcp_flags = syn};

    bring_up(2);
    EXPECT_EQ(0, arrives_at(ipv4_frame(opening))) << "without a rule";
    rte_flow *flow = create(Rule().eth().ipv4().tcp_flags(syn, syn).queue(1));
    ASSERT_NE(nullptr, flow);
    EXPECT_EQ(3u, device().peek(reg::SYNQF));
    EXPECT_EQ(0u, device().peek(reg::RFCTL) & rfctl::SYNQFP);
    EXPECT_EQ(1, arrives_at(ipv4_frame(opening)));
    EXPECT_EQ(1, arrives_at(ipv6_frame(opening)));
    EXPECT_EQ(0, arrives_at(ipv4_frame({.protocol = IPPROTO_TCP, .tcp_flags = acknowledge})));
    ASSERT_EQ(0, destroy(flow));
    EXPECT_EQ(0, arrives_at(ipv4_frame(opening)));
    EXPECT_EQ(0u, device().peek(reg::SYNQF));
}

TEST_F(FlowTest, SynRuleGoesBehindTupleRulesOrFirst) {
    constexpr std::uint8_t syn = 1u << 1;
    const FrameFields opening{.protocol = IPPROTO_TCP, .tcp_flags = syn};

    bring_up(4);
    ASSERT_NE(nullptr, create(Rule().ipv4_protocol(IPPROTO_TCP).tcp_flags(0, 0).queue(1)));
    rte_flow *flow = create(Rule().tcp_flags(syn, syn).queue(2));
    ASSERT_NE(nullptr, flow);
    EXPECT_EQ(1, arrives_at(ipv4_frame(opening)));
    ASSERT_EQ(0, destroy(flow));
    ASSERT_NE(nullptr, create(Rule().priority(UINT32_MAX).tcp_flags(syn, syn).queue(2)));
    EXPECT_EQ(2, arrives_at(ipv4_frame(opening)));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, restart());
    EXPECT_EQ(2, arrives_at(ipv4_frame(opening))) << "first after a restart too";
}

TEST_F(FlowTest, RssRuleSpreadsOverItsQueues) {
    const std::uint16_t queues[] = {1, 3};
    rte_flow_action_rss rss{};
    std::set<int> met;

    rss.types = RTE_ETH_RSS_IPV4;
    rss.queue = queues;
    rss.queue_num = 2;
    bring_up(4);
    EXPECT_EQ(0, arrives_at(ipv4_frame({}))) << "without a rule";
    rte_flow *flow = create(Rule().rss(rss));
    ASSERT_NE(nullptr, flow);
    EXPECT_EQ(mrqc::ENABLE_RSS | mrqc::IPV4, device().peek(reg::MRQC));
    EXPECT_EQ(0x03010301u, device().peek(reg::RETA));
    for (std::uint32_t i = 0; i < 32; i++)
        met.insert(arrives_at(ipv4_frame({.source = i})));
    EXPECT_EQ((std::set<int>{1, 3}), met);
    EXPECT_EQ(0, arrives_at(ether_frame(0x88B5))) << "what is not hashed";
    ASSERT_EQ(0, destroy(flow));
    EXPECT_EQ(0u, device().peek(reg::MRQC));
    EXPECT_EQ(0, arrives_at(ipv4_frame({})));
}

TEST_F(FlowTest, RssRuleStandsForThePortsOwn) {
    const std::uint16_t queue = 1;
    rte_flow_action_rss rss{};
    rte_eth_rss_reta_entry64 table[2] = {};
    rte_eth_rss_conf hash{};
    rte_eth_conf conf{};

    rss.queue = &queue;
    rss.queue_num = 1;
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4;
    bring_up(2, conf);
    rte_flow *flow = create(Rule().eth().ipv4().rss(rss));
    ASSERT_NE(nullptr, flow);
    EXPECT_EQ(mrqc::ENABLE_RSS | mrqc::IPV4 | mrqc::IPV4_TCP | mrqc::IPV4_UDP,
              device().peek(reg::MRQC));
    table[0].mask = 3;
    ASSERT_EQ(0, rte_eth_dev_rss_reta_query(port_id, table, 128));
    EXPECT_EQ(1, table[0].reta[0]) << "what is in force";
    EXPECT_EQ(-EBUSY, rte_eth_dev_rss_reta_update(port_id, table, 128));
    hash.rss_hf = RTE_ETH_RSS_IPV6;
    EXPECT_EQ(-EBUSY, rte_eth_dev_rss_hash_update(port_id, &hash));
    ASSERT_EQ(0, destroy(flow));
    EXPECT_EQ(mrqc::ENABLE_RSS | mrqc::IPV4, device().peek(reg::MRQC));
    EXPECT_EQ(0x01000100u, device().peek(reg::RETA));
    EXPECT_EQ(0, rte_eth_dev_rss_hash_update(port_id, &hash));
}

TEST_F(FlowTest, ARestartBringsRulesBack) {
    create_one_of_each();
    const std::vector<std::uint32_t> told = filter_registers();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    device().power_on();
    ASSERT_NE(told, filter_registers()) << "a reset loses them";
    ASSERT_EQ(0, restart());
    EXPECT_EQ(told, filter_registers());
    EXPECT_EQ(1, arrives_at(ether_frame(0x88B5)));
    EXPECT_EQ(2, arrives_at(ipv4_frame({})));
}

TEST_F(FlowTest, FlushTakesAllRulesAway) {
    bring_up(4);
    const std::vector<std::uint32_t> without = filter_registers();
    create_one_of_each();
    ASSERT_NE(without, filter_registers());
    ASSERT_EQ(0, rte_flow_flush(port_id, &error));
    EXPECT_EQ(without, filter_registers());
    EXPECT_EQ(0, arrives_at(ether_frame(0x88B5)));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, restart());
    EXPECT_EQ(without, filter_registers()) << "a restart brings none back";
    ASSERT_NE(nullptr, create(Rule().ether(0x88B5).queue(1)));
}

TEST_F(FlowTest, AResetOfThePortTakesAllRulesAway) {
    create_one_of_each();
    ASSERT_EQ(0, rte_eth_dev_reset(port_id));
    bring_up(4);
    EXPECT_EQ(0, arrives_at(ether_frame(0x88B5)));
    EXPECT_EQ(0, arrives_at(ipv4_frame({})));
    EXPECT_EQ(0u, device().peek(reg::MRQC));
}

TEST_F(FlowTest, RulesAreMadeBeforeTheStartToo) {
    rte_eth_dev_info info;

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_info_get(port_id, &info));
    EXPECT_NE(0u, info.dev_capa & RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP);
    ASSERT_EQ(0, configure(2));
    ASSERT_NE(nullptr, create(Rule().ether(0x88B5).queue(1)));
    ASSERT_EQ(0, restart());
    EXPECT_EQ(1, arrives_at(ether_frame(0x88B5)));
}

} // namespace
