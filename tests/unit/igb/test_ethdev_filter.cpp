// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Filters of a port, and what may be asked of its rings.

#include "port_test.hpp"

namespace {

using namespace igb;
using model::Received;
using EthdevFilterTest = test::PortTest;

TEST_F(EthdevFilterTest, TwentyFourAddresses) {
    rte_eth_dev_info info;

    bring_up();
    ASSERT_EQ(0, rte_eth_dev_info_get(port_id, &info));
    ASSERT_EQ(24u, info.max_mac_addrs);
    for (std::uint8_t i = 1; i < 24; i++) {
        rte_ether_addr mac = {{0x02, 0, 0, 0, 0, i}};
        ASSERT_EQ(0, rte_eth_dev_mac_addr_add(port_id, &mac, 0));
    }
    rte_ether_addr more = {{0x02, 0, 0, 0, 0, 99}};
    EXPECT_NE(0, rte_eth_dev_mac_addr_add(port_id, &more, 0));
    EXPECT_EQ(0x00000002u, device().peek(0x5408)) << "RAL of address 1";
    EXPECT_EQ(0x80000100u, device().peek(0x540C));
    EXPECT_EQ(0x80001000u, device().peek(0x54E4)) << "from 16 on they are elsewhere";
    EXPECT_EQ(0x80001700u, device().peek(0x54E4 + 8 * 7));

    rte_ether_addr last = {{0x02, 0, 0, 0, 0, 23}};
    ASSERT_EQ(0, rte_eth_dev_mac_addr_remove(port_id, &last));
    EXPECT_EQ(0u, device().peek(0x54E4 + 8 * 7));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_EQ(0x80001600u, device().peek(0x54E4 + 8 * 6)) << "a restart keeps them";
    EXPECT_EQ(0u, device().peek(0x54E4 + 8 * 7));
}

TEST_F(EthdevFilterTest, MulticastList) {
    rte_ether_addr groups[] = {{{0x01, 0, 0x5E, 0, 0, 1}}, {{0x33, 0x33, 0, 0, 0x12, 0x34}}};

    bring_up();
    ASSERT_EQ(0, rte_eth_dev_set_mc_addr_list(port_id, groups, 2));
    EXPECT_EQ(1u << 0x10, device().peek(reg::MTA)) << "hash 010h";
    EXPECT_EQ(1u << 1, device().peek(reg::MTA + 4 * (0x341 / 32))) << "hash 341h";
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_EQ(1u << 0x10, device().peek(reg::MTA));
    ASSERT_EQ(0, rte_eth_dev_set_mc_addr_list(port_id, groups + 1, 1));
    EXPECT_EQ(0u, device().peek(reg::MTA));
}

TEST_F(EthdevFilterTest, Vlans) {
    rte_eth_conf conf{};

    conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
    bring_up(1, conf);
    EXPECT_TRUE(device().peek(reg::RCTL) & rctl::VFE);
    ASSERT_EQ(0, rte_eth_dev_vlan_filter(port_id, 100, 1));
    ASSERT_EQ(0, rte_eth_dev_vlan_filter(port_id, 4095, 1));
    EXPECT_EQ(1u << 4, device().peek(reg::VFTA + 4 * 3));
    EXPECT_EQ(1u << 31, device().peek(reg::VFTA + 4 * 127));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_EQ(1u << 4, device().peek(reg::VFTA + 4 * 3));
    ASSERT_EQ(0, rte_eth_dev_vlan_filter(port_id, 100, 0));
    EXPECT_EQ(0u, device().peek(reg::VFTA + 4 * 3));
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, 0));
    EXPECT_FALSE(device().peek(reg::RCTL) & rctl::VFE);
}

TEST_F(EthdevFilterTest, ReceiveRing) {
    bring_up();
    EXPECT_EQ(0, rte_eth_rx_queue_count(port_id, 0));
    for (std::uint32_t i = 0; i < 5; i++)
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(i)));
    EXPECT_EQ(5, rte_eth_rx_queue_count(port_id, 0));
    EXPECT_EQ(RTE_ETH_RX_DESC_DONE, rte_eth_rx_descriptor_status(port_id, 0, 4));
    EXPECT_EQ(RTE_ETH_RX_DESC_AVAIL, rte_eth_rx_descriptor_status(port_id, 0, 5));
    EXPECT_EQ(-EINVAL, rte_eth_rx_descriptor_status(port_id, 0, ring_size));
    free_all(receive(3));
    EXPECT_EQ(2, rte_eth_rx_queue_count(port_id, 0));
    EXPECT_EQ(RTE_ETH_RX_DESC_DONE, rte_eth_rx_descriptor_status(port_id, 0, 1));
    EXPECT_EQ(RTE_ETH_RX_DESC_UNAVAIL, rte_eth_rx_descriptor_status(port_id, 0, ring_size - 1))
        << "taken, and not given to the device again";
}

