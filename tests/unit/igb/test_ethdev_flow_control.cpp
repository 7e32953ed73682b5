// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Flow control: what is told to the device, and what both ends agree on.

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"

namespace {

using namespace igb;
using test::bus;

class FlowControlTest : public test::PortTest {
protected:
    static constexpr std::uint16_t both = phy::AN_PAUSE | phy::AN_ASYMMETRIC;

    static rte_eth_fc_conf wanted(rte_eth_fc_mode mode) {
        rte_eth_fc_conf conf{};

        conf.mode = mode;
        conf.high_water = 40000;
        conf.low_water = 30000;
        conf.pause_time = 0x680;
        conf.send_xon = 1;
        conf.autoneg = 1;
        return conf;
    }

    rte_eth_fc_mode mode() {
        rte_eth_fc_conf conf{};

        EXPECT_EQ(0, rte_eth_dev_flow_ctrl_get(port_id, &conf));
        return conf.mode;
    }

    // After the link has come up again, of which nobody need have seen that it was down.
    void wait_for_link() {
        rte_eth_link link;

        device().sleep_us(model::Igb::autoneg_us);
        ASSERT_EQ(0, rte_eth_link_get_nowait(port_id, &link));
        ASSERT_EQ(RTE_ETH_LINK_UP, link.link_status);
    }
};

TEST_F(FlowControlTest, WhatIsToldIsInTheRegistersAndStaysThere) {
    device().other_end = both;
    bring_up();
    EXPECT_EQ(RTE_ETH_FC_NONE, mode()) << "nobody has asked for any";
    rte_eth_fc_conf conf = wanted(RTE_ETH_FC_FULL);
    conf.mac_ctrl_frame_fwd = 1;
    ASSERT_EQ(0, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    for (int round = 0; round < 2; round++) {
        EXPECT_EQ(0x8808u, device().peek(reg::FCT));
        EXPECT_EQ(0x00C28001u, device().peek(reg::FCAL));
        EXPECT_EQ(0x100u, device().peek(reg::FCAH));
        EXPECT_EQ(0x680u, device().peek(reg::FCTTV));
        EXPECT_EQ(40000u, device().peek(reg::FCRTH));
        EXPECT_EQ(30000u | 1u << 31, device().peek(reg::FCRTL));
        EXPECT_NE(0u, device().peek(reg::RCTL) & rctl::PMCF);
        EXPECT_EQ(ctrl::RFCE | ctrl::TFCE, device().peek(reg::CTRL) & (ctrl::RFCE | ctrl::TFCE));
        EXPECT_EQ(both, device().phy[phy::ANAR] & both) << "it is offered";
        wait_for_link();
        rte_eth_fc_conf now{};
        ASSERT_EQ(0, rte_eth_dev_flow_ctrl_get(port_id, &now));
        EXPECT_EQ(RTE_ETH_FC_FULL, now.mode);
        EXPECT_EQ(40000u, now.high_water);
        EXPECT_EQ(30000u, now.low_water);
        EXPECT_EQ(0x680, now.pause_time);
        EXPECT_EQ(1, now.send_xon);
        EXPECT_EQ(1, now.mac_ctrl_frame_fwd);
        EXPECT_EQ(1, now.autoneg);
        ASSERT_EQ(0, rte_eth_dev_stop(port_id));
        ASSERT_EQ(0, start());
    }
    conf = wanted(RTE_ETH_FC_RX_PAUSE);
    ASSERT_EQ(0, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    EXPECT_EQ(0u, device().peek(reg::FCRTH)) << "no PAUSE frames are sent";
    EXPECT_EQ(0u, device().peek(reg::FCRTL));
    EXPECT_EQ(0u, device().peek(reg::RCTL) & rctl::PMCF);
}

// The table of IEEE 802.3, annex 28B, as DPDK 22.11.11, base/e1000_mac.c has it.
TEST_F(FlowControlTest, BothEndsAgree) {
    constexpr std::uint16_t symmetric = phy::AN_PAUSE;
    constexpr std::uint16_t asymmetric = phy::AN_ASYMMETRIC;
    const struct {
        rte_eth_fc_mode asked;
        std::uint16_t other_end;
        rte_eth_fc_mode agreed;
    } cases[] = {
        {RTE_ETH_FC_FULL, 0, RTE_ETH_FC_NONE},
        {RTE_ETH_FC_FULL, symmetric, RTE_ETH_FC_FULL},
        {RTE_ETH_FC_FULL, both, RTE_ETH_FC_FULL},
        {RTE_ETH_FC_FULL, asymmetric, RTE_ETH_FC_RX_PAUSE},
        {RTE_ETH_FC_RX_PAUSE, symmetric, RTE_ETH_FC_RX_PAUSE},
        {RTE_ETH_FC_RX_PAUSE, asymmetric, RTE_ETH_FC_RX_PAUSE},
        {RTE_ETH_FC_RX_PAUSE, 0, RTE_ETH_FC_NONE},
        {RTE_ETH_FC_TX_PAUSE, both, RTE_ETH_FC_TX_PAUSE},
        {RTE_ETH_FC_TX_PAUSE, symmetric, RTE_ETH_FC_NONE},
        {RTE_ETH_FC_TX_PAUSE, asymmetric, RTE_ETH_FC_NONE},
    };

    bring_up();
    for (const auto &each : cases) {
        rte_eth_fc_conf conf = wanted(RTE_ETH_FC_NONE);
        ASSERT_EQ(0, rte_eth_dev_flow_ctrl_set(port_id, &conf));
        device().phy[phy::ANLPAR] = each.other_end;
        conf = wanted(each.asked);
        ASSERT_EQ(0, rte_eth_dev_flow_ctrl_set(port_id, &conf));
        wait_for_link();
        EXPECT_EQ(each.agreed, mode()) << each.asked << " with " << each.other_end;
    }
}

TEST_F(FlowControlTest, WhatCannotBeIsRefused) {
    rte_eth_fc_conf conf = wanted(RTE_ETH_FC_FULL);

    bring_up();
    test::LogCapture log;
    conf.high_water = 64 * 1024 - 1517;
    EXPECT_EQ(-EINVAL, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    EXPECT_NE(std::string::npos, log.text().find("the packet buffer has 65536")) << log.text();
    conf.high_water = 64 * 1024 - 1518;
    EXPECT_EQ(0, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    conf.low_water = conf.high_water + 1;
    EXPECT_EQ(-EINVAL, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    conf = wanted(RTE_ETH_FC_FULL);
    conf.autoneg = 0;
    EXPECT_EQ(-ENOTSUP, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    EXPECT_NE(std::string::npos, log.text().find("speed is negotiated")) << log.text();
}

TEST_F(FlowControlTest, OfASpeedThatIsFixedItIsAsAsked) {
    rte_eth_conf port{};
    rte_eth_fc_conf conf = wanted(RTE_ETH_FC_FULL);

    port.link_speeds = RTE_ETH_LINK_SPEED_FIXED | RTE_ETH_LINK_SPEED_100M;
    bring_up(1, port);
    EXPECT_EQ(-ENOTSUP, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    conf.autoneg = 0;
    ASSERT_EQ(0, rte_eth_dev_flow_ctrl_set(port_id, &conf));
    EXPECT_EQ(RTE_ETH_FC_FULL, mode());
}

} // namespace
