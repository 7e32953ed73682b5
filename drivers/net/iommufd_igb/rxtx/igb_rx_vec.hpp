// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Receive with vector instructions: eight descriptors a turn if all of them are done and good,
// else the scalar code for these eight. The algorithm is here; an ISA is a struct of named
// operations in a file of its own that alone is compiled for it (igb_rx_avx2.cpp,
// igb_rx_avx512.cpp):
//
//     Descs           the eight descriptors, in registers
//     U32x8           a number of each of the eight packets, in an order that is the ISA's
//     Mask            a yes or no of each
//
//     load            the descriptors, from memory
//     all_done        DD in every one of them
//     columns         the same field of all eight, gathered into a U32x8
//     equal, below    compare each number; both narrow a Mask down or make one
//     every           all eight
//     or_masked       a | (b & mask)
//     or_if_any       flag where a number has any of some bits
//     lookup_unless   an entry of a table, 0 where a number has a bit
//     fields          all that the eight mbufs take from rearm_offset on, in registers
//     fields_of_pair  of that, what two packets next to each other take
//     rearm           descriptors that give the device empty buffers
//
// Included by files that are compiled for different CPUs: internal linkage.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <x86intrin.h>

#include "rxtx/igb_inline.hpp"
#include "rxtx/igb_rx_common.hpp"

namespace igb {

namespace {

static_assert(descs_per_loop == 8);

// Eight numbers of 32 bits: AVX2, and AVX-512 with VL.
using U32x8 = __m256i;

// Of all eight descriptors.
struct Columns {
    U32x8 info;        // low half of lo
    U32x8 status;      // low half of hi
    U32x8 length_vlan; // upper half of hi
};

// What lies in the mbufs of two packets, 32 bytes each from rearm_offset on.
struct PairFields {
    __m256i first;
    __m256i second;
};

inline U32x8 splat(std::uint32_t value) {
    return _mm256_set1_epi32(static_cast<int>(value));
}

// is_good() of scalar code.
template <class Isa>
inline bool are_good(const Columns &columns, U32x8 length, std::uint16_t buffer_size) {
    constexpr std::uint32_t decisive = rx_status::DD | rx_status::EOP | rx_status::FRAME_ERRORS;
    const U32x8 last = _mm256_sub_epi32(length, splat(1)); // unsigned: 0 becomes the largest
    const typename Isa::Mask good_status = Isa::equal(
        _mm256_and_si256(columns.status, splat(decisive)), splat(rx_status::DD | rx_status::EOP));

    return Isa::every(Isa::below(good_status, last, buffer_size));
}

// rx_ptype() of scalar code.
template <class Isa>
inline U32x8 packet_types(U32x8 info) {
    const U32x8 index = _mm256_and_si256(_mm256_srli_epi32(info, rx_info::PACKET_TYPE_SHIFT),
                                         splat(rx_info::PACKET_TYPE_MASK));

    return Isa::template lookup_unless<rx_info::ETQF>(ptype_table.data(), index, info);
}

// Eight entries of a table for a register, of what function makes of each number moved to the left
// by shift.
template <typename Function>
inline U32x8 make_table(unsigned int shift, Function function) {
    const auto entry = [&](std::uint32_t i) { return static_cast<int>(function(i << shift)); };

    return _mm256_setr_epi32(entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6),
                             entry(7));
}

// rx_ol_flags() of scalar code; the flags that are used fit into 32 bits.
template <class Isa>
inline U32x8 offload_flags(const Columns &columns) {
    // Looked up by IPE and L4E, and VP above them. RXE, the bit above IPE, is 0 here. Then what has
    // been checked, by the three bits that say so. A permutation looks at three bits of an index.
    constexpr std::uint32_t vp_index = 1U << 2;
    const U32x8 results = make_table(0, [](std::uint32_t i) {
        return checksum_result((i & 3) << rx_status::CHECKSUM_SHIFT) |
               (i & vp_index ? vlan_flags : 0);
    });
    const U32x8 checked = make_table(rx_status::CHECKED_SHIFT, [](std::uint32_t status) {
        return checksums_checked(status) | vlan_flags;
    });
    const U32x8 checksums = _mm256_srli_epi32(columns.status, rx_status::CHECKSUM_SHIFT);
    const U32x8 vp = _mm256_srli_epi32(columns.status, rx_status::VP_SHIFT - 2);
    const U32x8 index = Isa::or_masked(checksums, vp, splat(vp_index));
    const U32x8 flags =
        _mm256_and_si256(_mm256_permutevar8x32_epi32(results, index),
                         _mm256_permutevar8x32_epi32(
                             checked, _mm256_srli_epi32(columns.status, rx_status::CHECKED_SHIFT)));

    return Isa::template or_if_any<rx_info::RSS_TYPE_MASK, RTE_MBUF_F_RX_RSS_HASH>(flags,
                                                                                   columns.info);
}

inline void store_fields(rte_mbuf *mbuf, __m256i fields) {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(reinterpret_cast<char *>(mbuf) + rearm_offset),
                        fields);
}

