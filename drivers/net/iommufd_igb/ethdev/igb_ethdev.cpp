// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Life of a port: made, configured, started, stopped, closed.

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <type_traits>

#include <bus_iommufd_driver.h>
#include <rte_malloc.h>

#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

static_assert(std::is_trivially_destructible_v<Adapter>);

namespace {

// Toeplitz key of Microsoft's RSS verification suite, the default of other drivers too.
constexpr std::array<std::uint8_t, rss_key_size> default_key = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

// The hardware has one switch for both.
constexpr std::uint64_t l4_checksums = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

int report(const rte_eth_dev *dev, const Status &status) {
    if (!status.ok())
        IGB_PORT_LOG(ERR, dev, "%s: %s", status.step, rte_strerror(-status.error));
    return status.error;
}

std::uint32_t rss_fields(std::uint64_t rss_hf) {
    static constexpr struct {
        std::uint64_t hash;
        std::uint32_t field;
    } hash_fields[] = {
        {RTE_ETH_RSS_IPV4, mrqc::IPV4},
        {RTE_ETH_RSS_NONFRAG_IPV4_TCP, mrqc::IPV4_TCP},
        {RTE_ETH_RSS_NONFRAG_IPV4_UDP, mrqc::IPV4_UDP},
        {RTE_ETH_RSS_IPV6, mrqc::IPV6},
        {RTE_ETH_RSS_NONFRAG_IPV6_TCP, mrqc::IPV6_TCP},
        {RTE_ETH_RSS_NONFRAG_IPV6_UDP, mrqc::IPV6_UDP},
    };
    std::uint32_t fields = 0;

    for (const auto &entry : hash_fields)
        if (rss_hf & entry.hash)
            fields |= entry.field;
    return fields;
}

// Reset, then everything that does not depend on queues; unless probing has just done it, for a
// reset takes the link away, which is half a second and more in coming back.
Status bring_up(rte_eth_dev *dev) {
    Adapter &a = adapter(dev);

    if (a.fresh)
        return {};
    if (const Status status = a.hw.reset(); !status.ok())
        return status;
    if (!a.hw.auto_read_done())
        IGB_PORT_LOG(DEBUG, dev, "EECD.AUTO_RD is not set after the reset");
    a.hw.clear_filters();
    return {};
}

RxRing ring_of(const RxQueue &queue) {
    // Thresholds of Linux 7.3 (igb.h, IGB_RX_PTHRESH and so on) for the 82576.
    return {.dma = queue.dma,
            .nb_desc = queue.nb_desc,
            .buffer_size = queue.buffer_size,
            .drop_when_full = queue.drop_when_full,
            .pthresh = 8,
            .hthresh = 8,
            .wthresh = 1};
}

TxRing ring_of(const TxQueue &queue) {
    // No write-back threshold: with one, a device may hold RS back until that many
    // descriptors have gathered (DPDK 22.11.11, ixgbe_rxtx.c:2723).
    return {.dma = queue.dma, .nb_desc = queue.nb_desc, .pthresh = 8, .hthresh = 1, .wthresh = 0};
}

void drain_queues(rte_eth_dev *dev) {
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        if (auto *queue = static_cast<RxQueue *>(dev->data->rx_queues[i]))
            rx_drain(*queue);
        dev->data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STOPPED;
    }
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        if (auto *queue = static_cast<TxQueue *>(dev->data->tx_queues[i])) {
            rte_iommufd_in_flight_unregister(&queue->in_flight);
            tx_drain(*queue);
        }
        dev->data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STOPPED;
    }
}

// End DMA: queues, masters, bus master bit, in this order. Clears dma_live if it is certain
// that it has ended: by the bus master bit, or where that fails by a reset.
void quiesce(rte_eth_dev *dev) {
    Adapter &a = adapter(dev);
    bool clean = true;

    a.hw.mask_interrupts();
    a.hw.disable_rx();
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        clean &= report(dev, a.hw.disable_rx_queue(i)) == 0;
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        clean &= report(dev, a.hw.disable_tx_queue(i)) == 0;
    a.hw.disable_tx();
    stats_collect(dev);
    clean &= report(dev, a.hw.disable_master()) == 0;

    const int ret = rte_iommufd_set_bus_master(RTE_ETH_DEV_TO_IOMMUFD(dev), false);
    if (ret != 0)
        IGB_PORT_LOG(ERR, dev, "turning bus mastering off: %s", rte_strerror(-ret));
    a.dma_live = ret != 0;
    if (clean && !a.dma_live)
        return;

    IGB_PORT_LOG(WARNING, dev, "DMA did not stop in order; resetting the device");
    if (report(dev, a.hw.reset()) == 0)
        a.dma_live = false;
}

