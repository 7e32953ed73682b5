// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Queues that are started, stopped and set up while their port runs.

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"
#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;
using model::Received;
using test::bus;

class QueueStartTest : public test::PortTest {
protected:
    bool rx_is_on(std::uint16_t queue) {
        return (device().peek(reg::RXDCTL(queue)) & xdctl::ENABLE) != 0;
    }
    bool tx_is_on(std::uint16_t queue) {
        return (device().peek(reg::TXDCTL(queue)) & xdctl::ENABLE) != 0;
    }
    void expect_receives(std::uint16_t queue, std::uint32_t id) {
        ASSERT_EQ(Received::Delivered, device().receive(queue, frame(id)));
        const auto packets = receive(32, queue);
        ASSERT_EQ(1u, packets.size());
        EXPECT_EQ(frame(id), contents(packets[0]));
        free_all(packets);
    }
    void expect_sends(std::uint16_t queue, std::uint32_t id) {
        rte_mbuf *mbuf = packet(pool, id);
        ASSERT_EQ(1, rte_eth_tx_burst(port_id, queue, &mbuf, 1));
        ASSERT_EQ(1, device().transmit(queue));
        EXPECT_EQ(frame(id), device().sent.back().data);
    }
};

TEST_F(QueueStartTest, AReceiveQueueStopsAndStarts) {
    bring_up(2);
    expect_receives(1, 1);
    ASSERT_EQ(Received::Delivered, device().receive(1, frame(2)));
    ASSERT_EQ(0, rte_eth_dev_rx_queue_stop(port_id, 1));
    EXPECT_FALSE(rx_is_on(1));
    EXPECT_EQ(unsigned{ring_size}, rte_mempool_in_use_count(pool)) << "its buffers are free";
    EXPECT_EQ(Received::Off, device().receive(1, frame(3)));
    EXPECT_TRUE(receive(32, 1).empty()) << "a burst on a queue that is stopped is harmless";
    EXPECT_EQ(unsigned{ring_size}, rte_mempool_in_use_count(pool)) << "and takes no buffers";
    expect_receives(0, 4);
    ASSERT_EQ(0, rte_eth_dev_rx_queue_start(port_id, 1));
    EXPECT_TRUE(rx_is_on(1));
    for (std::uint32_t id = 5; id < 5 + 3 * ring_size; id++)
        expect_receives(1, id);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

TEST_F(QueueStartTest, ATransmitQueueStopsAndStarts) {
    bring_up(2);
    expect_sends(1, 1);
    rte_mbuf *unsent[3];
    for (std::uint32_t i = 0; i < 3; i++)
        unsent[i] = packet(pool, 10 + i);
    ASSERT_EQ(3, rte_eth_tx_burst(port_id, 1, unsent, 3));
    const std::size_t watched = bus().watched.size();
    ASSERT_EQ(0, rte_eth_dev_tx_queue_stop(port_id, 1));
    EXPECT_FALSE(tx_is_on(1));
    EXPECT_EQ(watched - 1, bus().watched.size()) << "nothing of it is in flight";
    EXPECT_EQ(2u * ring_size, rte_mempool_in_use_count(pool)) << "what it had is free";
    rte_mbuf *mbuf = packet(pool, 20);
    EXPECT_EQ(0, rte_eth_tx_burst(port_id, 1, &mbuf, 1)) << "it takes nothing";
    EXPECT_EQ(0, rte_eth_tx_done_cleanup(port_id, 1, 0));
    rte_pktmbuf_free(mbuf);
    expect_sends(0, 21);
    ASSERT_EQ(0, rte_eth_dev_tx_queue_start(port_id, 1));
    for (std::uint32_t id = 22; id < 22 + 3 * ring_size; id++)
        expect_sends(1, id);
}

TEST_F(QueueStartTest, DeferredQueuesWaitForTheirStart) {
    rte_eth_conf conf{};
    rte_eth_rxconf rxconf{};
    rte_eth_txconf txconf{};
    rte_eth_rxq_info rxq;
    rte_eth_txq_info txq;

    rxconf.rx_deferred_start = 1;
    txconf.tx_deferred_start = 1;
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure(2, conf));
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 1, ring_size, 0, &rxconf, pool));
    ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 1, ring_size, 0, &txconf));
    ASSERT_EQ(0, start());
    device().sleep_us(model::Igb::autoneg_us);
    EXPECT_FALSE(rx_is_on(1));
    EXPECT_FALSE(tx_is_on(1));
    EXPECT_EQ(unsigned{ring_size}, rte_mempool_in_use_count(pool)) << "of queue 0 alone";
    ASSERT_EQ(0, rte_eth_rx_queue_info_get(port_id, 1, &rxq));
    ASSERT_EQ(0, rte_eth_tx_queue_info_get(port_id, 1, &txq));
    EXPECT_EQ(1, rxq.conf.rx_deferred_start);
    EXPECT_EQ(1, txq.conf.tx_deferred_start);
    EXPECT_EQ(RTE_ETH_QUEUE_STATE_STOPPED, rxq.queue_state);
    expect_receives(0, 1);
    ASSERT_EQ(0, rte_eth_dev_rx_queue_start(port_id, 1));
    ASSERT_EQ(0, rte_eth_dev_tx_queue_start(port_id, 1));
    expect_receives(1, 2);
    expect_sends(1, 3);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_FALSE(rx_is_on(1)) << "deferred at every start";
}

