// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit for a DPDK whose mbufs have no place for an address (igb_dpdk.hpp): that of each plain
// packet is looked up in the bus's table, one to three loads. A plain packet's buffer is an object
// of an iommufd pool, which is contiguous for a device and held in the address space as long as the
// pool has it; so one look-up tells where all of the packet is, and no other thread has to be told
// that it is under way. What is not plain takes the way that it takes everywhere (igb_tx_any.cpp).

#include <rte_bus_iommufd.h>

#include "rxtx/igb_tx_common.hpp"

namespace igb {

namespace {

// send_plain_scalar() with addresses that are looked up. One that is not there is not plain.
std::size_t send_plain_looked_up(TxDesc *desc, rte_mbuf **slot, rte_mbuf **packets,
                                 std::size_t count, const rte_mempool *known_pool,
                                 std::uint64_t &bytes) {
    std::size_t sent = 0;
    std::uint64_t total = 0;

    for (; sent < count; sent++) {
        rte_mbuf *mbuf = packets[sent];
        if (unlikely(!is_plain(known_pool, mbuf)))
            break;
        const rte_iova_t dma = rte_iommufd_virt2dma(rte_pktmbuf_mtod(mbuf, const void *));
        if (unlikely(dma == RTE_BAD_IOVA))
            break;
        const std::uint16_t length = mbuf->data_len;
        send(desc[sent], slot[sent], mbuf, dma, length);
        total += length;
    }
    bytes += total;
    return sent;
}

} // namespace

std::uint16_t tx_burst_lookup(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit(*static_cast<TxQueue *>(queue), packets, nb_packets, send_plain_looked_up);
}

} // namespace igb
