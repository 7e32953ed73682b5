// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The link of a port.

#include <cerrno>

#include "ethdev/igb_ethdev.hpp"

namespace igb {

namespace {

// How long a link_update() that waits may take, as DPDK's e1000 drivers.
constexpr std::uint32_t link_deadline_us = 9'000'000;
constexpr std::uint32_t link_poll_us = 100'000;

// Once for each time that the link has come up.
void agree_on_flow_control(rte_eth_dev *dev, const Link &link) {
    Port &port = port_of(dev);

    if (!link.up)
        port.flow_agreed = false;
    if (!link.up || port.flow_agreed || port.settings.flow_control.mode == pause::NONE)
        return;
    const Result<bool> agreed = hw_of(dev).resolve_flow_control(port.settings.flow_control);
    port.flow_agreed = report(dev, agreed) != 0 || *agreed; // an error is told once
}

} // namespace

int link_update(rte_eth_dev *dev, int wait_to_complete) {
    const Registers regs(bar_of(dev));
    const Port &port = port_of(dev);
    const Hw hw(regs);
    Link link;

    if (dev->data->dev_started && port.link_on) {
        const std::uint64_t end = regs.now_us() + (wait_to_complete ? link_deadline_us : 0);

        link = hw.link();
        while (!link.up && regs.now_us() < end) {
            regs.sleep_us(link_poll_us);
            link = hw.link();
        }
    }

    agree_on_flow_control(dev, link);
    rte_eth_link state{};
    state.link_status = link.up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
    state.link_speed = link.up ? link.speed_mbps : std::uint32_t{RTE_ETH_SPEED_NUM_NONE};
    state.link_duplex = link.full_duplex ? RTE_ETH_LINK_FULL_DUPLEX : RTE_ETH_LINK_HALF_DUPLEX;
    state.link_autoneg = port.settings.link.fixed ? RTE_ETH_LINK_FIXED : RTE_ETH_LINK_AUTONEG;
    return rte_eth_linkstatus_set(dev, &state);
}

int set_link_up(rte_eth_dev *dev) {
    Port &port = port_of(dev);

    if (const int ret = report(dev, hw_of(dev).start_link(port.settings.link)); ret != 0)
        return ret;
    port.link_on = true;
    return 0;
}

int set_link_down(rte_eth_dev *dev) {
    if (const int ret = report(dev, hw_of(dev).stop_link()); ret != 0)
        return ret;
    port_of(dev).link_on = false;
    return 0;
}

} // namespace igb