template <class Isa, int Pair>
inline void store_pair(rte_mbuf *const *mbufs, const typename Isa::Fields &fields) {
    const PairFields pair = Isa::template fields_of_pair<Pair>(fields);

    store_fields(mbufs[2 * Pair], pair.first);
    store_fields(mbufs[2 * Pair + 1], pair.second);
}

inline std::uint64_t sum(U32x8 numbers) {
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));
    const __m128i two = _mm_add_epi32(four, _mm_srli_si128(four, 8));

    return static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_srli_si128(two, 4))));
}

// All eight next descriptors, or none.
template <class Isa>
[[gnu::always_inline]] inline bool take_eight(RxQueue &queue, rte_mbuf **packets,
                                              Received &received) {
    const RxDesc *ring = &queue.ring[queue.next];
    rte_mbuf *const *mbufs = &queue.sw_ring[queue.next];

    if (!Isa::all_done(Isa::load(ring)))
        return false;

    // The descriptors are read a second time, after DD was seen in all of them. No vector load
    // need be a single access: the first may have got DD of a descriptor and older contents of
    // its other half. x86 keeps loads in order (DPDK 22.11.11, lib/eal/x86/include/rte_atomic.h:
    // rte_io_rmb() is for the compiler only), so every part of the second one is younger than
    // DD; only the compiler must be kept from merging the two.
    rte_io_rmb();
    const typename Isa::Descs descs = Isa::load(ring);

    const Columns columns = Isa::columns(descs);
    const U32x8 length = _mm256_and_si256(columns.length_vlan, splat(UINT16_MAX));
    if (unlikely(!are_good<Isa>(columns, length, queue.buffer_size)))
        return false;

    const auto fields = Isa::fields(descs, queue.rearm_data, packet_types<Isa>(columns.info),
                                    offload_flags<Isa>(columns));
    store_pair<Isa, 0>(mbufs, fields);
    store_pair<Isa, 1>(mbufs, fields);
    store_pair<Isa, 2>(mbufs, fields);
    store_pair<Isa, 3>(mbufs, fields);
    std::memcpy(packets + received.packets, mbufs, descs_per_loop * sizeof(*mbufs));
    received.packets = static_cast<std::uint16_t>(received.packets + descs_per_loop);
    received.bytes += sum(length);
    return true;
}

// What receive() calls for the next descriptors.
template <class Isa>
IGB_ALWAYS_INLINE std::uint16_t take_vec(RxQueue &queue, std::uint16_t count, rte_mbuf **packets,
                                         Received &received) {
    if (likely(count == descs_per_loop && !queue.discarding &&
               take_eight<Isa>(queue, packets, received)))
        return descs_per_loop;
    return take_scalar(queue, count, packets, received);
}

// Where an mbuf's buffer is for a device.
inline __m128i load_iova(const rte_mbuf *mbuf) {
    return _mm_loadl_epi64(
        reinterpret_cast<const __m128i *>(reinterpret_cast<const char *>(mbuf) + mbuf_iova_offset));
}

// rte_mbuf_data_iova_default() and rx_desc_read() for a batch of descriptors; the device looks
// at none of it before the doorbell.
template <class Isa>
inline void rearm_descs_vec(RxDesc *ring, rte_mbuf *const *mbufs) {
    static_assert(batch_size % Isa::descs_per_rearm == 0);

#pragma GCC unroll 8
    for (std::size_t i = 0; i < batch_size; i += Isa::descs_per_rearm)
        Isa::rearm(ring + i, mbufs + i);
}

template <class Isa>
inline std::uint16_t receive_vec(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive(*static_cast<RxQueue *>(queue), packets, nb_packets, take_vec<Isa>,
                   [](RxQueue &empty) { rearm(empty, rearm_descs_vec<Isa>); });
}

} // namespace

} // namespace igb
