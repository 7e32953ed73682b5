// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A transmit queue and its burst functions.
//
// The last descriptor of each batch_size descriptors of the ring carries RS, so the device
// writes back one descriptor in 32, and its DD completes all of the batch (SDM 5.6.8.4). Where a
// batch ends amid a packet, the last descriptor of that packet reports in its place: nothing of a
// packet is given back before all of it is sent. So does
// the last one of a burst: else up to 31 packets would stay uncompleted until more follow, which
// a sender that waits for its mbufs never sends. The burst functions complete whole batches;
// tx_cleanup() and tx_in_flight() see the rest.
//
//       clean                              tail
//         v                                  v
//     ----+------- RS +---------- RS +-------+-------
//         | batch     | batch        |       |  free
//     ----+-----------+--------------+-------+-------

#include <array>
#include <cstdint>

#include <bus_iommufd_driver.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "rxtx/igb_desc.hpp"
#include "rxtx/igb_rxtx.hpp"

namespace igb {

// Longest packet sent, in bytes without CRC.
inline constexpr std::uint16_t tx_max_length = max_frame_length - RTE_ETHER_CRC_LEN;

// Most descriptors of a packet, one for its context among them. The smallest ring has as many free
// when all is sent: the batch that is being filled stays.
inline constexpr std::uint16_t tx_max_descs = batch_size;
static_assert(tx_max_descs <= min_ring_size - 1 - (batch_size - 1));

// Most segments of a packet, if each lies in one piece for the device.
inline constexpr std::uint16_t tx_max_segments = tx_max_descs - 1;

// Longest packet that the device cuts up, longest header, largest MSS (DPDK 22.11.11, igb_rxtx.c:
// IGB_TSO_MAX_HDRLEN, IGB_TSO_MAX_MSS). A descriptor's length has 16 bits.
inline constexpr std::uint32_t tx_max_tso_length = 65535;
inline constexpr std::uint16_t tx_max_tso_header = 512;
inline constexpr std::uint16_t tx_max_mss = 9216;

// Shortest packet that TCTL.PSP can pad (Linux 7.3, igb_xmit_frame()).
inline constexpr std::uint16_t tx_min_length = 17;

// What a packet asks of the device, which makes up its context, and what comes of it for its data
// descriptors. Who asks for the same as the last one needs neither context nor a second look.
struct TxAsked {
    std::uint64_t flags;   // Of tx_offload_flags.
    std::uint64_t lengths; // Of headers and segments, as the mbuf has them.
    std::uint64_t options;
    std::uint16_t vlan_tci;
    std::uint16_t header; // Bytes that PAYLEN leaves out.
    std::uint32_t least;  // Bytes of a packet.
    std::uint32_t most;
};

struct TxQueue {
    // Touched by every burst.
    TxDesc *ring;
    rte_mbuf **sw_ring;               // The mbuf of each descriptor; see ChainSlot.
    volatile std::uint32_t *doorbell; // TDT.
    std::uint16_t nb_desc;
    // Both are read by tx_in_flight() in any thread.
    std::uint16_t tail;        // Next descriptor to fill.
    std::uint16_t clean;       // Oldest descriptor not yet completed, a multiple of batch_size.
    std::uint16_t nb_free;     // Descriptors that may be filled; one always stays empty.
    std::uint16_t free_thresh; // Look for completed batches below this many free ones; no fewer
                               // than a packet may take.
    std::int16_t pool_ops;     // Index of the mempool ops "iommufd"; -1 if there are none.

    // The pool that all mbufs of a batch can be put back to as they are, nullptr if each has
    // to be looked at. Known when the batch is filled: a direct mbuf of one reference is the
    // driver's alone from then on, and nobody else may take a reference or attach to it.
    std::array<rte_mempool *, max_ring_size / batch_size> batch_pools;

    // Written by the burst function only.
    alignas(RTE_CACHE_LINE_SIZE) std::uint64_t packets;
    std::uint64_t bytes;
    std::uint64_t errors; // Packets freed unsent.
    TxAsked asked;        // By the last packet that asked for something; no flags: there was none.
    TxDesc context;       // The device's, as last given to it; zero if it has none.

    // Set-up.
    alignas(RTE_CACHE_LINE_SIZE) const rte_memzone *zone;
    rte_iova_t dma;
    rte_iommufd_in_flight in_flight; // Registered while the device may read the ring.
    std::uint16_t queue_id;
    bool fast_free; // RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE.
    bool deferred_start;
    bool live; // The device may use the ring, or soon will.
};

// Name of the mempool ops whose mbufs carry DMA addresses.
inline constexpr const char *pool_ops_name = "iommufd";

// Whether the IOVAs of a pool's mbufs are DMA addresses: the ops are ours, and the memory is
// in the address space (RTE_MEMPOOL_F_NON_IO says that it is not, or not for devices).
bool is_iommufd_pool(const rte_mempool *pool);

// Index of the mempool ops "iommufd", or -1.
std::int16_t find_pool_ops();

// Empty ring: nothing sent, nothing to complete.
void tx_reset(TxQueue &queue);

// The same, and nothing is taken until tx_reset().
void tx_close(TxQueue &queue);

// Free every mbuf of the ring. The device must not use them any more.
void tx_drain(TxQueue &queue);

// rte_iommufd_in_flight_ranges_t of a queue.
unsigned int tx_in_flight(const rte_iommufd_in_flight *in_flight, rte_iommufd_dma_range *ranges);

// Descriptors from the oldest on that the device is done with, as far as it has reported.
unsigned int tx_nb_sent(const TxQueue &queue);

// eth_tx_descriptor_status_t.
int tx_descriptor_status(void *queue, std::uint16_t offset);

// eth_tx_done_cleanup_t's work: free packets that are sent, the oldest first, count at most; all of
// them if count is 0. How many.
std::uint32_t tx_cleanup(TxQueue &queue, std::uint32_t count);

// eth_tx_prep_t: checks what the device cannot do and writes the checksums into the headers that it
// wants to find there. How many packets are good; for the next one rte_errno is EINVAL (lengths,
// segments, header offsets) or ENOTSUP (offloads).
std::uint16_t tx_prepare(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// eth_tx_burst_t, scalar.
std::uint16_t tx_burst_scalar(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same for a DPDK whose mbufs carry no addresses: that of each packet is looked up.
std::uint16_t tx_burst_lookup(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same as the scalar one with AVX2, on a CPU that has it.
std::uint16_t tx_burst_avx2(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

// The same with AVX-512 F, BW, DQ and VL.
std::uint16_t tx_burst_avx512(void *queue, rte_mbuf **packets, std::uint16_t nb_packets);

} // namespace igb
