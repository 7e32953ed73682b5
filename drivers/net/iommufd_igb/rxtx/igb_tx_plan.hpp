// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Where the data of a packet is for the device, of whatever origin its mbufs are. For
// igb_tx_any.cpp.

#include <cstddef>
#include <cstdint>

#include <rte_bus_iommufd.h>

#include "rxtx/igb_tx_common.hpp"

namespace igb {

// Between the first lookup of some packets and their descriptors' being seen to be in flight.
class Lookups {
public:
    explicit Lookups(TxQueue &queue) : in_flight_(queue.in_flight) {}
    Lookups(const Lookups &) = delete;
    Lookups &operator=(const Lookups &) = delete;
    ~Lookups() {
        if (begun_)
            rte_iommufd_lookup_end(&in_flight_);
    }

    void begin() {
        if (!begun_)
            rte_iommufd_lookup_begin(&in_flight_);
        begun_ = true;
    }

private:
    rte_iommufd_in_flight &in_flight_;
    bool begun_ = false;
};

// The data descriptors of a packet.
struct TxPlan {
    unsigned int most; // Of them, so that there are no more than tx_max_descs with the context.
    unsigned int nb_data = 0;
    rte_iova_t dma[tx_max_descs];
    std::uint16_t length[tx_max_descs];

    // False if there are too many.
    [[nodiscard]] bool add(rte_iova_t address, std::size_t bytes) {
        if (nb_data == most)
            return false;
        dma[nb_data] = address;
        length[nb_data++] = static_cast<std::uint16_t>(bytes);
        return true;
    }
};

// Find all of a segment in the table; false if a part is not there.
inline bool look_up(const rte_mbuf *segment, TxPlan &plan) {
    const char *data = rte_pktmbuf_mtod(segment, const char *);

    for (std::size_t at = 0; at < segment->data_len;) {
        std::uint64_t run = segment->data_len - at;
        const rte_iova_t dma = rte_iommufd_virt2dma_range(data + at, &run);
        if (dma == RTE_BAD_IOVA || !plan.add(dma, run))
            return false;
        at += run;
    }
    return true;
}

// Where a segment is; false if it cannot be sent. Looked up is what does not carry an address: a
// foreign pool's, a clone, external memory; and all where mbufs have no room for one.
inline bool resolve(const TxQueue &queue, TxWork &work, Lookups &lookups, const rte_mbuf *segment,
                    TxPlan &plan) {
    if (!carries_dma(work.known_pool, segment)) {
        if (!is_direct(segment) || !is_resolved(queue, segment->pool)) {
            lookups.begin();
            return look_up(segment, plan);
        }
        work.known_pool = segment->pool; // the first of another iommufd pool
    }
    if constexpr (!mbufs_carry_dma)
        return look_up(segment, plan); // in memory that its pool holds
    return segment->data_len == 0 || plan.add(rte_mbuf_data_iova(segment), segment->data_len);
}

// False if the packet cannot be sent, as a chain whose parts do not make up its length.
inline bool make_plan(const TxQueue &queue, TxWork &work, Lookups &lookups, const rte_mbuf *mbuf,
                      TxPlan &plan) {
    const rte_mbuf *segment = mbuf;
    std::uint32_t length = 0;

    for (unsigned int i = 0; i < mbuf->nb_segs; i++, segment = segment->next) {
        if (segment == nullptr || !resolve(queue, work, lookups, segment, plan))
            return false;
        length += segment->data_len;
    }
    return segment == nullptr && length == mbuf->pkt_len;
}

} // namespace igb
