// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Life of a port: made, configured, started, stopped, closed.

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <type_traits>

#include <bus_iommufd_driver.h>
#include <rte_malloc.h>

#include "ethdev/igb_config.hpp"
#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_rx_fields.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

static_assert(std::is_trivially_destructible_v<Port> && std::is_standard_layout_v<Port>);

namespace {

// Reset, then everything that does not depend on queues; unless probing has just done it, for a
// reset takes the link away, which is half a second and more in coming back.
Result<> bring_up(rte_eth_dev *dev) {
    Hw hw = hw_of(dev);

    if (port_of(dev).just_reset)
        return {};
    if (!TRY(hw.reset()))
        IGB_PORT_LOG(DEBUG, dev, "EECD.AUTO_RD is not set after the reset");
    hw.clear_filters();
    return {};
}

// End DMA: queues, masters, bus master bit, in this order. Clears dma_live if it is certain
// that it has ended: by the bus master bit, or where that fails by a reset.
void quiesce(rte_eth_dev *dev) {
    Port &port = port_of(dev);
    Hw hw = hw_of(dev);
    bool clean = true;

    hw.mask_interrupts();
    hw.disable_rx();
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        clean &= report(dev, hw.disable_rx_queue(i)) == 0;
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        clean &= report(dev, hw.disable_tx_queue(i)) == 0;
    hw.disable_tx();
    stats_collect(dev);
    clean &= report(dev, hw.disable_master()) == 0;

    const int ret = rte_iommufd_set_bus_master(RTE_ETH_DEV_TO_IOMMUFD(dev), false);
    if (ret != 0)
        IGB_PORT_LOG(ERR, dev, "turning bus mastering off: %s", rte_strerror(-ret));
    port.dma_live = ret != 0;
    if (clean && !port.dma_live)
        return;

    IGB_PORT_LOG(WARNING, dev, "DMA did not stop in order; resetting the device");
    if (report(dev, hw.reset()) == 0)
        port.dma_live = false;
}

// Free what the rings hold, once the device cannot reach it any more.
int free_buffers(rte_eth_dev *dev) {
    if (port_of(dev).dma_live) {
        IGB_PORT_LOG(CRIT, dev, "DMA may go on; what it can reach is kept from use");
        return -EIO;
    }
    drain_queues(dev);
    return 0;
}

// Program filters, link and rings; nothing moves yet.
int program(rte_eth_dev *dev) {
    Port &port = port_of(dev);
    Hw hw = hw_of(dev);

    // The link that probing has begun to make is left to it, if it is as wanted.
    if (!port.just_reset || port.settings.link != LinkSettings{})
        if (const int ret = report(dev, hw.start_link(port.settings.link)); ret != 0)
            return ret;
    port.just_reset = false;
    port.link_on = true;
    port.flow_agreed = false;
    hw.clear_stats();

    hw.setup_tx();
    hw.setup_rx();
    hw.apply(port.settings);
    return program_queues(dev);
}

// Let the device go: bus master, queues, receiver.
int enable(rte_eth_dev *dev) {
    Hw hw = hw_of(dev);

    port_of(dev).dma_live = true;
    if (const int ret = rte_iommufd_set_bus_master(RTE_ETH_DEV_TO_IOMMUFD(dev), true); ret != 0) {
        IGB_PORT_LOG(ERR, dev, "turning bus mastering on: %s", rte_strerror(-ret));
        return ret;
    }
    if (const int ret = enable_queues(dev); ret != 0)
        return ret;
    hw.enable_rx();
    return 0;
}

void report_stale_locks(const rte_eth_dev *dev, const Hw::StaleLocks &stale) {
    if (!stale.semaphore && stale.resources == 0)
        return;
    IGB_PORT_LOG(NOTICE, dev,
                 "a process that ended badly had left locks on the device, which are free again:"
                 "%s%s%s",
                 stale.semaphore ? " SWSM" : "", stale.resources & sw_fw::EEPROM ? " EEPROM" : "",
                 stale.resources & (sw_fw::PHY0 | sw_fw::PHY1) ? " PHY" : "");
}

// What probing finds out about a device, and the link, which is made while the application sets
// itself up.
Result<> identify(rte_eth_dev *dev) {
    Port &port = port_of(dev);
    Hw hw = hw_of(dev);

    report_stale_locks(dev, hw.break_stale_locks());
    TRY(bring_up(dev));
    TRY(hw.check_nvm());
    port.led_default = hw.led_control();
    port.factory_mac = TRY(hw.read_mac());
    [[maybe_unused]] const std::uint32_t phy = TRY(hw.phy_id());
    IGB_PORT_LOG(DEBUG, dev, "PHY %08x", phy);
    TRY(hw.start_link(port.settings.link));
    port.just_reset = true;
    return {};
}

// Frames come in several buffers where the application allows it, or where it leaves no other way:
// as stock, which does not ask either (DPDK 22.11.11, igb_rxtx.c, eth_igb_rx_init()).
void choose_scattered(rte_eth_dev *dev) {
    const std::uint32_t frame = port_of(dev).settings.max_frame;
    const std::uint32_t buffer = smallest_rx_buffer(dev);
    const bool asked = (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;

    dev->data->scattered_rx = asked || frame > buffer;
    if (!asked && frame > buffer)
        IGB_PORT_LOG(NOTICE, dev,
                     "frames of up to %" PRIu32 " bytes come in several Rx buffers, of which the "
                     "smallest has %" PRIu32,
                     frame, buffer);
}

// Every queue that was counted is set up.
int check_queues(const rte_eth_dev *dev) {
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        if (dev->data->rx_queues[i] == nullptr) {
            IGB_PORT_LOG(ERR, dev, "Rx queue %u of %u is not set up: rte_eth_rx_queue_setup()", i,
                         dev->data->nb_rx_queues);
            return -EINVAL;
        }
    }
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        if (dev->data->tx_queues[i] == nullptr) {
            IGB_PORT_LOG(ERR, dev, "Tx queue %u of %u is not set up: rte_eth_tx_queue_setup()", i,
                         dev->data->nb_tx_queues);
            return -EINVAL;
        }
    }
    return 0;
}

} // namespace

