// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Queues begin and end, with their port or by themselves while it runs.
//
//     set up ---> programmed ---> enabled ---> disabled ---> drained, and again
//                 |           the device's          |
//                 `------------ live ---------------'
//
// A queue that is not live takes and gives nothing, should a burst function be called: its receive
// ring never asks for buffers, its transmit ring is full.

#include "ethdev/igb_config.hpp"
#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

RxQueue &rx_queue_of(const rte_eth_dev *dev, std::uint16_t id) {
    return *static_cast<RxQueue *>(dev->data->rx_queues[id]);
}

TxQueue &tx_queue_of(const rte_eth_dev *dev, std::uint16_t id) {
    return *static_cast<TxQueue *>(dev->data->tx_queues[id]);
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

int program_rx_queue(rte_eth_dev *dev, std::uint16_t id) {
    RxQueue &queue = rx_queue_of(dev, id);

    queue.crc_bytes = port_of(dev).settings.offloads.keep_crc ? RTE_ETHER_CRC_LEN : 0;
    if (rx_fill(queue) != 0) {
        IGB_PORT_LOG(ERR, dev, "Rx queue %u: pool %s has fewer than %u mbufs left%s", id,
                     queue.pool->name, queue.nb_desc,
                     queue.lookup.enabled ? " that are in one piece for a device" : "");
        return -ENOMEM;
    }
    queue.free_thresh = queue.chosen_free_thresh;
    queue.live = true;
    hw_of(dev).program_rx_queue(id, ring_of(queue));
    return 0;
}

int program_tx_queue(rte_eth_dev *dev, std::uint16_t id) {
    TxQueue &queue = tx_queue_of(dev, id);

    tx_reset(queue);
    if (const int ret = rte_iommufd_in_flight_register(&queue.in_flight, tx_in_flight); ret != 0) {
        tx_close(queue);
        return ret;
    }
    queue.live = true;
    hw_of(dev).program_tx_queue(id, ring_of(queue));
    return 0;
}

int enable_rx_queue(rte_eth_dev *dev, std::uint16_t id) {
    const int ret = report(dev, hw_of(dev).enable_rx_queue(id, rx_tail(rx_queue_of(dev, id))));

    if (ret == 0)
        dev->data->rx_queue_state[id] = RTE_ETH_QUEUE_STATE_STARTED;
    return ret;
}

int enable_tx_queue(rte_eth_dev *dev, std::uint16_t id) {
    const int ret = report(dev, hw_of(dev).enable_tx_queue(id));

    if (ret == 0)
        dev->data->tx_queue_state[id] = RTE_ETH_QUEUE_STATE_STARTED;
    return ret;
}

// The device does not use the queue any more.
void drain_rx_queue(rte_eth_dev *dev, std::uint16_t id) {
    dev->data->rx_queue_state[id] = RTE_ETH_QUEUE_STATE_STOPPED;
    if (dev->data->rx_queues[id] == nullptr)
        return;
    RxQueue &queue = rx_queue_of(dev, id);
    rx_drain(queue);
    queue.free_thresh = never_rearm;
    queue.live = false;
}

void drain_tx_queue(rte_eth_dev *dev, std::uint16_t id) {
    dev->data->tx_queue_state[id] = RTE_ETH_QUEUE_STATE_STOPPED;
    if (dev->data->tx_queues[id] == nullptr)
        return;
    TxQueue &queue = tx_queue_of(dev, id);
    rte_iommufd_in_flight_unregister(&queue.in_flight);
    tx_drain(queue);
    tx_close(queue);
    queue.live = false;
}

} // namespace

int program_queues(rte_eth_dev *dev) {
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        if (!tx_queue_of(dev, i).deferred_start)
            if (const int ret = program_tx_queue(dev, i); ret != 0)
                return ret;
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        if (!rx_queue_of(dev, i).deferred_start)
            if (const int ret = program_rx_queue(dev, i); ret != 0)
                return ret;
    return 0;
}

int enable_queues(rte_eth_dev *dev) {
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        if (tx_queue_of(dev, i).live)
            if (const int ret = enable_tx_queue(dev, i); ret != 0)
                return ret;
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        if (rx_queue_of(dev, i).live)
            if (const int ret = enable_rx_queue(dev, i); ret != 0)
                return ret;
    return 0;
}

void drain_queues(rte_eth_dev *dev) {
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        drain_rx_queue(dev, i);
    for (std::uint16_t i = 0; i < dev->data->nb_tx_queues; i++)
        drain_tx_queue(dev, i);
}

int rx_queue_start(rte_eth_dev *dev, std::uint16_t id) {
    int ret = program_rx_queue(dev, id);

    if (ret == 0)
        ret = enable_rx_queue(dev, id);
    if (ret != 0 && rx_queue_of(dev, id).live)
        (void)rx_queue_stop(dev, id); // what it leaves undone has been said
    return ret;
}

int tx_queue_start(rte_eth_dev *dev, std::uint16_t id) {
    int ret = program_tx_queue(dev, id);

    if (ret == 0)
        ret = enable_tx_queue(dev, id);
    if (ret != 0 && tx_queue_of(dev, id).live)
        (void)tx_queue_stop(dev, id);
    return ret;
}

// A queue that stays on keeps its buffers, for the device may use them.
int rx_queue_stop(rte_eth_dev *dev, std::uint16_t id) {
    Hw hw = hw_of(dev);

    if (const int ret = report(dev, hw.disable_rx_queue(id)); ret != 0)
        return ret;
    hw.settle();
    drain_rx_queue(dev, id);
    return 0;
}

int tx_queue_stop(rte_eth_dev *dev, std::uint16_t id) {
    Hw hw = hw_of(dev);

    hw.finish_tx_queue(id);
    if (const int ret = report(dev, hw.disable_tx_queue(id)); ret != 0)
        return ret;
    hw.settle();
    drain_tx_queue(dev, id);
    return 0;
}

} // namespace igb
