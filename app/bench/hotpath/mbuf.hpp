// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Mbufs in the state in which nothing can be right by chance.

#pragma once

#include <cstddef>
#include <cstring>

#include <rte_mbuf.h>

namespace bench {

inline constexpr unsigned char poison_byte = 0x5A;

// Overwrite what a driver has to set on reception and what it must not touch. What the mbuf
// library guarantees for an mbuf in a pool stays: refcnt 1, one segment, no next.
inline void poison(rte_mbuf *mbuf) {
    const auto wipe = [mbuf](std::size_t begin, std::size_t end) {
        std::memset(reinterpret_cast<char *>(mbuf) + begin, poison_byte, end - begin);
    };

    mbuf->data_off = poison_byte;
    mbuf->port = poison_byte;
    mbuf->ol_flags = poison_byte; // offload flags of reception; neither external nor indirect
    wipe(offsetof(rte_mbuf, packet_type), offsetof(rte_mbuf, buf_len));
    wipe(offsetof(rte_mbuf, tx_offload), offsetof(rte_mbuf, shinfo));
    wipe(offsetof(rte_mbuf, timesync), sizeof(rte_mbuf));
}

} // namespace bench
