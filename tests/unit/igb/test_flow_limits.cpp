// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a port says to rules that are well made and cannot be had: queues that are not there,
// filters that are taken, rules that are there already.

#include "ethdev/igb_flow.hpp"
#include "flow_port_test.hpp"

namespace {

using namespace igb;
using test::LogCapture;
using test::Rule;

class FlowLimitsTest : public test::FlowPortTest {
protected:
    // All queues, none of them set up: rules need no more.
    void configure_all() {
        const rte_eth_conf conf{};

        ASSERT_EQ(0, probe());
        ASSERT_EQ(0, rte_eth_dev_configure(port_id, max_queues, 1, &conf));
    }

    // EtherType rules for 9000h and so on, until there are count or one is refused; how many.
    int fill_ethertypes(int count) {
        for (int i = 0; i < count; i++)
            if (refused(Rule().ether(static_cast<std::uint16_t>(0x9000 + i)).queue(1)) != 0)
                return i;
        return count;
    }
};

TEST_F(FlowLimitsTest, AQueueThatIsNotThereIsRefused) {
    const std::uint16_t queues[] = {0, 1, 2};
    rte_flow_action_rss rss{};

    bring_up(2);
    EXPECT_EQ(EINVAL, refused(Rule().ether(0x88B5).queue(2)));
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_ACTION, error.type);
    EXPECT_STREQ("the QUEUE action names an Rx queue that the port has not", error.message);
    EXPECT_EQ(-EINVAL, validate(Rule().ether(0x88B5).queue(2)));
    EXPECT_EQ(0u, device().peek(reg::ETQF(0)));
    EXPECT_EQ(EINVAL, refused(Rule().ipv4_to(1).udp().queue(2)));
    EXPECT_EQ(EINVAL, refused(Rule().tcp_flags(2, 2).queue(2)));
    rss.queue = queues;
    rss.queue_num = 3;
    EXPECT_EQ(EINVAL, refused(Rule().rss(rss)));
    EXPECT_EQ(0u, device().peek(reg::MRQC));
    rss.queue_num = 2;
    EXPECT_EQ(0, refused(Rule().rss(rss))) << "the others are there";
    EXPECT_EQ(0, refused(Rule().ether(0x88B5).queue(1)));
}

TEST_F(FlowLimitsTest, APortThatIsNotConfiguredHasNoQueues) {
    ASSERT_EQ(0, probe());
    EXPECT_EQ(EINVAL, refused(Rule().ether(0x88B5).queue(0)));
}

TEST_F(FlowLimitsTest, AConfigurationWithoutARulesQueueIsRefused) {
    const rte_eth_conf conf{};

    create_one_of_each();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    LogCapture log;
    EXPECT_EQ(-EINVAL, rte_eth_dev_configure(port_id, 3, 3, &conf));
    EXPECT_NE(std::string::npos, log.text().find("a flow rule names Rx queue 3, of 3"));
    ASSERT_EQ(0, rte_flow_flush(port_id, &error));
    EXPECT_EQ(0, rte_eth_dev_configure(port_id, 3, 3, &conf));
}

TEST_F(FlowLimitsTest, EightEthertypes) {
    configure_all();
    EXPECT_EQ(8, fill_ethertypes(9));
    EXPECT_EQ(ENOSYS, rte_errno);
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_HANDLE, error.type);
    EXPECT_STREQ("all EtherType filters of the device are taken", error.message);
    ASSERT_EQ(0, rte_flow_flush(port_id, &error));
    EXPECT_EQ(8, fill_ethertypes(8));
}

TEST_F(FlowLimitsTest, TimesyncKeepsAnEthertypeFilter) {
    configure_all();
    ASSERT_EQ(0, rte_eth_timesync_enable(port_id));
    EXPECT_EQ(7, fill_ethertypes(8));
    EXPECT_EQ(ENOSYS, rte_errno);
    EXPECT_EQ(0x88F7u | 1u << 26 | 1u << 30, device().peek(reg::ETQF(3)));
    EXPECT_EQ(0, refused(Rule().ether(0x88F7).queue(1))) << "PTP frames have theirs";
    EXPECT_EQ(0xC40188F7u, device().peek(reg::ETQF(3))) << "stamped, and to queue 1";
    ASSERT_EQ(0, rte_eth_timesync_disable(port_id));
    EXPECT_EQ(0x840188F7u, device().peek(reg::ETQF(3)));
}

TEST_F(FlowLimitsTest, TimesyncIsRefusedWhereRulesHaveAllFilters) {
    configure_all();
    ASSERT_EQ(7, fill_ethertypes(7));
    rte_flow *last = create(Rule().ether(0xA000).queue(1));
    ASSERT_NE(nullptr, last);
    LogCapture log;
    EXPECT_EQ(-EBUSY, rte_eth_timesync_enable(port_id));
    EXPECT_NE(std::string::npos, log.text().find("EtherType filter 3, which a flow rule has"));
    EXPECT_EQ(0x8401A000u, device().peek(reg::ETQF(3))) << "the rule stays";
    ASSERT_EQ(0, destroy(last));
    EXPECT_EQ(0, rte_eth_timesync_enable(port_id));
}

