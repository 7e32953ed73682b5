// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Flow control, as DPDK 22.11.11, igb_ethdev.c, eth_igb_flow_ctrl_set(): negotiated, unless the
// speed is fixed. Other than there, a port that nobody has told has none.

#include <cerrno>
#include <cinttypes>

#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"

namespace igb {

namespace {

constexpr struct {
    rte_eth_fc_mode mode;
    std::uint8_t pause;
} modes[] = {
    {RTE_ETH_FC_NONE, pause::NONE},
    {RTE_ETH_FC_RX_PAUSE, pause::RX},
    {RTE_ETH_FC_TX_PAUSE, pause::TX},
    {RTE_ETH_FC_FULL, pause::FULL},
};

// One frame must find room above the high mark.
int check_water(const rte_eth_dev *dev, const rte_eth_fc_conf &conf) {
    const std::uint32_t size = hw_of(dev).packet_buffer_size();

    if (conf.high_water + RTE_ETHER_MAX_LEN <= size && conf.low_water <= conf.high_water)
        return 0;
    IGB_PORT_LOG(ERR, dev,
                 "flow control from %" PRIu32 " to %" PRIu32
                 " bytes: the packet buffer has %" PRIu32 ", of which a frame of %u stays free",
                 conf.high_water, conf.low_water, size, RTE_ETHER_MAX_LEN);
    return -EINVAL;
}

} // namespace

int flow_ctrl_get(rte_eth_dev *dev, rte_eth_fc_conf *conf) {
    const Settings &settings = port_of(dev).settings;
    const FlowControl &wanted = settings.flow_control;
    const std::uint8_t now = hw_of(dev).pause_mode();

    conf->high_water = wanted.high_water;
    conf->low_water = wanted.low_water;
    conf->pause_time = wanted.time;
    conf->send_xon = wanted.send_xon;
    conf->mac_ctrl_frame_fwd = wanted.forward_control_frames;
    conf->autoneg = !settings.link.fixed;
    for (const auto &entry : modes)
        if (entry.pause == now)
            conf->mode = entry.mode;
    return 0;
}

int flow_ctrl_set(rte_eth_dev *dev, rte_eth_fc_conf *conf) {
    Settings &settings = port_of(dev).settings;
    FlowControl wanted{.mode = pause::NONE,
                       .high_water = conf->high_water,
                       .low_water = conf->low_water,
                       .time = conf->pause_time,
                       .send_xon = conf->send_xon != 0,
                       .forward_control_frames = conf->mac_ctrl_frame_fwd != 0};

    if ((conf->autoneg != 0) == settings.link.fixed) {
        IGB_PORT_LOG(ERR, dev, "flow control %s: the link's speed is %s",
                     conf->autoneg ? "is to be negotiated" : "without negotiation",
                     settings.link.fixed ? "fixed" : "negotiated");
        return -ENOTSUP;
    }
    if (const int ret = check_water(dev, *conf); ret != 0)
        return ret;
    for (const auto &entry : modes)
        if (entry.mode == conf->mode)
            wanted.mode = entry.pause;
    LinkSettings link = settings.link;
    link.pause = wanted.mode;
    if (dev->data->dev_started)
        if (const int ret = report(dev, hw_of(dev).start_link(link)); ret != 0)
            return ret;
    settings.link = link;
    settings.flow_control = wanted;
    port_of(dev).flow_agreed = false;
    hw_of(dev).apply_flow_control(wanted);
    return 0;
}

} // namespace igb