TEST_F(EthdevFilterTest, TransmitRing) {
    bring_up();
    EXPECT_EQ(RTE_ETH_TX_DESC_DONE, rte_eth_tx_descriptor_status(port_id, 0, 0));
    for (std::uint32_t i = 0; i < 3; i++) {
        rte_mbuf *mbuf = packet(pool, i);
        ASSERT_EQ(1, rte_eth_tx_burst(port_id, 0, &mbuf, 1));
    }
    EXPECT_EQ(RTE_ETH_TX_DESC_DONE, rte_eth_tx_descriptor_status(port_id, 0, ring_size - 4));
    EXPECT_EQ(RTE_ETH_TX_DESC_FULL, rte_eth_tx_descriptor_status(port_id, 0, ring_size - 3));
    EXPECT_EQ(RTE_ETH_TX_DESC_FULL, rte_eth_tx_descriptor_status(port_id, 0, ring_size - 1));
    device().transmit(0, 2);
    EXPECT_EQ(RTE_ETH_TX_DESC_DONE, rte_eth_tx_descriptor_status(port_id, 0, ring_size - 2));
    EXPECT_EQ(RTE_ETH_TX_DESC_FULL, rte_eth_tx_descriptor_status(port_id, 0, ring_size - 1));
    EXPECT_EQ(-EINVAL, rte_eth_tx_descriptor_status(port_id, 0, ring_size));
}

TEST_F(EthdevFilterTest, TagsAreStrippedAndFilteredAtRunTime) {
    bring_up();
    EXPECT_EQ(0u, device().peek(reg::CTRL) & ctrl::VME);
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, RTE_ETH_VLAN_STRIP_OFFLOAD |
                                                           RTE_ETH_VLAN_FILTER_OFFLOAD));
    EXPECT_NE(0u, device().peek(reg::CTRL) & ctrl::VME);
    EXPECT_NE(0u, device().peek(reg::RCTL) & rctl::VFE);
    EXPECT_NE(0u, device().peek(reg::RCTL) & rctl::SECRC) << "the rest of RCTL stays";
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, 0));
    EXPECT_EQ(0u, device().peek(reg::CTRL) & ctrl::VME);
    EXPECT_EQ(0u, device().peek(reg::RCTL) & rctl::VFE);
}

TEST_F(EthdevFilterTest, TwoTags) {
    bring_up();
    EXPECT_EQ(-ENOTSUP, rte_eth_dev_set_vlan_ether_type(port_id, RTE_ETH_VLAN_TYPE_OUTER, 0x88A8))
        << "there is no outer tag";
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, RTE_ETH_VLAN_EXTEND_OFFLOAD));
    EXPECT_NE(0u, device().peek(reg::CTRL_EXT) & ctrl_ext::EXTEND_VLAN);
    EXPECT_EQ(1526u, device().peek(reg::RLPML)) << "which counts in a frame's length";
    device().poke(reg::VET, 0x8100);
    ASSERT_EQ(0, rte_eth_dev_set_vlan_ether_type(port_id, RTE_ETH_VLAN_TYPE_OUTER, 0x88A8));
    EXPECT_EQ(0x88A88100u, device().peek(reg::VET));
    EXPECT_EQ(-ENOTSUP, rte_eth_dev_set_vlan_ether_type(port_id, RTE_ETH_VLAN_TYPE_INNER, 0x88A8));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_NE(0u, device().peek(reg::CTRL_EXT) & ctrl_ext::EXTEND_VLAN);
    EXPECT_EQ(0x88A80000u, device().peek(reg::VET) & 0xFFFF0000);
    EXPECT_EQ(1526u, device().peek(reg::RLPML));
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, 0));
    EXPECT_EQ(1522u, device().peek(reg::RLPML));
}

TEST_F(EthdevFilterTest, ASecondTagMustFitTheBuffers) {
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    ASSERT_EQ(0, rte_eth_dev_set_mtu(port_id, 2048 - 22));
    ASSERT_EQ(0, start());
    test::LogCapture log;
    EXPECT_EQ(-EINVAL, rte_eth_dev_set_vlan_offload(port_id, RTE_ETH_VLAN_EXTEND_OFFLOAD));
    EXPECT_NE(std::string::npos, log.text().find("frames of 2052 bytes")) << log.text();
    EXPECT_EQ(0u, device().peek(reg::CTRL_EXT) & ctrl_ext::EXTEND_VLAN);
    EXPECT_EQ(2048u, device().peek(reg::RLPML));
}

} // namespace
