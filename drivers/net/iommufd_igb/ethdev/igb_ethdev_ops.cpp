// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a port can do, its link, filters and statistics.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_rx_fields.hpp"
#include "rxtx/igb_rxtx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

constexpr std::uint64_t rss_types = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |
                                    RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_IPV6 |
                                    RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;

constexpr std::uint64_t rx_offloads = RTE_ETH_RX_OFFLOAD_VLAN_STRIP |
                                      RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
                                      RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH;

constexpr rte_eth_desc_lim ring_limits() {
    rte_eth_desc_lim limits{};

    limits.nb_max = max_ring_size;
    limits.nb_min = min_ring_size;
    limits.nb_align = batch_size;
    limits.nb_seg_max = 1;
    limits.nb_mtu_seg_max = 1;
    return limits;
}

// How long a link_update() that waits may take, as DPDK's e1000 drivers.
constexpr std::uint32_t link_deadline_us = 9'000'000;
constexpr std::uint32_t link_poll_us = 100'000;

QueueSums sum_queues(const rte_eth_dev *dev) {
    QueueSums sums;

    for (std::uint16_t i = 0; i < std::min(dev->data->nb_rx_queues, max_queues); i++) {
        if (const auto *queue = static_cast<const RxQueue *>(dev->data->rx_queues[i])) {
            sums.rx_packets[i] = load(queue->packets);
            sums.rx_bytes[i] = load(queue->bytes);
            sums.rx_errors[i] = load(queue->errors);
            sums.rx_no_mbufs[i] = load(queue->no_mbufs);
        }
    }
    for (std::uint16_t i = 0; i < std::min(dev->data->nb_tx_queues, max_queues); i++) {
        if (const auto *queue = static_cast<const TxQueue *>(dev->data->tx_queues[i])) {
            sums.tx_packets[i] = load(queue->packets);
            sums.tx_bytes[i] = load(queue->bytes);
            sums.tx_errors[i] = load(queue->errors);
        }
    }
    return sums;
}

// A queue set up again counts from 0: below its base the base is void.
std::uint64_t since(std::uint64_t now, std::uint64_t base) {
    return now >= base ? now - base : now;
}

int set_filters(rte_eth_dev *dev, bool promiscuous, bool all_multicast) {
    adapter(dev).hw.set_promiscuous(promiscuous, all_multicast);
    return 0;
}

} // namespace

int dev_infos_get(rte_eth_dev *, rte_eth_dev_info *info) {
    info->min_rx_bufsize = 1024;
    info->max_rx_pktlen = max_mtu + frame_overhead;
    info->min_mtu = RTE_ETHER_MIN_MTU;
    info->max_mtu = max_mtu;
    info->max_rx_queues = max_queues;
    info->max_tx_queues = max_queues;
    info->max_mac_addrs = 1;
    info->reta_size = reta_size;
    info->hash_key_size = rss_key_size;
    info->flow_type_rss_offloads = rss_types;
    info->rx_offload_capa = rx_offloads;
    info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    info->rx_desc_lim = ring_limits();
    info->tx_desc_lim = ring_limits();
    // rx_free_thresh 0: by the size of the ring.
    info->default_txconf.tx_rs_thresh = batch_size;
    info->default_txconf.tx_free_thresh = batch_size;
    info->default_rxportconf = {.burst_size = batch_size, .ring_size = 512, .nb_queues = 1};
    info->default_txportconf = {.burst_size = batch_size, .ring_size = 512, .nb_queues = 1};
    info->speed_capa = RTE_ETH_LINK_SPEED_10M_HD | RTE_ETH_LINK_SPEED_10M |
                       RTE_ETH_LINK_SPEED_100M_HD | RTE_ETH_LINK_SPEED_100M | RTE_ETH_LINK_SPEED_1G;
    return 0;
}

const std::uint32_t *supported_ptypes_get(rte_eth_dev *) {
    return supported_ptypes;
}

