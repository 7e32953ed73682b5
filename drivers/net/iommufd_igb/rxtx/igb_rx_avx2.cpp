// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive with AVX2: eight descriptors a turn if all of them are done and good, else the
// scalar code for these eight. This file alone is compiled for AVX2.
//
// Four registers hold two descriptors each. Fields that all eight have are gathered into one
// register of eight 32-bit numbers. Unpacking works within the halves of a register, so the
// even packets come to lie in the lower half and the odd ones in the upper:
//
//     pairs[k]   lo of 2k, hi of 2k | lo of 2k+1, hi of 2k+1
//     column     0  2  4  6         | 1  3  5  7
//
// which is what scattering them back over pairs wants: number k of each half belongs to
// pair k.

#include <x86intrin.h>

#include "rxtx/igb_rx_common.hpp"

namespace igb {

namespace {

static_assert(descs_per_loop == 8);

constexpr int nb_pairs = 4;

inline __m256i all(std::uint32_t value) {
    return _mm256_set1_epi32(static_cast<int>(value));
}

// A byte table for each of the two shuffles that a register does.
inline __m256i twice(__m128i bytes) {
    return _mm256_broadcastsi128_si256(bytes);
}

inline const __m256i *pair_address(const RxDesc *desc, int pair) {
    return reinterpret_cast<const __m256i *>(desc + 2 * pair);
}

// Numbers of all eight packets.
struct Columns {
    __m256i info;        // Low half of lo.
    __m256i status;      // Low half of hi.
    __m256i length_vlan; // Upper half of hi.
};

inline Columns columns_of(const __m256i (&pairs)[nb_pairs]) {
    const __m256i hi01 = _mm256_unpackhi_epi32(pairs[0], pairs[1]);
    const __m256i hi23 = _mm256_unpackhi_epi32(pairs[2], pairs[3]);
    const __m256i lo01 = _mm256_unpacklo_epi32(pairs[0], pairs[1]);
    const __m256i lo23 = _mm256_unpacklo_epi32(pairs[2], pairs[3]);

    return {.info = _mm256_unpacklo_epi64(lo01, lo23),
            .status = _mm256_unpacklo_epi64(hi01, hi23),
            .length_vlan = _mm256_unpackhi_epi64(hi01, hi23)};
}

// is_good() of scalar code.
inline bool are_good(const Columns &columns, __m256i length, std::uint16_t buffer_size) {
    constexpr std::uint32_t decisive = rx_status::DD | rx_status::EOP | rx_status::FRAME_ERRORS;
    const __m256i status = _mm256_and_si256(columns.status, all(decisive));
    const __m256i last = _mm256_sub_epi32(length, all(1)); // unsigned: 0 becomes the largest
    const __m256i limit = all(buffer_size - 1u);
    const __m256i good_status = _mm256_cmpeq_epi32(status, all(rx_status::DD | rx_status::EOP));
    const __m256i good_length = _mm256_cmpeq_epi32(_mm256_min_epu32(last, limit), last);

    return _mm256_movemask_epi8(_mm256_and_si256(good_status, good_length)) == -1;
}

// rx_ptype() of scalar code: the table entries, 0 where ETQF is set.
inline __m256i ptypes_of(__m256i info) {
    const __m256i index = _mm256_and_si256(_mm256_srli_epi32(info, rx_info::PACKET_TYPE_SHIFT),
                                           all(rx_info::PACKET_TYPE_MASK));
    static_assert(rx_info::ETQF == 1u << 15);
    const __m256i wanted = _mm256_xor_si256(_mm256_slli_epi32(info, 16), all(1u << 31));

    return _mm256_mask_i32gather_epi32(_mm256_setzero_si256(),
                                       reinterpret_cast<const int *>(ptype_table.data()), index,
                                       wanted, sizeof(ptype_table[0]));
}

// rx_ol_flags() of scalar code; the flags that are used fit into 32 bits.
inline __m256i flags_of(const Columns &columns) {
    // A table of bytes, and CKSUM_GOOD is bit 8: it holds the flags shifted by 1. RXE, the
    // bit above IPE and L4E, is 0. The upper bytes of an index are 0 and look entry 0 up.
    constexpr auto entry = [](int i) { return static_cast<char>(checksum_flags[i] >> 1); };
    static_assert(((checksum_flags[0] | checksum_flags[3]) & ~0x1FEu) == 0);
    const __m256i table = twice(
        _mm_setr_epi8(entry(0), entry(1), entry(2), entry(3), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const __m256i index = _mm256_srli_epi32(columns.status, rx_status::CHECKSUM_SHIFT);
    const __m256i checksums =
        _mm256_slli_epi32(_mm256_and_si256(_mm256_shuffle_epi8(table, index), all(0xFF)), 1);

    const __m256i type = _mm256_and_si256(columns.info, all(rx_info::RSS_TYPE_MASK));
    const __m256i no_hash = _mm256_cmpeq_epi32(type, _mm256_setzero_si256());
    const __m256i hash = _mm256_andnot_si256(no_hash, all(RTE_MBUF_F_RX_RSS_HASH));

    // VP becomes the sign, the sign all bits.
    const __m256i tagged = _mm256_srai_epi32(
        _mm256_slli_epi32(columns.status, 31 - static_cast<int>(rx_status::VP_SHIFT)), 31);
    const __m256i vlan = _mm256_and_si256(tagged, all(vlan_flags));

    return _mm256_or_si256(_mm256_or_si256(checksums, hash), vlan);
}

// Number from of each half of column to place To of each half of pair.
template <int From, int To>
inline __m256i put(__m256i pair, __m256i column) {
    constexpr int at_to = 0x11 << To;

    if constexpr (From > To)
        column = _mm256_srli_si256(column, 4 * (From - To));
    else if constexpr (From < To)
        column = _mm256_slli_si256(column, 4 * (To - From));
    return _mm256_blend_epi32(pair, column, at_to);
}

inline void store_fields(rte_mbuf *mbuf, __m256i fields) {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(reinterpret_cast<char *>(mbuf) + rearm_offset),
                        fields);
}

// The fields of packets 2 * Pair and 2 * Pair + 1, which are RxFields each.
template <int Pair>
inline void fill_pair(rte_mbuf *const *mbufs, __m256i rearm_data, __m256i pair, __m256i ptypes,
                      __m256i flags) {
    // Of each descriptor: nothing yet, length as 32 and as 16 bits, VLAN tag, hash.
    const __m256i places =
        twice(_mm_setr_epi8(-1, -1, -1, -1, 12, 13, -1, -1, 12, 13, 14, 15, 4, 5, 6, 7));
    const __m256i upper = put<Pair, 0>(_mm256_shuffle_epi8(pair, places), ptypes);
    const __m256i lower = put<Pair, 2>(rearm_data, flags);

    store_fields(mbufs[2 * Pair], _mm256_permute2x128_si256(lower, upper, 0x20));
    store_fields(mbufs[2 * Pair + 1], _mm256_permute2x128_si256(lower, upper, 0x31));
}

inline std::uint64_t sum(__m256i numbers) {
    const __m128i four =
        _mm_add_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));
    const __m128i two = _mm_add_epi32(four, _mm_srli_si128(four, 8));

