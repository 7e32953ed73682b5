// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Statistics of a port.

#include <algorithm>

#include "ethdev/igb_ethdev.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_rxtx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

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

} // namespace

void stats_collect(rte_eth_dev *dev) {
    hw_of(dev).read_stats(port_of(dev).stats, max_queues);
}

// The registers know what crossed the wire; the queues what was dropped on the way to the
// application. Octet registers count the CRC, ethdev does not.
int stats_get(rte_eth_dev *dev, rte_eth_stats &out, QueueStats *queues) {
    const Port &port = port_of(dev);
    std::uint64_t dropped = 0;

    stats_collect(dev);
    const QueueSums now = sum_queues(dev);
    out.rx_nombuf = 0;
    out.oerrors = port.stats.tx_errors;
    for (std::uint16_t i = 0; i < max_queues; i++) {
        dropped += since(now.rx_errors[i], port.base.rx_errors[i]);
        out.rx_nombuf += since(now.rx_no_mbufs[i], port.base.rx_no_mbufs[i]);
        out.oerrors += since(now.tx_errors[i], port.base.tx_errors[i]);
    }
    out.ipackets = port.stats.rx_packets - std::min(dropped, port.stats.rx_packets);
    out.opackets = port.stats.tx_packets;
    out.ibytes = port.stats.rx_bytes - RTE_ETHER_CRC_LEN * port.stats.rx_packets;
    out.obytes = port.stats.tx_bytes - RTE_ETHER_CRC_LEN * port.stats.tx_packets;
    out.ierrors = port.stats.rx_errors + dropped;
    out.imissed = port.stats.rx_missed;
    for (const std::uint64_t count : port.stats.rx_queue_dropped)
        out.imissed += count;

    if (queues == nullptr)
        return 0;
    for (std::uint16_t i = 0; i < std::min<std::uint16_t>(max_queues, RTE_ETHDEV_QUEUE_STAT_CNTRS);
         i++) {
        queues->q_ipackets[i] = since(now.rx_packets[i], port.base.rx_packets[i]);
        queues->q_ibytes[i] = since(now.rx_bytes[i], port.base.rx_bytes[i]);
        queues->q_errors[i] = since(now.rx_errors[i], port.base.rx_errors[i]);
        queues->q_opackets[i] = since(now.tx_packets[i], port.base.tx_packets[i]);
        queues->q_obytes[i] = since(now.tx_bytes[i], port.base.tx_bytes[i]);
    }
    return 0;
}

int stats_reset(rte_eth_dev *dev) {
    Port &port = port_of(dev);

    stats_collect(dev);
    port.stats = {};
    port.base = sum_queues(dev);
    return 0;
}

} // namespace igb
