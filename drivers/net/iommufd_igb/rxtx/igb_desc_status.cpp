// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What an application may ask of a ring.

#include <cerrno>

#include <rte_ethdev.h>

#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

bool is_done(const RxQueue &queue, unsigned int offset) {
    return (rx_desc_status(load(queue.ring[(queue.next + offset) % queue.nb_desc].hi)) &
            rx_status::DD) != 0;
}

} // namespace

int rx_descriptor_status(void *queue_ptr, std::uint16_t offset) {
    const auto &queue = *static_cast<const RxQueue *>(queue_ptr);

    if (offset >= queue.nb_desc)
        return -EINVAL;
    if (offset >= queue.nb_desc - queue.rearm_nb)
        return RTE_ETH_RX_DESC_UNAVAIL;
    return is_done(queue, offset) ? RTE_ETH_RX_DESC_DONE : RTE_ETH_RX_DESC_AVAIL;
}

// The device works in order, so the first that is not done is found by halves.
std::uint32_t rx_queue_count(const RxQueue &queue) {
    unsigned int low = 0;
    unsigned int high = queue.nb_desc - queue.rearm_nb;

    while (low < high) {
        const unsigned int middle = (low + high) / 2;
        if (is_done(queue, middle))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

int tx_descriptor_status(void *queue_ptr, std::uint16_t offset) {
    const auto &queue = *static_cast<const TxQueue *>(queue_ptr);

    if (offset >= queue.nb_desc)
        return -EINVAL;
    // From the tail on come the free ones, then those in use, the oldest first.
    const unsigned int nb_empty = queue.nb_free + 1u;
    if (offset < nb_empty || offset - nb_empty < tx_nb_sent(queue))
        return RTE_ETH_TX_DESC_DONE;
    return RTE_ETH_TX_DESC_FULL;
}

} // namespace igb