    return static_cast<std::uint32_t>(
        _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_srli_si128(two, 4))));
}

// All eight next descriptors, or none.
inline bool take_eight(RxQueue &queue, rte_mbuf **packets, Received &received) {
    const RxDesc *desc = &queue.ring[queue.next];
    rte_mbuf *const *mbufs = &queue.mbufs[queue.next];
    __m256i pairs[nb_pairs];

    __m256i done = _mm256_loadu_si256(pair_address(desc, 0));
    for (int i = 1; i < nb_pairs; i++)
        done = _mm256_and_si256(done, _mm256_loadu_si256(pair_address(desc, i)));
    if (!_mm256_testc_si256(done, _mm256_setr_epi64x(0, rx_status::DD, 0, rx_status::DD)))
        return false;

    // The descriptors are read a second time, after DD was seen in all of them. Neither a
    // load of 32 bytes nor one of 16 need be a single access: the first may have got DD of
    // a descriptor and older contents of its other half. x86 keeps loads in order (DPDK
    // 22.11.11, lib/eal/x86/include/rte_atomic.h: rte_io_rmb() is for the compiler only), so every
    // part of the second one is younger than DD; only the compiler must be kept from merging the
    // two.
    rte_io_rmb();
    for (int i = 0; i < nb_pairs; i++)
        pairs[i] = _mm256_loadu_si256(pair_address(desc, i));

    const Columns columns = columns_of(pairs);
    const __m256i length = _mm256_and_si256(columns.length_vlan, all(0xFFFF));
    if (unlikely(!are_good(columns, length, queue.buffer_size)))
        return false;

    const __m256i ptypes = ptypes_of(columns.info);
    const __m256i flags = flags_of(columns);
    const auto rearm = static_cast<long long>(queue.rearm_data);
    const __m256i rearm_data = _mm256_setr_epi64x(rearm, 0, rearm, 0);
    fill_pair<0>(mbufs, rearm_data, pairs[0], ptypes, flags);
    fill_pair<1>(mbufs, rearm_data, pairs[1], ptypes, flags);
    fill_pair<2>(mbufs, rearm_data, pairs[2], ptypes, flags);
    fill_pair<3>(mbufs, rearm_data, pairs[3], ptypes, flags);
    std::memcpy(packets + received.packets, mbufs, descs_per_loop * sizeof(*mbufs));
    received.packets = static_cast<std::uint16_t>(received.packets + descs_per_loop);
    received.bytes += sum(length);
    return true;
}

inline std::uint16_t take(RxQueue &queue, std::uint16_t look, rte_mbuf **packets,
                          Received &received) {
    if (likely(look == descs_per_loop && !queue.discarding && take_eight(queue, packets, received)))
        return descs_per_loop;
    return take_scalar(queue, look, packets, received);
}

inline void arm(RxQueue &queue, std::uint16_t first, std::uint16_t count) {
    rte_mbuf **mbufs = &queue.mbufs[first];
    RxDesc *desc = &queue.ring[first];
    const __m128i headroom = _mm_cvtsi64_si128(RTE_PKTMBUF_HEADROOM);

    // rte_mbuf_data_iova_default() and rx_desc_read(); the device looks at none of it
    // before the doorbell.
#pragma GCC unroll 8
    for (std::uint16_t i = 0; i < count; i++) {
        const __m128i iova =
            _mm_loadl_epi64(reinterpret_cast<const __m128i *>(&mbufs[i]->buf_iova));
        _mm_storeu_si128(reinterpret_cast<__m128i *>(&desc[i]), _mm_add_epi64(iova, headroom));
    }
}

} // namespace

std::uint16_t rx_burst_avx2(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive(*static_cast<RxQueue *>(queue), packets, nb_packets, take, arm);
}

} // namespace igb
