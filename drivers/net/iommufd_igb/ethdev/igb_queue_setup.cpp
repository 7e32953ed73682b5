// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Set-up and release of queues.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>

#include <bus_iommufd_driver.h>
#include <rte_errno.h>
#include <rte_malloc.h>

#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_rxtx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

// Frees what queues of both kinds own, in whatever state their set-up was left.
template <typename Queue>
void free_ring(Queue *queue) {
    rte_free(queue->sw_ring);
    rte_memzone_free(queue->zone);
    rte_free(queue);
}

// What the device may still reach is lost, but never somebody else's memory.
template <typename Queue>
bool is_reachable(const rte_eth_dev *dev, const Queue &queue) {
    return queue.live && port_of(dev).dma_live;
}

void destroy(const rte_eth_dev *dev, RxQueue *queue) {
    if (queue == nullptr || is_reachable(dev, *queue))
        return;
    rte_iommufd_hold_release(queue->pool_hold);
    rx_lookup_free(*queue);
    free_ring(queue);
}

void destroy(const rte_eth_dev *dev, TxQueue *queue) {
    if (queue == nullptr || is_reachable(dev, *queue))
        return;
    free_ring(queue);
}

// A queue with ring memory the device can reach.
template <typename Queue, typename Desc>
Queue *create(const rte_eth_dev *dev, const char *kind, std::uint16_t id, std::uint16_t nb_desc,
              unsigned int socket) {
    char name[RTE_MEMZONE_NAMESIZE];

    (void)std::snprintf(name, sizeof(name), "igb_%s_%u_%u", kind, dev->data->port_id, id);
    auto *queue = static_cast<Queue *>(
        rte_zmalloc_socket(name, sizeof(Queue), RTE_CACHE_LINE_SIZE, static_cast<int>(socket)));
    if (queue == nullptr)
        return nullptr;
    queue->queue_id = id;
    queue->nb_desc = nb_desc;
    queue->sw_ring = static_cast<rte_mbuf **>(rte_zmalloc_socket(
        name, sizeof(rte_mbuf *) * nb_desc, RTE_CACHE_LINE_SIZE, static_cast<int>(socket)));
    queue->zone = rte_iommufd_dma_zone_reserve(name, sizeof(Desc) * nb_desc, ring_align,
                                               static_cast<int>(socket), &queue->dma);
    if (queue->sw_ring == nullptr || queue->zone == nullptr) {
        IGB_PORT_LOG(ERR, dev, "no memory for %s queue %u of %u descriptors: %s", kind, id, nb_desc,
                     rte_strerror(queue->zone == nullptr ? rte_errno : ENOMEM));
        destroy(dev, queue);
        return nullptr;
    }
    queue->ring = static_cast<Desc *>(queue->zone->addr);
    return queue;
}

// Whether a pool's mbufs and their buffers are objects of an iommufd pool.
bool has_own_buffers(rte_mempool *pool) {
    return is_iommufd_pool(pool) &&
           !(rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF);
}

// Let the buffers of a queue's pool be looked up; 0, or a negative errno after saying why.
int look_up_buffers(const rte_eth_dev *dev, RxQueue &queue) {
    const rte_mempool *pool = queue.pool;

    if (const int ret = rx_lookup_setup(queue); ret != 0) {
        IGB_PORT_LOG(ERR, dev, "no memory for Rx queue %u to look up the buffers of pool %s",
                     queue.queue_id, pool->name);
        return ret;
    }
    const std::uint32_t split = queue.lookup.nb_split;
    if (pool->size - split < queue.nb_desc) {
        IGB_PORT_LOG(ERR, dev,
                     "Rx queue %u: %u of the %u buffers of pool %s are in one piece for a device, "
                     "and the ring has %u; take the pool's memory from hugepages",
                     queue.queue_id, pool->size - split, pool->size, pool->name, queue.nb_desc);
        return -ENOMEM;
    }
    if (!mbufs_carry_dma && has_own_buffers(queue.pool))
        return 0; // as all mbufs of this DPDK
    if (queue.lookup.pinned)
        IGB_PORT_LOG(NOTICE, dev,
                     "Rx queue %u: the buffers of pool %s are external; the address of each is "
                     "looked up",
                     queue.queue_id, pool->name);
    else
        IGB_PORT_LOG(NOTICE, dev,
                     "Rx queue %u: the mbufs of pool %s carry no DMA addresses (its mempool ops "
                     "are \"%s\"), each is looked up; faster: the EAL option "
                     "--mbuf-pool-ops-name %s",
                     queue.queue_id, pool->name, rte_mempool_get_ops(pool->ops_index)->name,
                     pool_ops_name);
    if (split != 0)
        IGB_PORT_LOG(WARNING, dev,
                     "Rx queue %u: %u of the %u buffers of pool %s lie in pages that are no "
                     "neighbours for a device and are not received into; hugepages have none such",
                     queue.queue_id, split, pool->size, pool->name);
    return 0;
}

