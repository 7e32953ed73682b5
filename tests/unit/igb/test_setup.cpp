// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Set-up of a port: what is taken, and what is refused with which words.

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"
#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;
using model::Received;
using test::bus;

class SetupTest : public test::PortTest {};

TEST_F(SetupTest, RssKeyIsCopied) {
    rte_eth_conf conf{};
    std::uint8_t key[40] = {0x11, 0x22, 0x33, 0x44};

    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_key = key;
    conf.rx_adv_conf.rss_conf.rss_key_len = sizeof(key);
    conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4;
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure(2, conf));
    key[0] = 0xFF;
    ASSERT_EQ(0, start());
    EXPECT_EQ(0x44332211u, device().peek(reg::RSSRK));
}

TEST_F(SetupTest, WithoutRssAllGoesToQueue0) {
    bring_up(2);
    EXPECT_EQ(0u, device().peek(reg::MRQC));
}

TEST_F(SetupTest, OtherMultiQueueModesAreRefused) {
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_VMDQ_ONLY;
    EXPECT_EQ(-EINVAL, configure(1, conf));
}

TEST_F(SetupTest, WhatTheDriverDoesNotDoIsRefusedByName) {
    const struct {
        const char *words;
        void (*ask)(rte_eth_conf &);
    } cases[] = {
        {"intr_conf", [](rte_eth_conf &conf) { conf.intr_conf.rxq = 1; }},
        {"lpbk_mode", [](rte_eth_conf &conf) { conf.lpbk_mode = 1; }},
        {"dcb_capability_en", [](rte_eth_conf &conf) { conf.dcb_capability_en = 1; }},
        {"VLAN tag", [](rte_eth_conf &conf) { conf.txmode.hw_vlan_insert_pvid = 1; }},
    };

    ASSERT_EQ(0, probe());
    for (const auto &each : cases) {
        rte_eth_conf conf{};
        test::LogCapture log;
        each.ask(conf);
        EXPECT_EQ(-ENOTSUP, configure(1, conf)) << each.words;
        EXPECT_NE(std::string::npos, log.text().find(each.words)) << log.text();
    }
    EXPECT_EQ(0, configure()) << "negative control: nothing of it asked for";
}

TEST_F(SetupTest, StartNeedsEveryQueueThatWasCounted) {
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 2, 1, &conf));
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
    test::LogCapture log;
    EXPECT_EQ(-EINVAL, start());
    EXPECT_NE(std::string::npos, log.text().find("Rx queue 1 of 2 is not set up")) << log.text();
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 1, ring_size, 0, nullptr, pool));
    EXPECT_EQ(-EINVAL, start());
    EXPECT_NE(std::string::npos, log.text().find("Tx queue 0 of 1 is not set up")) << log.text();
    ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, ring_size, 0, nullptr));
    EXPECT_EQ(0, start());
}

TEST_F(SetupTest, PoolOfAnotherKindIsToldTheFasterOne) {
    rte_mempool *foreign = make_lying_pool(127);
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    test::LogCapture log;
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, foreign));
    EXPECT_NE(std::string::npos, log.text().find("--mbuf-pool-ops-name iommufd")) << log.text();
    EXPECT_NE(std::string::npos, log.text().find("lying"));
    EXPECT_NE(std::string::npos, log.text().find("ring_mp_mc"));
    EXPECT_EQ(1, bus().holds);
}

TEST_F(SetupTest, PoolOfAnotherKindThatIsOutOfReachIsRefused) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 127);
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    test::LogCapture log;
    EXPECT_EQ(-EFAULT, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, foreign));
    EXPECT_NE(std::string::npos, log.text().find("pool foreign cannot be used")) << log.text();
    EXPECT_NE(std::string::npos, log.text().find("rte_dev_dma_map()")) << log.text();
    EXPECT_EQ(0, bus().holds);
    map_pool(foreign);
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, foreign));
}

TEST_F(SetupTest, PoolThatIsOutOfReachIsRefused) {
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    bus().hold_error = EFAULT;
    EXPECT_EQ(-EFAULT, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
    bus().hold_error = 0;
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
    EXPECT_EQ(1, bus().holds);
}

TEST_F(SetupTest, PoolThatIsNotForDevicesIsRefused) {
    rte_mempool *void_pool = make_pool("void", "iommufd", 127);
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, void_pool));
    void_pool->flags |= RTE_MEMPOOL_F_NON_IO;
    EXPECT_EQ(-EINVAL, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, void_pool));
}

