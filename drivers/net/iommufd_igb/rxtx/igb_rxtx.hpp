// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What receive and transmit queues have in common: their sizes, the doorbell, and the one
// way the hot path stores and loads memory it shares with the device.
//
// Ring sizes are multiples of batch_size. A refill, a completed transmit batch and the
// descriptors between two RS bits of full batches are batch_size aligned parts of the ring, so none
// of them ever wraps. An application may ask for other sizes (ring_size_for()).

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <rte_build_config.h>
#include <rte_common.h>
#include <rte_io.h>
#include <rte_mbuf.h>

#include "rxtx/igb_desc.hpp"

namespace igb {

// Descriptors refilled, completed and reported together.
inline constexpr std::uint16_t batch_size = 32;

// Ring sizes in descriptors; the upper bound is that of Linux 7.3 (IGB_MAX_RXD).
inline constexpr std::uint16_t min_ring_size = 2 * batch_size;
inline constexpr std::uint16_t max_ring_size = 4096;

// What an application may ask for: any multiple of the 128 bytes that RDLEN and TDLEN count, as
// stock (DPDK 22.11.11, e1000_ethdev.h: IGB_RXD_ALIGN, E1000_MIN_RING_DESC).
inline constexpr std::uint16_t min_nb_desc = 32;
inline constexpr std::uint16_t nb_desc_align = 128 / desc_size;

// Descriptors of the ring that has as many as were asked for: the next multiple of batch_size.
constexpr std::uint16_t ring_size_for(std::uint16_t nb_desc) {
    const auto rounded =
        static_cast<std::uint16_t>((nb_desc + batch_size - 1) / batch_size * batch_size);

    return rounded < min_ring_size ? min_ring_size : rounded;
}

// Alignment of a ring in bytes (RDLEN and TDLEN count 128 bytes as well).
inline constexpr unsigned int ring_align = 128;

// A quadword that the device may write at any time: one access, neither torn nor cached.
inline std::uint64_t load(const std::uint64_t &shared) {
    return __atomic_load_n(&shared, __ATOMIC_RELAXED);
}

inline void store(std::uint64_t &shared, std::uint64_t value) {
    __atomic_store_n(&shared, value, __ATOMIC_RELAXED);
}

// A position in a ring that other threads look at: what was stored before it is seen with it.
inline void publish(std::uint16_t &shared, std::uint16_t value) {
    __atomic_store_n(&shared, value, __ATOMIC_RELEASE);
}

// Tell the device of new descriptors. The barrier in rte_write32() makes the descriptors
// (plain memory) visible before the tail (uncached device memory): nothing more than a
// compiler barrier on x86, where stores stay in order; DMB OSHST on arm64.
inline void ring_doorbell(volatile std::uint32_t *tail, std::uint16_t index) {
    rte_write32(index, tail);
}

} // namespace igb
