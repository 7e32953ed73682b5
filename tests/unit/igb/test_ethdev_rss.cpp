// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// RSS of a running port.

#include <algorithm>

#include "port_test.hpp"

namespace {

using namespace igb;
using EthdevRssTest = test::PortTest;

TEST_F(EthdevRssTest, RedirectionTable) {
    rte_eth_rss_reta_entry64 table[2] = {};
    rte_eth_conf conf{};

    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4;
    bring_up(2, conf);
    ASSERT_EQ(0x01000100u, device().peek(reg::RETA));
    table[0].mask = 1u << 1 | 1u << 2;
    table[0].reta[1] = 0;
    table[0].reta[2] = 1;
    table[1].mask = RTE_BIT64(63);
    table[1].reta[63] = 0;
    ASSERT_EQ(0, rte_eth_dev_rss_reta_update(port_id, table, 128));
    EXPECT_EQ(0x01010000u, device().peek(reg::RETA));
    EXPECT_EQ(0x00000100u, device().peek(reg::RETA + 124));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_EQ(0x01010000u, device().peek(reg::RETA)) << "a restart keeps it";

    rte_eth_rss_reta_entry64 read[2] = {};
    read[0].mask = read[1].mask = UINT64_MAX;
    ASSERT_EQ(0, rte_eth_dev_rss_reta_query(port_id, read, 128));
    EXPECT_EQ(0, read[0].reta[1]);
    EXPECT_EQ(1, read[0].reta[2]);
    EXPECT_EQ(1, read[0].reta[3]);
    EXPECT_EQ(0, read[1].reta[63]);
    EXPECT_EQ(-EINVAL, rte_eth_dev_rss_reta_update(port_id, table, 64));
}

TEST_F(EthdevRssTest, HashKeyAndTypes) {
    std::uint8_t key[40];
    rte_eth_rss_conf rss{};
    rte_eth_conf conf{};

    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4;
    bring_up(2, conf);
    std::fill(std::begin(key), std::end(key), 0xA5);
    rss = {.rss_key = key, .rss_key_len = 40, .rss_hf = RTE_ETH_RSS_IPV6};
    ASSERT_EQ(0, rte_eth_dev_rss_hash_update(port_id, &rss));
    EXPECT_EQ(0xA5A5A5A5u, device().peek(reg::RSSRK + 36));
    EXPECT_EQ(mrqc::ENABLE_RSS | mrqc::IPV6, device().peek(reg::MRQC));

    std::uint8_t read[40] = {};
    rte_eth_rss_conf got{.rss_key = read, .rss_key_len = 40, .rss_hf = 0};
    ASSERT_EQ(0, rte_eth_dev_rss_hash_conf_get(port_id, &got));
    EXPECT_TRUE(std::equal(std::begin(key), std::end(key), std::begin(read)));
    EXPECT_EQ(std::uint64_t{RTE_ETH_RSS_IPV6}, got.rss_hf);

    rss = {.rss_key = nullptr, .rss_key_len = 0, .rss_hf = RTE_ETH_RSS_IPV4};
    ASSERT_EQ(0, rte_eth_dev_rss_hash_update(port_id, &rss));
    EXPECT_EQ(0xA5A5A5A5u, device().peek(reg::RSSRK)) << "no key: the one there is stays";
    rss = {.rss_key = key, .rss_key_len = 16, .rss_hf = RTE_ETH_RSS_IPV4};
    EXPECT_EQ(-EINVAL, rte_eth_dev_rss_hash_update(port_id, &rss));
}

} // namespace
