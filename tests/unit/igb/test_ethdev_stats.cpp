// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Statistics of a port.

#include <atomic>
#include <chrono>
#include <thread>

#include "port_test.hpp"
#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;
using model::Received;
using EthdevStatsTest = test::PortTest;

TEST_F(EthdevStatsTest, StatisticsSurviveARestartAndReset) {
    bring_up();
    for (std::uint32_t i = 0; i < 5; i++)
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(i)));
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(9), rx_status::CE));
    free_all(receive());
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_EQ(5u, stats().ipackets) << "the reset of the device loses no count";
    EXPECT_EQ(1u, stats().ierrors);

    ASSERT_EQ(0, rte_eth_stats_reset(port_id));
    const rte_eth_stats zero = stats();
    EXPECT_EQ(0u, zero.ipackets | zero.opackets | zero.ibytes | zero.ierrors | zero.imissed |
                      zero.q_ipackets[0] | zero.q_ibytes[0] | zero.q_errors[0]);
    device().sleep_us(model::Igb::autoneg_us);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(1)));
    free_all(receive());
    EXPECT_EQ(1u, stats().ipackets);
    EXPECT_EQ(1u, stats().q_ipackets[0]);
}

TEST_F(EthdevStatsTest, AQueueSetUpAgainGoesOnCounting) {
    bring_up(2);
    for (const std::uint16_t queue : {std::uint16_t{0}, std::uint16_t{1}}) {
        ASSERT_EQ(Received::Delivered, device().receive(queue, frame(1)));
        ASSERT_EQ(Received::Delivered, device().receive(queue, frame(9), rx_status::CE));
        free_all(receive(32, queue));
    }
    rte_mbuf *mbuf = packet(pool, 1);
    ASSERT_EQ(1, rte_eth_tx_burst(port_id, 1, &mbuf, 1));
    ASSERT_EQ(1, device().transmit(1));
    ASSERT_EQ(1u, stats().q_opackets[1]);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));

    bring_up(1); // queue 0 anew, queue 1 is no more
    const rte_eth_stats restarted = stats();
    EXPECT_EQ(2u, restarted.ipackets);
    EXPECT_EQ(2u, restarted.ierrors) << "a released queue's too";
    EXPECT_EQ(1u, restarted.q_ipackets[0]);
    EXPECT_EQ(1u, restarted.q_errors[0]);
    EXPECT_EQ(1u, restarted.q_ipackets[1]);
    EXPECT_EQ(1u, restarted.q_opackets[1]);
    ASSERT_EQ(0, rte_eth_stats_reset(port_id));
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(1)));
    free_all(receive());
    EXPECT_EQ(1u, stats().ipackets);
    EXPECT_EQ(0u, stats().ierrors);
}

// Registers clear as they are read, so a reader amid another's would take its counts away.
TEST_F(EthdevStatsTest, StatisticsAreReadByOneAtATime) {
    std::atomic<bool> second_is_done{false};
    std::thread second;
    rte_mbuf *mbuf;

    bring_up();
    mbuf = packet(pool, 1);
    ASSERT_EQ(1, rte_eth_tx_burst(port_id, 0, &mbuf, 1));
    ASSERT_EQ(1, device().transmit(0));
    device().on_read = [&](std::uint32_t offset) {
        if (offset != reg::GPTC || second.joinable())
            return;
        second = std::thread([&] {
            EXPECT_EQ(1u, stats().opackets);
            second_is_done = true;
        });
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        EXPECT_FALSE(second_is_done);
    };
    EXPECT_EQ(1u, stats().opackets);
    ASSERT_TRUE(second.joinable());
    second.join();
    device().on_read = {};
}

} // namespace