TEST_F(FlowLimitsTest, ARuleForPtpFramesMayBeOlderThanTimesync) {
    configure_all();
    ASSERT_EQ(8, fill_ethertypes(8));
    ASSERT_EQ(0, rte_flow_flush(port_id, &error));
    rte_flow *flow = create(Rule().ether(0x88F7).queue(2));
    ASSERT_NE(nullptr, flow);
    ASSERT_EQ(0, rte_eth_timesync_enable(port_id));
    EXPECT_EQ(0xC40288F7u, device().peek(reg::ETQF(3)));
    ASSERT_EQ(0, destroy(flow));
    EXPECT_EQ(0x440088F7u, device().peek(reg::ETQF(3))) << "stamped still";
}

TEST_F(FlowLimitsTest, EightTuples) {
    configure_all();
    for (std::uint16_t i = 0; i < 8; i++)
        ASSERT_EQ(0, refused(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(i).queue(15))) << i;
    EXPECT_EQ(0xFu, device().peek(reg::FTQF(7)) >> 16 & 0x3FF) << "all sixteen queues";
    EXPECT_EQ(ENOSYS, refused(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(8).queue(1)));
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_HANDLE, error.type);
    EXPECT_STREQ("all n-tuple filters of the device are taken", error.message);
}

TEST_F(FlowLimitsTest, APlaceIsFreeAgainWhenItsRuleIsGone) {
    rte_flow *flows[8] = {};

    configure_all();
    for (std::uint16_t i = 0; i < 8; i++)
        flows[i] = create(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(i).queue(1));
    ASSERT_EQ(0, destroy(flows[5]));
    EXPECT_EQ(0xF0008000u, device().peek(reg::FTQF(5)));
    EXPECT_EQ(flows[5], create(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(9).queue(1)));
    EXPECT_EQ(0x0900u, device().peek(reg::IMIR(5)));
    EXPECT_EQ(0x0600u, device().peek(reg::IMIR(6))) << "the others are as they were";
}

TEST_F(FlowLimitsTest, OneSynFilterAndOneRss) {
    const std::uint16_t queue = 1;
    rte_flow_action_rss rss{};

    configure_all();
    rss.queue = &queue;
    rss.queue_num = 1;
    ASSERT_EQ(0, refused(Rule().tcp_flags(2, 2).queue(1)));
    EXPECT_EQ(EINVAL, refused(Rule().tcp_flags(2, 2).queue(1)));
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_HANDLE, error.type);
    ASSERT_EQ(0, refused(Rule().rss(rss)));
    EXPECT_EQ(EINVAL, refused(Rule().rss(rss)));
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_HANDLE, error.type);
}

TEST_F(FlowLimitsTest, TheSameRuleTwiceIsRefused) {
    configure_all();
    ASSERT_EQ(0, refused(Rule().ether(0x88B5).queue(1)));
    EXPECT_EQ(EEXIST, refused(Rule().ether(0x88B5).queue(2)));
    ASSERT_EQ(0, refused(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(80).queue(1)));
    EXPECT_EQ(EEXIST, refused(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(80).queue(2)));
    EXPECT_EQ(0, refused(Rule().priority(1).ipv4_protocol(IPPROTO_UDP).udp_to(80).queue(2)))
        << "of another priority, as stock";
}

TEST_F(FlowLimitsTest, AHandleOfNoRuleIsRefused) {
    configure_all();
    rte_flow *flow = create(Rule().ether(0x88B5).queue(1));
    rte_flow stranger{};

    ASSERT_EQ(0, destroy(flow));
    EXPECT_EQ(-EINVAL, destroy(flow)) << "destroyed already";
    EXPECT_EQ(RTE_FLOW_ERROR_TYPE_HANDLE, error.type);
    EXPECT_EQ(-EINVAL, destroy(&stranger));
    EXPECT_EQ(-EINVAL, destroy(nullptr));
}

TEST_F(FlowLimitsTest, ValidateTakesNoPlace) {
    configure_all();
    for (int i = 0; i < 20; i++)
        ASSERT_EQ(0, validate(Rule().ether(0x88B5).queue(1)));
    EXPECT_EQ(0u, device().peek(reg::ETQF(0)));
    EXPECT_EQ(0, refused(Rule().ether(0x88B5).queue(1)));
}

TEST_F(FlowLimitsTest, QueryIsNotThereAsInStock) {
    rte_flow_action action{};
    rte_flow_query_count count{};

    configure_all();
    rte_flow *flow = create(Rule().ether(0x88B5).queue(1));
    action.type = RTE_FLOW_ACTION_TYPE_COUNT;
    EXPECT_EQ(-ENOSYS, rte_flow_query(port_id, flow, &action, &count, &error));
}

} // namespace
