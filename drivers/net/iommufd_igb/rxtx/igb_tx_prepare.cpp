// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Packets made ready for the device's offloads.

#include <rte_errno.h>
#include <rte_net.h>

#include "rxtx/igb_tx_offload.hpp"

namespace igb {

std::uint16_t tx_prepare(void *, rte_mbuf **packets, std::uint16_t nb_packets) {
    for (std::uint16_t i = 0; i < nb_packets; i++) {
        int error = tx_check(packets[i]);

        if (error == 0)
            error = -rte_net_intel_cksum_prepare(packets[i]);
        if (error != 0) {
            rte_errno = error;
            return i;
        }
    }
    return nb_packets;
}

} // namespace igb