int vlan_offload_set(rte_eth_dev *dev, int mask) {
    if (mask & RTE_ETH_VLAN_STRIP_MASK)
        adapter(dev).hw.set_vlan_strip(
            (dev->data->dev_conf.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0);
    return 0;
}

int link_update(rte_eth_dev *dev, int wait_to_complete) {
    Adapter &a = adapter(dev);
    Link link;

    if (dev->data->dev_started) {
        const std::uint64_t end = a.regs.now_us() + (wait_to_complete ? link_deadline_us : 0);

        link = a.hw.link();
        while (!link.up && a.regs.now_us() < end) {
            a.regs.sleep_us(link_poll_us);
            link = a.hw.link();
        }
    }

    rte_eth_link state{};
    state.link_status = link.up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN;
    state.link_speed = link.up ? link.speed_mbps : std::uint32_t{RTE_ETH_SPEED_NUM_NONE};
    state.link_duplex = link.full_duplex ? RTE_ETH_LINK_FULL_DUPLEX : RTE_ETH_LINK_HALF_DUPLEX;
    state.link_autoneg = RTE_ETH_LINK_AUTONEG;
    return rte_eth_linkstatus_set(dev, &state);
}

int promiscuous_enable(rte_eth_dev *dev) {
    return set_filters(dev, true, dev->data->all_multicast == 1);
}

int promiscuous_disable(rte_eth_dev *dev) {
    return set_filters(dev, false, dev->data->all_multicast == 1);
}

int allmulticast_enable(rte_eth_dev *dev) {
    return set_filters(dev, dev->data->promiscuous == 1, true);
}

int allmulticast_disable(rte_eth_dev *dev) {
    return set_filters(dev, dev->data->promiscuous == 1, false);
}

int mac_addr_set(rte_eth_dev *dev, rte_ether_addr *address) {
    MacAddress mac;

    std::memcpy(mac.data(), address->addr_bytes, mac.size());
    adapter(dev).hw.set_mac(mac);
    return 0;
}

void stats_collect(rte_eth_dev *dev) {
    Adapter &a = adapter(dev);

    a.hw.read_stats(a.stats, max_queues);
}

// The registers know what crossed the wire; the queues what was dropped on the way to the
// application. Octet registers count the CRC, ethdev does not.
int stats_get(rte_eth_dev *dev, rte_eth_stats *out) {
    const Adapter &a = adapter(dev);
    std::uint64_t dropped = 0;

    stats_collect(dev);
    const QueueSums now = sum_queues(dev);
    out->rx_nombuf = 0;
    out->oerrors = a.stats.tx_errors;
    for (std::uint16_t i = 0; i < max_queues; i++) {
        dropped += since(now.rx_errors[i], a.base.rx_errors[i]);
        out->rx_nombuf += since(now.rx_no_mbufs[i], a.base.rx_no_mbufs[i]);
        out->oerrors += since(now.tx_errors[i], a.base.tx_errors[i]);
    }
    out->ipackets = a.stats.rx_packets - std::min(dropped, a.stats.rx_packets);
    out->opackets = a.stats.tx_packets;
    out->ibytes = a.stats.rx_bytes - RTE_ETHER_CRC_LEN * a.stats.rx_packets;
    out->obytes = a.stats.tx_bytes - RTE_ETHER_CRC_LEN * a.stats.tx_packets;
    out->ierrors = a.stats.rx_errors + dropped;
    out->imissed = a.stats.rx_missed;
    for (const std::uint64_t count : a.stats.rx_queue_dropped)
        out->imissed += count;

    for (std::uint16_t i = 0; i < std::min<std::uint16_t>(max_queues, RTE_ETHDEV_QUEUE_STAT_CNTRS);
         i++) {
        out->q_ipackets[i] = since(now.rx_packets[i], a.base.rx_packets[i]);
        out->q_ibytes[i] = since(now.rx_bytes[i], a.base.rx_bytes[i]);
        out->q_errors[i] = since(now.rx_errors[i], a.base.rx_errors[i]);
        out->q_opackets[i] = since(now.tx_packets[i], a.base.tx_packets[i]);
        out->q_obytes[i] = since(now.tx_bytes[i], a.base.tx_bytes[i]);
    }
    return 0;
}

// Every frame the MTU allows must fit into one buffer: there is no scattered Rx yet.
int check_buffers(const rte_eth_dev *dev, std::uint16_t mtu) {
    const std::uint32_t buffer = smallest_rx_buffer(dev);

    if (mtu + frame_overhead <= buffer)
        return 0;
    IGB_PORT_LOG(ERR, dev,
                 "MTU %u needs Rx buffers of %u bytes, the smallest has %u; take a pool with "
                 "a larger data room or a smaller MTU (scattered Rx is not supported)",
                 mtu, mtu + frame_overhead, buffer);
    return -EINVAL;
}

int mtu_set(rte_eth_dev *dev, std::uint16_t mtu) {
    if (!dev->data->dev_started)
        return 0; // dev_start() checks and programs it
    if (const int ret = check_buffers(dev, mtu); ret != 0)
        return ret;
    adapter(dev).hw.set_max_frame(mtu + frame_overhead);
    return 0;
}

int stats_reset(rte_eth_dev *dev) {
    Adapter &a = adapter(dev);

    stats_collect(dev);
    a.stats = {};
    a.base = sum_queues(dev);
    return 0;
}

} // namespace igb