TEST_F(QueueStartTest, QueuesAreSetUpWhileThePortRuns) {
    rte_eth_dev_info info;
    rte_mempool *other = make_pool("other", "iommufd", 255);

    bring_up(2);
    ASSERT_EQ(0, rte_eth_dev_info_get(port_id, &info));
    EXPECT_NE(0u, info.dev_capa & RTE_ETH_DEV_CAPA_RUNTIME_RX_QUEUE_SETUP);
    EXPECT_NE(0u, info.dev_capa & RTE_ETH_DEV_CAPA_RUNTIME_TX_QUEUE_SETUP);
    ASSERT_EQ(0, rte_eth_dev_rx_queue_stop(port_id, 1));
    ASSERT_EQ(0, rte_eth_dev_tx_queue_stop(port_id, 1));
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 1, 128, 0, nullptr, other));
    ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 1, 128, 0, nullptr));
    EXPECT_EQ(2, bus().holds) << "the pool of before is let go";
    EXPECT_TRUE(receive(32, 1).empty());
    ASSERT_EQ(0, rte_eth_dev_rx_queue_start(port_id, 1));
    ASSERT_EQ(0, rte_eth_dev_tx_queue_start(port_id, 1));
    EXPECT_EQ(128u * 16, device().peek(reg::RDLEN(1)));
    EXPECT_EQ(128u, rte_mempool_in_use_count(other));
    expect_receives(1, 1);
    expect_sends(1, 2);
    expect_receives(0, 3);
}

TEST_F(QueueStartTest, AQueueThatNeedsAnotherReceiveFunctionWaitsForAStop) {
    rte_mempool *foreign = make_lying_pool(127);
    rte_mempool *small = make_pool("small", "iommufd", 127, 1024 + RTE_PKTMBUF_HEADROOM);

    bring_up(2);
    ASSERT_EQ(0, rte_eth_dev_rx_queue_stop(port_id, 1));
    test::LogCapture log;
    EXPECT_EQ(-EBUSY, rte_eth_rx_queue_setup(port_id, 1, ring_size, 0, nullptr, foreign));
    EXPECT_EQ(-EBUSY, rte_eth_rx_queue_setup(port_id, 1, ring_size, 0, nullptr, small));
    EXPECT_NE(std::string::npos, log.text().find("buffers of 1024 bytes of pool small"))
        << log.text();
    EXPECT_EQ(1, bus().holds);
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 1, ring_size, 0, nullptr, pool));
    ASSERT_EQ(0, rte_eth_dev_rx_queue_start(port_id, 1));
    expect_receives(1, 1);
}

TEST_F(QueueStartTest, AQueueThatStaysOnKeepsItsBuffers) {
    bring_up(2);
    const unsigned int in_use = rte_mempool_in_use_count(pool);
    device().faults.disable_rx_hangs = 2;
    device().faults.disable_tx_hangs = 2;
    EXPECT_EQ(-ETIMEDOUT, rte_eth_dev_rx_queue_stop(port_id, 1));
    EXPECT_EQ(-ETIMEDOUT, rte_eth_dev_tx_queue_stop(port_id, 1));
    EXPECT_EQ(in_use, rte_mempool_in_use_count(pool));
    expect_receives(1, 1);
    device().faults = {};
    EXPECT_EQ(0, rte_eth_dev_rx_queue_stop(port_id, 1));
    EXPECT_EQ(0, rte_eth_dev_tx_queue_stop(port_id, 1));
}

TEST_F(QueueStartTest, AQueueThatDoesNotStartTakesNothing) {
    bring_up(2);
    ASSERT_EQ(0, rte_eth_dev_rx_queue_stop(port_id, 1));
    ASSERT_EQ(0, rte_eth_dev_tx_queue_stop(port_id, 1));
    device().faults.enable_rx_hangs = 2;
    device().faults.enable_tx_hangs = 2;
    EXPECT_EQ(-ETIMEDOUT, rte_eth_dev_rx_queue_start(port_id, 1));
    EXPECT_EQ(-ETIMEDOUT, rte_eth_dev_tx_queue_start(port_id, 1));
    EXPECT_EQ(unsigned{ring_size}, rte_mempool_in_use_count(pool));
    device().faults = {};
    EXPECT_EQ(0, rte_eth_dev_rx_queue_start(port_id, 1));
    EXPECT_EQ(0, rte_eth_dev_tx_queue_start(port_id, 1));
    expect_receives(1, 1);
    expect_sends(1, 2);
}

TEST_F(QueueStartTest, TooFewMbufsForAStart) {
    rte_mempool *few = make_pool("few", "iommufd", ring_size - 1);

    bring_up(2);
    ASSERT_EQ(0, rte_eth_dev_rx_queue_stop(port_id, 1));
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 1, ring_size, 0, nullptr, few));
    EXPECT_EQ(-ENOMEM, rte_eth_dev_rx_queue_start(port_id, 1));
    EXPECT_EQ(0u, rte_mempool_in_use_count(few));
    EXPECT_FALSE(rx_is_on(1));
}

} // namespace