// Free what the rings hold, once the device cannot reach it any more.
int give_back(rte_eth_dev *dev) {
    if (adapter(dev).dma_live) {
        IGB_PORT_LOG(CRIT, dev, "DMA may go on; what it can reach is kept from use");
        return -EIO;
    }
    drain_queues(dev);
    return 0;
}

// Program filters, link and rings; nothing moves yet.
int program(rte_eth_dev *dev) {
    Adapter &a = adapter(dev);
    MacAddress mac;

    std::memcpy(mac.data(), dev->data->mac_addrs[0].addr_bytes, mac.size());
    a.hw.set_mac(mac);
    if (!a.fresh)
        if (const Status status = a.hw.start_link(); !status.ok())
            return report(dev, status);
    a.fresh = false;
    a.hw.clear_stats();

    a.hw.setup_tx();
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        auto &queue = *static_cast<TxQueue *>(dev->data->tx_queues[i]);
        tx_reset(queue);
        if (const int ret = rte_iommufd_in_flight_register(&queue.in_flight); ret != 0)
            return ret;
        a.hw.program_tx_queue(i, ring_of(queue));
    }

    const std::uint64_t offloads = dev->data->dev_conf.rxmode.offloads;
    a.hw.setup_rx({.max_frame = dev->data->mtu + frame_overhead,
                   .promiscuous = dev->data->promiscuous == 1,
                   .all_multicast = dev->data->all_multicast == 1,
                   .ip_checksum = (offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0,
                   .l4_checksum = (offloads & l4_checksums) != 0,
                   .vlan_strip = (offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0});
    a.hw.setup_rss(a.rss);
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        auto &queue = *static_cast<RxQueue *>(dev->data->rx_queues[i]);
        if (rx_fill(queue) != 0) {
            IGB_PORT_LOG(ERR, dev, "Rx queue %u: pool %s has fewer than %u mbufs left%s", i,
                         queue.pool->name, queue.nb_desc,
                         queue.lookup.enabled ? " that are in one piece for a device" : "");
            return -ENOMEM;
        }
        a.hw.program_rx_queue(i, ring_of(queue));
    }
    return 0;
}

// Let the device go: bus master, queues, receiver.
int enable(rte_eth_dev *dev) {
    Adapter &a = adapter(dev);

    a.dma_live = true;
    const int ret = rte_iommufd_set_bus_master(RTE_ETH_DEV_TO_IOMMUFD(dev), true);
    if (ret != 0) {
        IGB_PORT_LOG(ERR, dev, "turning bus mastering on: %s", rte_strerror(-ret));
        return ret;
    }
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        if (const Status status = a.hw.enable_tx_queue(i); !status.ok())
            return report(dev, status);
        dev->data->tx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
    }
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        const auto &queue = *static_cast<const RxQueue *>(dev->data->rx_queues[i]);
        if (const Status status = a.hw.enable_rx_queue(i, rx_tail(queue)); !status.ok())
            return report(dev, status);
        dev->data->rx_queue_state[i] = RTE_ETH_QUEUE_STATE_STARTED;
    }
    a.hw.enable_rx();
    return 0;
}

} // namespace

