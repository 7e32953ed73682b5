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

// The registers clear as they are read, and a sum of them is several words: one reader at a time.
// In memory that processes share, hence the spinlock.
class StatsGuard {
public:
    explicit StatsGuard(Port &port) : lock_(port.stats_lock) { rte_spinlock_lock(&lock_); }
    StatsGuard(const StatsGuard &) = delete;
    StatsGuard &operator=(const StatsGuard &) = delete;
    ~StatsGuard() { rte_spinlock_unlock(&lock_); }

private:
    rte_spinlock_t &lock_;
};

void add(QueueSums &sums, const RxQueue &queue, std::uint16_t id) {
    sums.rx_packets[id] += load(queue.packets);
    sums.rx_bytes[id] += load(queue.bytes);
    sums.rx_errors[id] += load(queue.errors);
    sums.rx_no_mbufs[id] += load(queue.no_mbufs);
}

void add(QueueSums &sums, const TxQueue &queue, std::uint16_t id) {
    sums.tx_packets[id] += load(queue.packets);
    sums.tx_bytes[id] += load(queue.bytes);
    sums.tx_errors[id] += load(queue.errors);
}

// Of the queues there are and of those there were.
QueueSums sum_queues(const rte_eth_dev *dev) {
    QueueSums sums = port_of(dev).released;

    for (std::uint16_t i = 0; i < std::min(dev->data->nb_rx_queues, max_queues); i++)
        if (const auto *queue = static_cast<const RxQueue *>(dev->data->rx_queues[i]))
            add(sums, *queue, i);
    for (std::uint16_t i = 0; i < std::min(dev->data->nb_tx_queues, max_queues); i++)
        if (const auto *queue = static_cast<const TxQueue *>(dev->data->tx_queues[i]))
            add(sums, *queue, i);
    return sums;
}

void collect(rte_eth_dev *dev) {
    hw_of(dev).read_stats(port_of(dev).stats, max_queues);
}

} // namespace

void stats_collect(rte_eth_dev *dev) {
    const StatsGuard guard(port_of(dev));

    collect(dev);
}

void stats_keep(rte_eth_dev *dev, const RxQueue &queue) {
    const StatsGuard guard(port_of(dev));

    add(port_of(dev).released, queue, queue.queue_id);
}

void stats_keep(rte_eth_dev *dev, const TxQueue &queue) {
    const StatsGuard guard(port_of(dev));

    add(port_of(dev).released, queue, queue.queue_id);
}

// The registers know what crossed the wire, and leave out of GPRC what MPC counts (SDM 14.9.25);
// the queues know what was dropped on the way to the application. Octet registers count the CRC,
// ethdev's do not.
int stats_get(rte_eth_dev *dev, rte_eth_stats &out, QueueStats *queues) {
    Port &port = port_of(dev);
    const StatsGuard guard(port);

    collect(dev);
    const QueueSums now = sum_queues(dev);
    const QueueSums &base = port.base;
    std::uint64_t dropped = 0;
    out.rx_nombuf = 0;
    out.ierrors = port.stats.rx_errors;
    out.oerrors = port.stats.tx_errors;
    out.imissed = port.stats.rx_missed;
    out.opackets = port.stats.tx_packets;
    out.obytes = port.stats.tx_bytes - RTE_ETHER_CRC_LEN * port.stats.tx_packets;
    for (std::uint16_t i = 0; i < max_queues; i++) {
        dropped += now.rx_errors[i] - base.rx_errors[i];
        out.rx_nombuf += now.rx_no_mbufs[i] - base.rx_no_mbufs[i];
        out.oerrors += now.tx_errors[i] - base.tx_errors[i];
        out.imissed += port.stats.rx_queue_dropped[i];
    }
    out.ipackets = port.stats.rx_packets - std::min(dropped, port.stats.rx_packets);
    out.ibytes = port.stats.rx_bytes - RTE_ETHER_CRC_LEN * port.stats.rx_packets;
    out.ierrors += dropped;
    if (queues == nullptr)
        return 0;
    for (std::uint16_t i = 0; i < std::min<std::uint16_t>(max_queues, RTE_ETHDEV_QUEUE_STAT_CNTRS);
         i++) {
        queues->q_ipackets[i] = now.rx_packets[i] - base.rx_packets[i];
        queues->q_ibytes[i] = now.rx_bytes[i] - base.rx_bytes[i];
        queues->q_errors[i] = now.rx_errors[i] - base.rx_errors[i];
        queues->q_opackets[i] = now.tx_packets[i] - base.tx_packets[i];
        queues->q_obytes[i] = now.tx_bytes[i] - base.tx_bytes[i];
    }
    return 0;
}

Counts stats_counts(rte_eth_dev *dev) {
    Port &port = port_of(dev);
    const StatsGuard guard(port);

    collect(dev);
    return port.stats.counts;
}

int stats_reset(rte_eth_dev *dev) {
    Port &port = port_of(dev);
    const StatsGuard guard(port);

    collect(dev);
    port.stats = {};
    port.base = sum_queues(dev);
    return 0;
}

} // namespace igb