int dev_init(rte_eth_dev *dev, void *) {
    const rte_iommufd_device *device = RTE_ETH_DEV_TO_IOMMUFD(dev);
    const rte_iommufd_bar &bar = device->bars[0];

    if (bar.addr == nullptr || bar.length < register_space) {
        IGB_PORT_LOG(ERR, dev, "BAR 0 holds no registers (%" PRIu64 " bytes)", bar.length);
        return -ENODEV;
    }
    Port &port = *new (dev->data->dev_private) Port();
    if (const int ret = report(dev, identify(dev)); ret != 0)
        return ret;

    if (dev->data->mac_addrs == nullptr) // else dev_reset(): ethdev keeps the array
        dev->data->mac_addrs = static_cast<rte_ether_addr *>(
            rte_zmalloc("igb_mac", nb_receive_addresses * RTE_ETHER_ADDR_LEN, 0));
    if (dev->data->mac_addrs == nullptr)
        return -ENOMEM;
    std::memcpy(dev->data->mac_addrs[0].addr_bytes, port.factory_mac.data(),
                port.factory_mac.size());
    port.settings.mac = port.factory_mac;

    dev->dev_ops = &dev_ops;
    select_bursts(dev);
    dev->data->dev_flags |= RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
    dev->data->numa_node = device->device.numa_node;
    return 0;
}

int dev_configure(rte_eth_dev *dev) {
    if (const int ret = flow_check_queues(dev); ret != 0)
        return ret;
    return parse_config(dev, port_of(dev).settings);
}

int dev_start(rte_eth_dev *dev) {
    Port &port = port_of(dev);

    if (const int ret = check_queues(dev); ret != 0)
        return ret;
    if (const int ret = report(dev, bring_up(dev)); ret != 0)
        return ret;
    if (port.dma_live) { // a stop had failed; the reset has now ended it
        port.dma_live = false;
        drain_queues(dev);
    }

    port.clock = {}; // the reset has stopped the device's; it begins anew
    port.settings.max_frame = longest_frame(dev, dev->data->mtu);
    choose_scattered(dev);
    select_bursts(dev);
    int ret = program(dev);
    if (ret == 0)
        ret = enable(dev);
    if (ret != 0) {
        quiesce(dev);
        (void)free_buffers(dev);
    }
    return ret;
}

int dev_stop(rte_eth_dev *dev) {
    rte_eth_link down{};

    quiesce(dev);
    (void)set_link_down(dev); // a link that stays is told in the log; the port is stopped
    if (const int ret = free_buffers(dev); ret != 0)
        return ret;
    rte_eth_linkstatus_set(dev, &down);
    dev->data->dev_started = 0;
    return 0;
}