TEST_F(SetupTest, RingSizes) {
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    for (const std::uint16_t size :
         {std::uint16_t{24}, std::uint16_t{100}, std::uint16_t{4128}, std::uint16_t{65}}) {
        EXPECT_EQ(-EINVAL, rte_eth_rx_queue_setup(port_id, 0, size, 0, nullptr, pool)) << size;
        EXPECT_EQ(-EINVAL, rte_eth_tx_queue_setup(port_id, 0, size, 0, nullptr)) << size;
    }
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, 4096, 0, nullptr, pool));
    EXPECT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, 4096, 0, nullptr));
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, 96, 0, nullptr, pool)) << "set up again";
    rte_eth_rxq_info rxq;
    rte_eth_txq_info txq;
    ASSERT_EQ(0, rte_eth_rx_queue_info_get(port_id, 0, &rxq));
    EXPECT_EQ(96, rxq.nb_desc);
    EXPECT_EQ(2048, rxq.rx_buf_size);
    EXPECT_EQ(pool, rxq.mp);
    ASSERT_EQ(0, rte_eth_tx_queue_info_get(port_id, 0, &txq));
    EXPECT_EQ(4096, txq.nb_desc);
    EXPECT_EQ(32, txq.conf.tx_rs_thresh);

    // What stock accepts beside: the ring has as many, and the next multiple of 32.
    constexpr struct {
        std::uint16_t asked;
        std::uint16_t got;
    } cases[] = {{32, 64}, {40, 64}, {72, 96}, {4088, 4096}};
    for (const auto &each : cases) {
        ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, each.asked, 0, nullptr, pool));
        ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, each.asked, 0, nullptr));
        ASSERT_EQ(0, rte_eth_rx_queue_info_get(port_id, 0, &rxq));
        ASSERT_EQ(0, rte_eth_tx_queue_info_get(port_id, 0, &txq));
        EXPECT_EQ(each.got, rxq.nb_desc);
        EXPECT_EQ(each.got, txq.nb_desc);
    }
}

TEST_F(SetupTest, AnyReportThresholdIsAccepted) {
    rte_eth_conf conf{};
    rte_eth_txconf txconf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    for (const std::uint16_t threshold : {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{64}}) {
        txconf.tx_rs_thresh = threshold;
        EXPECT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, ring_size, 0, &txconf)) << threshold;
    }
}

TEST_F(SetupTest, RxFreeThreshold) {
    struct {
        std::uint16_t asked, ring, got;
    } const cases[] = {{0, 64, 32}, {0, 96, 48},   {0, 128, 64},  {0, 4096, 64},
                       {1, 64, 32}, {32, 512, 32}, {48, 512, 48}, {511, 512, 511}};
    rte_eth_conf conf{};
    rte_eth_rxconf rxconf{};
    rte_eth_rxq_info info;

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    for (const auto &each : cases) {
        rxconf.rx_free_thresh = each.asked;
        ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, each.ring, 0, &rxconf, pool));
        ASSERT_EQ(0, rte_eth_rx_queue_info_get(port_id, 0, &info));
        EXPECT_EQ(each.got, info.conf.rx_free_thresh) << each.asked << " of " << each.ring;
    }
    rxconf.rx_free_thresh = 512;
    EXPECT_EQ(-EINVAL, rte_eth_rx_queue_setup(port_id, 0, 512, 0, &rxconf, pool));
}

TEST_F(SetupTest, RxDoorbellAtTheThreshold) {
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, 256, 0, nullptr, pool)); // refills by 64
    ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, 256, 0, nullptr));
    ASSERT_EQ(0, start());
    device().sleep_us(model::Igb::autoneg_us);
    for (const std::uint32_t tail : {255u, 63u, 63u, 127u}) {
        for (std::uint32_t i = 0; i < 32; i++)
            ASSERT_EQ(Received::Delivered, device().receive(0, frame(i)));
        free_all(receive(32));
        EXPECT_EQ(tail, device().peek(reg::RDT(0)));
    }
}

TEST_F(SetupTest, MtuAndBuffers) {
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    ASSERT_EQ(0, rte_eth_dev_set_mtu(port_id, 2048 - 22));
    ASSERT_EQ(0, start());
    EXPECT_EQ(2048u, device().peek(reg::RLPML));

    test::LogCapture log;
    EXPECT_EQ(-EINVAL, rte_eth_dev_set_mtu(port_id, 2048 - 21));
    EXPECT_NE(std::string::npos, log.text().find("needs Rx buffers of 2049 bytes")) << log.text();
    EXPECT_NE(std::string::npos, log.text().find("stop the port first")) << log.text();
    EXPECT_EQ(2048u, device().peek(reg::RLPML));
    EXPECT_EQ(0, rte_eth_dev_set_mtu(port_id, 1000));
    EXPECT_EQ(1022u, device().peek(reg::RLPML));
    EXPECT_EQ(-EINVAL, rte_eth_dev_set_mtu(port_id, 9703));
}

TEST_F(SetupTest, JumboFrames) {
    rte_mempool *large = make_pool("large", "iommufd", 127, 10 * 1024 + RTE_PKTMBUF_HEADROOM);
    ASSERT_NE(nullptr, large);
    pool = large;
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    ASSERT_EQ(0, rte_eth_dev_set_mtu(port_id, 9702));
    ASSERT_EQ(0, start());
    device().sleep_us(model::Igb::autoneg_us);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(1, 9702 + 18)));
    const auto mbufs = receive();
    ASSERT_EQ(1u, mbufs.size());
    EXPECT_EQ(frame(1, 9702 + 18), contents(mbufs[0]));
    free_all(mbufs);
}

TEST_F(SetupTest, SmallBuffersAreRefused) {
    rte_eth_conf conf{};
    rte_mempool *small = make_pool("small", "iommufd", 127, 1023 + RTE_PKTMBUF_HEADROOM);

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    EXPECT_EQ(-EINVAL, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, small));
}

} // namespace
