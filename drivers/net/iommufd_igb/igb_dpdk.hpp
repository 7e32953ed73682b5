// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// All that depends on the DPDK the driver is built for, from 22.11 to 26.07. Nothing else in the
// driver asks for a version.
//
//     since  changed                                            here                seen in lib/
//     23.11  RTE_IOVA_AS_PA is RTE_IOVA_IN_MBUF                 mbufs_carry_dma
//     mbuf/rte_mbuf_core.h 24.03  supported_ptypes_get tells how many there are supported_ptypes_op
//     ethdev/ethdev_driver.h 25.11  stats_get: counts of queues in a struct of their   stats_op
//     ethdev/ethdev_driver.h
//            own, which may be missing
//     25.11  rx_queue_count returns an int, errors too          QueueCount ethdev/rte_ethdev_core.h
//     26.07  a mempool's cache never holds more than its size;  most_cached() mempool/rte_mempool.h
//            flushthresh is obsolete
//
// What needs no entry: mbuf markers are unions since 24.07, with the members of the same names and
// offsets, as rxtx/igb_rx_fields.hpp asserts; rte_eth_link is a union since 24.11, with the members
// of before.

#include <array>
#include <cstddef>
#include <cstdint>

#include <ethdev_driver.h>
#include <rte_build_config.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>

namespace igb {

// Whether there is room for an address in the mbuf; where there is none, each is looked up. DPDK is
// configured so with -Denable_iova_as_pa=false. The driver is built once more as if it were, for
// tests of that path on a DPDK that is not.
#if defined(IGB_LOOK_UP_ADDRESSES)
inline constexpr bool mbufs_carry_dma = false;
#elif RTE_VERSION >= RTE_VERSION_NUM(23, 11, 0, 0)
inline constexpr bool mbufs_carry_dma = RTE_IOVA_IN_MBUF != 0;
#else
inline constexpr bool mbufs_carry_dma = RTE_IOVA_AS_PA != 0;
#endif

// Where an mbuf has its address: behind buf_addr, or it is the place of something else there.
inline constexpr std::size_t mbuf_iova_offset = sizeof(void *);
static_assert(offsetof(rte_mbuf, buf_addr) == 0);

// supported_ptypes_get of a list, whose last entry is RTE_PTYPE_UNKNOWN.
template <const auto &List>
constexpr eth_dev_supported_ptypes_get_t supported_ptypes_op() {
#if RTE_VERSION >= RTE_VERSION_NUM(24, 3, 0, 0)
    return [](rte_eth_dev *, std::size_t *count) -> const std::uint32_t * {
        *count = std::size(List) - 1;
        return std::data(List);
    };
#else
    return [](rte_eth_dev *) -> const std::uint32_t * { return std::data(List); };
#endif
}

// Has the members q_ipackets, q_opackets, q_ibytes, q_obytes and q_errors.
#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
using QueueStats = eth_queue_stats;
#else
using QueueStats = rte_eth_stats;
#endif

// stats_get of a function that takes both; no queues if they were not asked for.
template <int (*Get)(rte_eth_dev *, rte_eth_stats &, QueueStats *)>
constexpr eth_stats_get_t stats_op() {
#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
    return [](rte_eth_dev *dev, rte_eth_stats *stats, eth_queue_stats *queues) {
        return Get(dev, *stats, queues);
    };
#else
    return [](rte_eth_dev *dev, rte_eth_stats *stats) { return Get(dev, *stats, stats); };
#endif
}

// What rx_queue_count returns.
#if RTE_VERSION >= RTE_VERSION_NUM(25, 11, 0, 0)
using QueueCount = int;
#else
using QueueCount = std::uint32_t;
#endif

// Objects that a put may leave in a cache.
inline std::uint32_t most_cached(const rte_mempool_cache &cache) {
#if RTE_VERSION >= RTE_VERSION_NUM(26, 7, 0, 0)
    return cache.size;
#else
    return cache.flushthresh;
#endif
}

} // namespace igb