// Keep the memory of a queue's buffers in the address space; result as look_up_buffers().
int hold_buffers(const rte_eth_dev *dev, RxQueue &queue) {
    rte_mempool *pool = queue.pool;
    const bool own = has_own_buffers(pool);

    queue.pool_hold = own ? rte_iommufd_hold_pool(pool) : rte_iommufd_hold_buffers(pool);
    if (queue.pool_hold == nullptr) {
        const int error = rte_errno;
        IGB_PORT_LOG(ERR, dev, "Rx queue %u: pool %s cannot be used: %s%s", queue.queue_id,
                     pool->name, rte_strerror(error),
                     error == EFAULT ? "; give external memory to rte_dev_dma_map() before the "
                                       "queue is set up"
                                     : "");
        return -error;
    }
    return own && mbufs_carry_dma ? 0 : look_up_buffers(dev, queue);
}

// ethdev checks this against dev_infos_get() too; a ring of another size would overrun.
int check_ring_size(const rte_eth_dev *dev, const char *kind, std::uint16_t id,
                    std::uint16_t nb_desc) {
    if (nb_desc >= min_nb_desc && nb_desc <= max_ring_size && nb_desc % nb_desc_align == 0)
        return 0;
    IGB_PORT_LOG(ERR, dev, "%s queue %u: a ring has %u to %u descriptors in steps of %u, not %u",
                 kind, id, min_nb_desc, max_ring_size, nb_desc_align, nb_desc);
    return -EINVAL;
}

// A port that runs keeps its receive function: a queue that needs another one waits for a stop.
int check_running(const rte_eth_dev *dev, const RxQueue &queue) {
    if (!dev->data->dev_started || rx_burst_suits(dev, queue))
        return 0;
    IGB_PORT_LOG(ERR, dev,
                 "Rx queue %u: with buffers of %u bytes of pool %s the port needs another receive "
                 "function; stop it first",
                 queue.queue_id, queue.buffer_size, queue.pool->name);
    return -EBUSY;
}

int check_thresholds(const rte_eth_dev *dev, std::uint16_t id, std::uint16_t nb_desc,
                     const rte_eth_txconf &conf) {
    // Any is accepted, as with stock, whose application may ask for 1 to hear of each packet: the
    // end of each burst is reported, and so is the last of 32 descriptors.
    if (conf.tx_rs_thresh != 0 && conf.tx_rs_thresh != batch_size)
        IGB_PORT_LOG(INFO, dev,
                     "Tx queue %u: tx_rs_thresh %u: the device reports the end of each burst, and "
                     "every %uth descriptor",
                     id, conf.tx_rs_thresh, batch_size);
    if (conf.tx_free_thresh >= nb_desc) {
        IGB_PORT_LOG(ERR, dev, "Tx queue %u: tx_free_thresh %u is not below %u descriptors", id,
                     conf.tx_free_thresh, nb_desc);
        return -EINVAL;
    }
    return 0;
}

// A pool and thresholds that the queue can work with.
int check_rx_conf(const rte_eth_dev *dev, std::uint16_t id, std::uint16_t nb_desc,
                  const rte_eth_rxconf &conf, const rte_mempool *pool) {
    if (pool->flags & RTE_MEMPOOL_F_NON_IO) {
        IGB_PORT_LOG(ERR, dev,
                     "Rx queue %u: pool %s is not for devices: it was made so, or its memory has "
                     "left the address space with the last device",
                     id, pool->name);
        return -EINVAL;
    }
    if (conf.rx_free_thresh >= nb_desc) {
        IGB_PORT_LOG(ERR, dev, "Rx queue %u: rx_free_thresh %u is not below %u descriptors", id,
                     conf.rx_free_thresh, nb_desc);
        return -EINVAL;
    }
    return 0;
}

// Bytes of a pool's buffers that the device may use; 0 after saying why if there are too few.
std::uint16_t buffer_size_of(const rte_eth_dev *dev, std::uint16_t id, rte_mempool *pool) {
    const std::uint32_t data_room =
        std::max<std::uint32_t>(rte_pktmbuf_data_room_size(pool), RTE_PKTMBUF_HEADROOM) -
        RTE_PKTMBUF_HEADROOM;
    // SRRCTL counts buffers in KiB, rounded down: what the device may not use it does not
    // know of (SDM p. 104). Above 16 KiB no frame is that long.
    const std::uint32_t kib = std::min<std::uint32_t>(data_room >> srrctl::BSIZEPACKET_SHIFT, 16);

    if (kib == 0)
        IGB_PORT_LOG(ERR, dev, "Rx queue %u: the mbufs of pool %s hold less than 1024 bytes", id,
                     pool->name);
    return static_cast<std::uint16_t>(kib << srrctl::BSIZEPACKET_SHIFT);
}

} // namespace