int dev_init(rte_eth_dev *dev, void *) {
    rte_iommufd_device *device = RTE_ETH_DEV_TO_IOMMUFD(dev);
    const rte_iommufd_bar &bar = device->bars[0];

    if (bar.addr == nullptr || bar.length < register_space) {
        IGB_PORT_LOG(ERR, dev, "BAR 0 holds no registers (%" PRIu64 " bytes)", bar.length);
        return -ENODEV;
    }
    Adapter &a = *new (dev->data->dev_private) Adapter(bar.addr);

    if (const Status status = bring_up(dev); !status.ok())
        return report(dev, status);
    if (const Status status = a.hw.check_nvm(); !status.ok())
        return report(dev, status);
    if (const Status status = a.hw.read_mac(a.factory_mac); !status.ok())
        return report(dev, status);
    std::uint32_t phy = 0;
    if (const Status status = a.hw.phy_id(phy); !status.ok())
        return report(dev, status);
    IGB_PORT_LOG(DEBUG, dev, "PHY %08x", phy);

    // The link is made while the application sets itself up.
    if (const Status status = a.hw.start_link(); !status.ok())
        return report(dev, status);
    a.fresh = true;

    if (dev->data->mac_addrs == nullptr) // else dev_reset(): ethdev keeps the array
        dev->data->mac_addrs =
            static_cast<rte_ether_addr *>(rte_zmalloc("igb_mac", RTE_ETHER_ADDR_LEN, 0));
    if (dev->data->mac_addrs == nullptr)
        return -ENOMEM;
    std::memcpy(dev->data->mac_addrs[0].addr_bytes, a.factory_mac.data(), a.factory_mac.size());

    dev->dev_ops = &dev_ops;
    select_bursts(dev);
    dev->data->dev_flags |= RTE_ETH_DEV_AUTOFILL_QUEUE_XSTATS;
    dev->data->numa_node = device->device.numa_node;
    return 0;
}

int dev_configure(rte_eth_dev *dev) {
    const rte_eth_conf &conf = dev->data->dev_conf;
    const rte_eth_rss_conf &rss_conf = conf.rx_adv_conf.rss_conf;
    Rss rss{.fields = 0, .key = default_key, .reta = {}};

    if ((conf.rxmode.mq_mode & ~RTE_ETH_MQ_RX_RSS_FLAG) != 0 ||
        conf.txmode.mq_mode != RTE_ETH_MQ_TX_NONE) {
        IGB_PORT_LOG(ERR, dev, "of multi-queue modes only RSS is supported");
        return -EINVAL;
    }
    if (conf.rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG) {
        rss.fields = rss_fields(rss_conf.rss_hf);
        if (rss_conf.rss_key != nullptr) {
            if (rss_conf.rss_key_len != 0 && rss_conf.rss_key_len != rss_key_size) {
                IGB_PORT_LOG(ERR, dev, "an RSS key has %u bytes, not %u", rss_key_size,
                             rss_conf.rss_key_len);
                return -EINVAL;
            }
            std::memcpy(rss.key.data(), rss_conf.rss_key, rss_key_size);
        }
        const std::uint16_t queues = std::max<std::uint16_t>(dev->data->nb_rx_queues, 1);
        for (std::uint16_t i = 0; i < reta_size; i++)
            rss.reta[i] = static_cast<std::uint8_t>(i % queues);
    }
    adapter(dev).rss = rss;
    return 0;
}

int dev_start(rte_eth_dev *dev) {
    if (const int ret = check_buffers(dev, dev->data->mtu); ret != 0)
        return ret;
    if (const Status status = bring_up(dev); !status.ok())
        return report(dev, status);
    if (adapter(dev).dma_live) { // a stop had failed; the reset has now ended it
        adapter(dev).dma_live = false;
        drain_queues(dev);
    }

    select_bursts(dev);
    int ret = program(dev);
    if (ret == 0)
        ret = enable(dev);
    if (ret != 0) {
        quiesce(dev);
        (void)give_back(dev);
    }
    return ret;
}

int dev_stop(rte_eth_dev *dev) {
    rte_eth_link down{};

    quiesce(dev);
    if (const int ret = give_back(dev); ret != 0)
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
        adapter(dev).dma_live = false;
    const int ret = give_back(dev);

    dev->data->dev_started = 0;
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        rx_queue_release(dev, i);
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        tx_queue_release(dev, i);
    dev->data->nb_rx_queues = 0;
    dev->data->nb_tx_queues = 0;
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
    ops.dev_supported_ptypes_get = supported_ptypes_get;
    ops.link_update = link_update;
    ops.promiscuous_enable = promiscuous_enable;
    ops.promiscuous_disable = promiscuous_disable;
    ops.allmulticast_enable = allmulticast_enable;
    ops.allmulticast_disable = allmulticast_disable;
    ops.mac_addr_set = mac_addr_set;
    ops.mtu_set = mtu_set;
    ops.vlan_offload_set = vlan_offload_set;
    ops.stats_get = stats_get;
    ops.stats_reset = stats_reset;
    ops.rx_queue_setup = rx_queue_setup;
    ops.rx_queue_release = rx_queue_release;
    ops.tx_queue_setup = tx_queue_setup;
    ops.tx_queue_release = tx_queue_release;
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
