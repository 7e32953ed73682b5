// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The link of a port.

#include "port_test.hpp"

namespace {

using namespace igb;
using EthdevLinkTest = test::PortTest;

TEST_F(EthdevLinkTest, Link) {
    rte_eth_link link;

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    ASSERT_EQ(0, start());
    ASSERT_EQ(0, rte_eth_link_get_nowait(port_id, &link));
    EXPECT_EQ(RTE_ETH_LINK_DOWN, link.link_status);
    ASSERT_EQ(0, rte_eth_link_get(port_id, &link));
    EXPECT_EQ(RTE_ETH_LINK_UP, link.link_status);
    EXPECT_EQ(1000u, link.link_speed);
    EXPECT_EQ(RTE_ETH_LINK_FULL_DUPLEX, link.link_duplex);

    device().cable = false;
    const std::uint64_t before = device().now_us();
    ASSERT_EQ(0, rte_eth_link_get(port_id, &link));
    EXPECT_EQ(RTE_ETH_LINK_DOWN, link.link_status);
    EXPECT_GE(device().now_us() - before, 9'000'000u);
    EXPECT_LT(device().now_us() - before, 9'200'000u);

    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    device().cable = true;
    ASSERT_EQ(0, rte_eth_link_get_nowait(port_id, &link));
    EXPECT_EQ(RTE_ETH_LINK_DOWN, link.link_status) << "a stopped port has no link";
}

TEST_F(EthdevLinkTest, AStoppedPortHasItsPhyPoweredDown) {
    bring_up();
    ASSERT_FALSE(device().phy[phy::BMCR] & phy::BMCR_POWER_DOWN);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_TRUE(device().phy[phy::BMCR] & phy::BMCR_POWER_DOWN) << "the other end sees it";
    ASSERT_EQ(0, start());
    EXPECT_FALSE(device().phy[phy::BMCR] & phy::BMCR_POWER_DOWN);
}

TEST_F(EthdevLinkTest, LinkDownAndUp) {
    rte_eth_link link;

    bring_up();
    ASSERT_EQ(0, rte_eth_dev_set_link_down(port_id));
    EXPECT_TRUE(device().phy[phy::BMCR] & phy::BMCR_POWER_DOWN);
    ASSERT_EQ(0, rte_eth_link_get_nowait(port_id, &link));
    EXPECT_EQ(RTE_ETH_LINK_DOWN, link.link_status);
    ASSERT_EQ(0, rte_eth_dev_set_link_up(port_id));
    ASSERT_EQ(0, rte_eth_link_get(port_id, &link));
    EXPECT_EQ(RTE_ETH_LINK_UP, link.link_status);
}

TEST_F(EthdevLinkTest, LinkSpeeds) {
    constexpr struct {
        std::uint32_t speeds;
        std::uint32_t speed;
        int autoneg;
    } cases[] = {
        {RTE_ETH_LINK_SPEED_AUTONEG, 1000, RTE_ETH_LINK_AUTONEG},
        {RTE_ETH_LINK_SPEED_100M | RTE_ETH_LINK_SPEED_FIXED, 100, RTE_ETH_LINK_FIXED},
        {RTE_ETH_LINK_SPEED_10M | RTE_ETH_LINK_SPEED_10M_HD, 10, RTE_ETH_LINK_AUTONEG},
        {RTE_ETH_LINK_SPEED_1G | RTE_ETH_LINK_SPEED_FIXED, 1000, RTE_ETH_LINK_AUTONEG},
    };
    rte_eth_conf conf{};
    rte_eth_link link;

    for (const auto &each : cases) {
        conf.link_speeds = each.speeds;
        bring_up(1, conf);
        ASSERT_EQ(0, rte_eth_link_get_nowait(port_id, &link));
        EXPECT_EQ(RTE_ETH_LINK_UP, link.link_status) << each.speeds;
        EXPECT_EQ(each.speed, link.link_speed);
        EXPECT_EQ(RTE_ETH_LINK_FULL_DUPLEX, link.link_duplex);
        EXPECT_EQ(each.autoneg, link.link_autoneg);
        ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    }
    for (const std::uint32_t refused :
         {std::uint32_t{RTE_ETH_LINK_SPEED_10G}, std::uint32_t{RTE_ETH_LINK_SPEED_FIXED},
          RTE_ETH_LINK_SPEED_FIXED | RTE_ETH_LINK_SPEED_10M | RTE_ETH_LINK_SPEED_100M}) {
        conf.link_speeds = refused;
        EXPECT_EQ(-EINVAL, configure(1, conf)) << refused;
    }
}

} // namespace
