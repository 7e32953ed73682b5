// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a port can do, and what an application changes of its settings.

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "ethdev/igb_config.hpp"
#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_rxtx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

// segments: of a packet.
constexpr rte_eth_desc_lim ring_limits(std::uint16_t segments) {
    rte_eth_desc_lim limits{};

    limits.nb_max = max_ring_size;
    limits.nb_min = min_nb_desc;
    limits.nb_align = nb_desc_align;
    limits.nb_seg_max = segments;
    limits.nb_mtu_seg_max = segments;
    return limits;
}

} // namespace

int dev_infos_get(rte_eth_dev *, rte_eth_dev_info *info) {
    info->min_rx_bufsize = 1024;
    info->max_rx_pktlen = max_mtu + frame_overhead;
    info->min_mtu = RTE_ETHER_MIN_MTU;
    info->max_mtu = max_mtu;
    info->max_rx_queues = max_queues;
    info->max_tx_queues = max_queues;
    info->dev_capa |= RTE_ETH_DEV_CAPA_RUNTIME_RX_QUEUE_SETUP |
                      RTE_ETH_DEV_CAPA_RUNTIME_TX_QUEUE_SETUP | RTE_ETH_DEV_CAPA_FLOW_RULE_KEEP;
    info->max_mac_addrs = nb_receive_addresses;
    info->reta_size = reta_size;
    info->hash_key_size = rss_key_size;
    info->flow_type_rss_offloads = supported_rss_types;
    info->rx_offload_capa = supported_rx_offloads;
    info->tx_offload_capa = supported_tx_offloads;
    info->rx_desc_lim = ring_limits(rx_max_segments);
    info->tx_desc_lim = ring_limits(tx_max_segments);
    // rx_free_thresh 0: by the size of the ring.
    info->default_txconf.tx_rs_thresh = batch_size;
    info->default_txconf.tx_free_thresh = batch_size;
    info->default_rxportconf = {.burst_size = batch_size, .ring_size = 512, .nb_queues = 1};
    info->default_txportconf = {.burst_size = batch_size, .ring_size = 512, .nb_queues = 1};
    info->speed_capa = RTE_ETH_LINK_SPEED_10M_HD | RTE_ETH_LINK_SPEED_10M |
                       RTE_ETH_LINK_SPEED_100M_HD | RTE_ETH_LINK_SPEED_100M | RTE_ETH_LINK_SPEED_1G;
    return 0;
}

// ethdev has changed the offloads of the configuration, and changes them back if this fails.
int vlan_offload_set(rte_eth_dev *dev, int) {
    Settings &settings = port_of(dev).settings;
    const std::uint32_t frame = longest_frame(dev, dev->data->mtu);

    if (dev->data->dev_started && !dev->data->scattered_rx && frame > smallest_rx_buffer(dev)) {
        IGB_PORT_LOG(ERR, dev,
                     "with a second VLAN tag frames of %" PRIu32 " bytes come in several Rx "
                     "buffers: stop the port first",
                     frame);
        return -EINVAL;
    }
    settings.offloads = parse_rx_offloads(dev->data->dev_conf.rxmode.offloads);
    hw_of(dev).apply_offloads(settings.offloads);
    if (dev->data->dev_started) {
        settings.max_frame = frame;
        hw_of(dev).apply_max_frame(frame);
    }
    return 0;
}

// As stock: the outer tag's, with RTE_ETH_RX_OFFLOAD_VLAN_EXTEND (DPDK 22.11.11, igb_ethdev.c,
// eth_igb_vlan_tpid_set()).
int vlan_tpid_set(rte_eth_dev *dev, rte_vlan_type type, std::uint16_t tpid) {
    Settings &settings = port_of(dev).settings;

    if (type != RTE_ETH_VLAN_TYPE_OUTER || !settings.offloads.vlan_extend) {
        IGB_PORT_LOG(ERR, dev,
                     "the TPID can be set of the outer tag alone, and with "
                     "RTE_ETH_RX_OFFLOAD_VLAN_EXTEND");
        return -ENOTSUP;
    }
    settings.outer_tpid = tpid;
    hw_of(dev).apply_outer_tpid(tpid);
    return 0;
}

std::uint32_t longest_frame(const rte_eth_dev *dev, std::uint16_t mtu) {
    const bool has_two_tags =
        (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_EXTEND) != 0;

    return mtu + frame_overhead + (has_two_tags ? RTE_VLAN_HLEN : 0);
}

int mtu_set(rte_eth_dev *dev, std::uint16_t mtu) {
    Settings &settings = port_of(dev).settings;
    const std::uint32_t frame = longest_frame(dev, mtu);
    const std::uint32_t buffer = smallest_rx_buffer(dev);

    if (!dev->data->dev_started)
        return 0; // dev_start() programs it
    if (frame > buffer && !dev->data->scattered_rx) {
        IGB_PORT_LOG(ERR, dev,
                     "MTU %u needs Rx buffers of %" PRIu32 " bytes, the smallest has %" PRIu32
                     ": stop the port first, for its frames come in several then, or ask for "
                     "RTE_ETH_RX_OFFLOAD_SCATTER",
                     mtu, frame, buffer);
        return -EINVAL;
    }
    settings.max_frame = frame;
    hw_of(dev).apply_max_frame(settings.max_frame);
    return 0;
}

} // namespace igb