int rx_queue_setup(rte_eth_dev *dev, std::uint16_t id, std::uint16_t nb_desc, unsigned int socket,
                   const rte_eth_rxconf *conf, rte_mempool *pool) {
    if (const int ret = check_ring_size(dev, "Rx", id, nb_desc); ret != 0)
        return ret;
    nb_desc = ring_size_for(nb_desc);
    if (const int ret = check_rx_conf(dev, id, nb_desc, *conf, pool); ret != 0)
        return ret;
    const std::uint16_t buffer_size = buffer_size_of(dev, id, pool);
    if (buffer_size == 0)
        return -EINVAL;

    // ethdev has released a queue that was here before.
    auto *queue = create<RxQueue, RxDesc>(dev, "rx", id, nb_desc, socket);
    if (queue == nullptr)
        return -ENOMEM;
    queue->pool = pool;
    // Never more than half a ring: the rest must last until buffers come.
    queue->chosen_free_thresh = conf->rx_free_thresh != 0
                                    ? std::max(conf->rx_free_thresh, batch_size)
                                    : std::min<std::uint16_t>(default_rx_free_thresh, nb_desc / 2);
    queue->free_thresh = never_rearm;
    queue->deferred_start = conf->rx_deferred_start != 0;
    queue->buffer_size = buffer_size;
    int ret = hold_buffers(dev, *queue);
    if (ret == 0)
        ret = check_running(dev, *queue);
    if (ret != 0) {
        destroy(dev, queue);
        return ret;
    }
    queue->rearm_nb = nb_desc; // empty until it is started
    queue->doorbell = register_address(dev, reg::RDT(id));
    queue->rearm_data = rx_rearm_data(dev->data->port_id);
    // One full queue would otherwise hold up the packets of all others (Linux 7.3,
    // igb_setup_srrctl()).
    queue->drop_when_full = conf->rx_drop_en || dev->data->nb_rx_queues > 1;
    dev->data->rx_queues[id] = queue;
    return 0;
}

int tx_queue_setup(rte_eth_dev *dev, std::uint16_t id, std::uint16_t nb_desc, unsigned int socket,
                   const rte_eth_txconf *conf) {
    if (const int ret = check_ring_size(dev, "Tx", id, nb_desc); ret != 0)
        return ret;
    nb_desc = ring_size_for(nb_desc);
    if (const int ret = check_thresholds(dev, id, nb_desc, *conf); ret != 0)
        return ret;

    auto *queue = create<TxQueue, TxDesc>(dev, "tx", id, nb_desc, socket);
    if (queue == nullptr)
        return -ENOMEM;
    queue->doorbell = register_address(dev, reg::TDT(id));
    // Fewer than a packet may take would leave the queue full of what is sent, for ever.
    queue->free_thresh =
        conf->tx_free_thresh != 0 ? std::max(conf->tx_free_thresh, tx_max_descs) : batch_size;
    queue->pool_ops = find_pool_ops();
    queue->in_flight.capacity = nb_desc;
    queue->fast_free =
        (dev->data->dev_conf.txmode.offloads & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE) != 0;
    queue->deferred_start = conf->tx_deferred_start != 0;
    tx_close(*queue);
    dev->data->tx_queues[id] = queue;
    return 0;
}

void rx_queue_release(rte_eth_dev *dev, std::uint16_t id) {
    auto *queue = static_cast<RxQueue *>(dev->data->rx_queues[id]);

    if (queue == nullptr)
        return;
    stats_keep(dev, *queue);
    destroy(dev, queue);
    dev->data->rx_queues[id] = nullptr;
}

void tx_queue_release(rte_eth_dev *dev, std::uint16_t id) {
    auto *queue = static_cast<TxQueue *>(dev->data->tx_queues[id]);

    if (queue == nullptr)
        return;
    stats_keep(dev, *queue);
    destroy(dev, queue);
    dev->data->tx_queues[id] = nullptr;
}

std::uint32_t smallest_rx_buffer(const rte_eth_dev *dev) {
    std::uint32_t smallest = UINT32_MAX;

    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++)
        if (const auto *queue = static_cast<const RxQueue *>(dev->data->rx_queues[i]))
            smallest = std::min<std::uint32_t>(smallest, queue->buffer_size);
    return smallest;
}

void rxq_info_get(rte_eth_dev *dev, std::uint16_t id, rte_eth_rxq_info *info) {
    const auto &queue = *static_cast<const RxQueue *>(dev->data->rx_queues[id]);

    info->mp = queue.pool;
    info->nb_desc = queue.nb_desc;
    info->rx_buf_size = queue.buffer_size;
    info->scattered_rx = dev->data->scattered_rx;
    info->conf.rx_drop_en = queue.drop_when_full;
    info->conf.rx_free_thresh = queue.chosen_free_thresh;
    info->conf.rx_deferred_start = queue.deferred_start;
    info->conf.offloads = dev->data->dev_conf.rxmode.offloads;
}

void txq_info_get(rte_eth_dev *dev, std::uint16_t id, rte_eth_txq_info *info) {
    const auto &queue = *static_cast<const TxQueue *>(dev->data->tx_queues[id]);

    info->nb_desc = queue.nb_desc;
    info->conf.tx_rs_thresh = batch_size;
    info->conf.tx_free_thresh = queue.free_thresh;
    info->conf.tx_deferred_start = queue.deferred_start;
    info->conf.offloads = dev->data->dev_conf.txmode.offloads;
}

int tx_done_cleanup(void *queue, std::uint32_t count) {
    return static_cast<int>(tx_cleanup(*static_cast<TxQueue *>(queue), count));
}

} // namespace igb