int dev_close(rte_eth_dev *dev) {
    if (rte_eal_process_type() != RTE_PROC_PRIMARY)
        return 0;
    if (dev->data->dev_started)
        (void)dev_stop(dev); // what it leaves undone is judged by dma_live

    // Bus mastering is off; the reset makes sure that nothing is left in the device.
    const int reset = rte_iommufd_reset_device(RTE_ETH_DEV_TO_IOMMUFD(dev));
    if (reset != 0)
        IGB_PORT_LOG(ERR, dev, "resetting the device: %s", rte_strerror(-reset));
    else
        port_of(dev).dma_live = false;
    const int ret = free_buffers(dev);

    dev->data->dev_started = 0;
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        rx_queue_release(dev, i);
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        tx_queue_release(dev, i);
    dev->data->nb_rx_queues = 0;
    dev->data->nb_tx_queues = 0;
    flow_forget(dev);
    return ret != 0 ? ret : reset;
}

// ethdev has stopped the port; as after probing from here on.
int dev_reset(rte_eth_dev *dev) {
    const int ret = dev_close(dev);

    return ret != 0 ? ret : dev_init(dev, nullptr);
}

namespace {

constexpr eth_dev_ops make_dev_ops() {
    eth_dev_ops ops{};

    ops.dev_configure = dev_configure;
    ops.dev_start = dev_start;
    ops.dev_stop = dev_stop;
    ops.dev_close = dev_close;
    ops.dev_reset = dev_reset;
    ops.dev_infos_get = dev_infos_get;
    ops.dev_supported_ptypes_get = supported_ptypes_op<supported_ptypes>();
    ops.link_update = link_update;
    ops.dev_set_link_up = set_link_up;
    ops.dev_set_link_down = set_link_down;
    ops.reta_update = reta_update;
    ops.reta_query = reta_query;
    ops.rss_hash_update = rss_hash_update;
    ops.rss_hash_conf_get = rss_hash_conf_get;
    ops.promiscuous_enable = promiscuous_enable;
    ops.promiscuous_disable = promiscuous_disable;
    ops.allmulticast_enable = allmulticast_enable;
    ops.allmulticast_disable = allmulticast_disable;
    ops.mac_addr_set = mac_addr_set;
    ops.mac_addr_add = mac_addr_add;
    ops.mac_addr_remove = mac_addr_remove;
    ops.set_mc_addr_list = set_mc_addr_list;
    ops.vlan_filter_set = vlan_filter_set;
    ops.mtu_set = mtu_set;
    ops.vlan_offload_set = vlan_offload_set;
    ops.vlan_tpid_set = vlan_tpid_set;
    ops.stats_get = stats_op<stats_get>();
    ops.stats_reset = stats_reset;
    ops.xstats_get = xstats_get;
    ops.xstats_get_names = xstats_get_names;
    ops.xstats_reset = stats_reset;
    ops.fw_version_get = fw_version_get;
    ops.get_reg = get_reg;
    ops.get_eeprom_length = get_eeprom_length;
    ops.get_eeprom = get_eeprom;
    ops.dev_led_on = led_on;
    ops.dev_led_off = led_off;
    ops.flow_ops_get = flow_ops_get;
    ops.flow_ctrl_get = flow_ctrl_get;
    ops.flow_ctrl_set = flow_ctrl_set;
    ops.timesync_enable = timesync_enable;
    ops.timesync_disable = timesync_disable;
    ops.timesync_read_time = timesync_read_time;
    ops.timesync_write_time = timesync_write_time;
    ops.timesync_adjust_time = timesync_adjust_time;
    ops.timesync_read_rx_timestamp = timesync_read_rx_timestamp;
    ops.timesync_read_tx_timestamp = timesync_read_tx_timestamp;
    ops.rx_queue_setup = rx_queue_setup;
    ops.rx_queue_release = rx_queue_release;
    ops.tx_queue_setup = tx_queue_setup;
    ops.tx_queue_release = tx_queue_release;
    ops.rx_queue_start = rx_queue_start;
    ops.rx_queue_stop = rx_queue_stop;
    ops.tx_queue_start = tx_queue_start;
    ops.tx_queue_stop = tx_queue_stop;
    ops.tx_done_cleanup = tx_done_cleanup;
    ops.rxq_info_get = rxq_info_get;
    ops.txq_info_get = txq_info_get;
    ops.rx_burst_mode_get = rx_burst_mode_get;
    ops.tx_burst_mode_get = tx_burst_mode_get;
    return ops;
}

} // namespace

constinit const eth_dev_ops dev_ops = make_dev_ops();

} // namespace igb
