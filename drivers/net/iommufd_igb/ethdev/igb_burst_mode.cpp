// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The one place that chooses burst functions. A variant (vector, scattered) is a row here
// and a function in a file of its own; rows stand from the fastest to the most general, after
// those that a configuration demands, and the first that suits the configuration is taken.

// Of rte_vect_get_max_simd_bitwidth(), which every vector driver calls.
#define ALLOW_EXPERIMENTAL_API

#include <cerrno>
#include <cstdio>

#if defined(RTE_ARCH_X86_64)
#include <x86intrin.h>
#endif

#include <rte_cpuflags.h>
extern "C" { // which the header of DPDK 22.11 does not say
#include <rte_vect.h>
}

#include "ethdev/igb_ethdev.hpp"
#include "rxtx/igb_rx.hpp"
#include "rxtx/igb_tx.hpp"

namespace igb {

namespace {

struct RxVariant {
    eth_rx_burst_t burst;
    bool (*suits)(const rte_eth_dev *dev);
    const char *name;
};

struct TxVariant {
    eth_tx_burst_t burst;
    bool (*suits)(const rte_eth_dev *dev);
    const char *name;
};

bool always(const rte_eth_dev *) {
    return true;
}

bool no_carried_addresses(const rte_eth_dev *) {
    return !mbufs_carry_dma;
}

// A port has one receive function for all queues.
bool looks_up(const rte_eth_dev *dev) {
    if (no_carried_addresses(dev))
        return true;
    for (std::uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        const auto *queue = static_cast<const RxQueue *>(dev->data->rx_queues[i]);
        if (queue != nullptr && queue->lookup.enabled)
            return true;
    }
    return false;
}

// Packets in several buffers, or of which the CRC is taken off.
bool scatters(const rte_eth_dev *dev) {
    return dev->data->scattered_rx != 0 || port_of(dev).settings.offloads.keep_crc;
}

#if defined(RTE_ARCH_X86_64)
bool has(rte_cpu_flag_t flag) {
    return rte_cpu_get_flag_enabled(flag) > 0;
}

bool avx2(const rte_eth_dev *) {
    return rte_vect_get_max_simd_bitwidth() >= RTE_VECT_SIMD_256 && has(RTE_CPUFLAG_AVX2);
}

// DPDK's own limit is 256: 512 has to be asked for.
bool avx512(const rte_eth_dev *) {
    return rte_vect_get_max_simd_bitwidth() >= RTE_VECT_SIMD_512 && has(RTE_CPUFLAG_AVX512F) &&
           has(RTE_CPUFLAG_AVX512BW) && has(RTE_CPUFLAG_AVX512DQ) && has(RTE_CPUFLAG_AVX512VL);
}
#endif

constexpr RxVariant rx_variants[] = {
    {rx_burst_scattered, scatters, "Scalar, scattered"},
    {rx_burst_lookup, looks_up, "Scalar, addresses looked up"},
#if defined(RTE_ARCH_X86_64)
    {rx_burst_avx512, avx512, "Vector AVX512"},
    {rx_burst_avx2, avx2, "Vector AVX2"},
#endif
    {rx_burst_scalar, always, "Scalar"},
};

constexpr TxVariant tx_variants[] = {
    {tx_burst_lookup, no_carried_addresses, "Scalar, addresses looked up"},
#if defined(RTE_ARCH_X86_64)
    {tx_burst_avx512, avx512, "Vector AVX512"},
    {tx_burst_avx2, avx2, "Vector AVX2"},
#endif
    {tx_burst_scalar, always, "Scalar"},
};

template <typename Variants, typename Burst>
int name_of(const Variants &variants, Burst burst, rte_eth_burst_mode *mode) {
    for (const auto &variant : variants) {
        if (variant.burst == burst) {
            (void)std::snprintf(mode->info, sizeof(mode->info), "%s", variant.name);
            return 0;
        }
    }
    return -EINVAL;
}

} // namespace

void select_bursts(rte_eth_dev *dev) {
    for (const RxVariant &variant : rx_variants) {
        if (variant.suits(dev)) {
            dev->rx_pkt_burst = variant.burst;
            break;
        }
    }
    dev->tx_pkt_prepare = tx_prepare;
    dev->rx_queue_count = [](void *queue) -> QueueCount {
        return static_cast<QueueCount>(rx_queue_count(*static_cast<const RxQueue *>(queue)));
    };
    dev->rx_descriptor_status = rx_descriptor_status;
    dev->tx_descriptor_status = tx_descriptor_status;
    for (const TxVariant &variant : tx_variants) {
        if (variant.suits(dev)) {
            dev->tx_pkt_burst = variant.burst;
            break;
        }
    }
}

bool rx_burst_suits(const rte_eth_dev *dev, const RxQueue &queue) {
    if (dev->rx_pkt_burst == rx_burst_scattered)
        return true;
    return port_of(dev).settings.max_frame <= queue.buffer_size &&
           (!queue.lookup.enabled || dev->rx_pkt_burst == rx_burst_lookup);
}

int rx_burst_mode_get(rte_eth_dev *dev, std::uint16_t, rte_eth_burst_mode *mode) {
    return name_of(rx_variants, dev->rx_pkt_burst, mode);
}

int tx_burst_mode_get(rte_eth_dev *dev, std::uint16_t, rte_eth_burst_mode *mode) {
    return name_of(tx_variants, dev->tx_pkt_burst, mode);
}

} // namespace igb
