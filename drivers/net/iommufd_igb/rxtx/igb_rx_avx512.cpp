// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive with AVX-512 (F, BW, DQ, VL): eight descriptors a turn, as with AVX2, four in a
// register. This file alone is compiled for it.
//
// A permutation may take any number of two registers to any place, so nothing has to be
// unpacked and scattered back: columns come in one instruction each, and the fields of a
// packet lie where the mbuf has them after two, one for what the descriptor says in plain
// numbers and one for what was looked up.

#include <x86intrin.h>

#include "rxtx/igb_rx_common.hpp"

namespace igb {

namespace {

static_assert(descs_per_loop == 8);

// Descriptors in a register.
constexpr std::size_t descs_per_register = 4;

inline __m256i all(std::uint32_t value) {
    return _mm256_set1_epi32(static_cast<int>(value));
}

inline __m512i load_four(const RxDesc *desc) {
    return _mm512_loadu_si512(desc);
}

// Quadword hi of each of the four.
constexpr __mmask8 hi_quads = 0b10101010;

// Numbers of all eight packets.
struct Columns {
    __m256i info;        // Low half of lo.
    __m256i status;      // Low half of hi.
    __m256i length_vlan; // Upper half of hi.
};

inline Columns columns_of(__m512i first, __m512i second) {
    // The numbers of the first register are 0 to 15, those of the second 16 to 31.
    const __m512i info_status =
        _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 2, 6, 10, 14, 18, 22, 26, 30);
    const __m512i upper = _mm512_setr_epi32(3, 7, 11, 15, 19, 23, 27, 31, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512i both = _mm512_permutex2var_epi32(first, info_status, second);

    return {.info = _mm512_castsi512_si256(both),
            .status = _mm512_extracti64x4_epi64(both, 1),
            .length_vlan = _mm512_castsi512_si256(_mm512_permutex2var_epi32(first, upper, second))};
}

// is_good() of scalar code.
inline bool are_good(const Columns &columns, __m256i length, std::uint16_t buffer_size) {
    constexpr std::uint32_t decisive = rx_status::DD | rx_status::EOP | rx_status::FRAME_ERRORS;
    const __m256i last = _mm256_sub_epi32(length, all(1)); // unsigned: 0 becomes the largest
    const __mmask8 good_status = _mm256_cmpeq_epi32_mask(
        _mm256_and_si256(columns.status, all(decisive)), all(rx_status::DD | rx_status::EOP));

    return _mm256_mask_cmplt_epu32_mask(good_status, last, all(buffer_size)) == 0xFF;
}

// rx_ptype() of scalar code: the table entries, 0 where ETQF is set.
inline __m256i ptypes_of(__m256i info) {
    const __m256i index = _mm256_and_si256(_mm256_srli_epi32(info, rx_info::PACKET_TYPE_SHIFT),
                                           all(rx_info::PACKET_TYPE_MASK));
    const __mmask8 wanted = _mm256_testn_epi32_mask(info, all(rx_info::ETQF));

    return _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(), wanted, index, ptype_table.data(),
                                        sizeof(ptype_table[0]));
}

// rx_ol_flags() of scalar code; the flags that are used fit into 32 bits.
inline __m256i flags_of(const Columns &columns) {
    // Looked up by IPE and L4E, and VP above them. RXE, the bit above IPE, is 0 here.
    constexpr auto entry = [](std::size_t i) {
        return static_cast<int>(checksum_flags[i & 3] | (i & 4 ? vlan_flags : 0));
    };
    const __m256i table = _mm256_setr_epi32(entry(0), entry(1), entry(2), entry(3), entry(4),
                                            entry(5), entry(6), entry(7));
    static_assert(rx_status::VP_SHIFT == 3);
    constexpr int a_or_b_and_c = 0xF8;
    const __m256i index =
        _mm256_ternarylogic_epi32(_mm256_srli_epi32(columns.status, rx_status::CHECKSUM_SHIFT),
                                  _mm256_srli_epi32(columns.status, 1), all(1u << 2), a_or_b_and_c);
    const __m256i flags = _mm256_permutexvar_epi32(index, table);
    const __mmask8 hashed = _mm256_test_epi32_mask(columns.info, all(rx_info::RSS_TYPE_MASK));

    return _mm256_mask_or_epi32(flags, hashed, flags, all(RTE_MBUF_F_RX_RSS_HASH));
}

inline void store_fields(rte_mbuf *mbuf, __m256i fields) {
    _mm256_storeu_si256(reinterpret_cast<__m256i *>(reinterpret_cast<char *>(mbuf) + rearm_offset),
                        fields);
}

// Words of two packets, from rearm_offset on, that are copied from their descriptors: pkt_len,
// data_len, vlan_tci and hash.
constexpr __mmask32 copied_words = 0b11110100'00000000'11110100'00000000;

// Where they are copied from, for descriptors first and the one behind it.
inline __m512i copied_from(int first) {
    alignas(64) std::int16_t words[32] = {};

    for (int packet = 0; packet < 2; packet++) {
        const auto desc = static_cast<std::int16_t>(8 * (first + packet));
        std::int16_t *mbuf = words + 16 * packet;

        mbuf[10] = static_cast<std::int16_t>(desc + 6);
        mbuf[12] = static_cast<std::int16_t>(desc + 6);
        mbuf[13] = static_cast<std::int16_t>(desc + 7);
        mbuf[14] = static_cast<std::int16_t>(desc + 2);
        mbuf[15] = static_cast<std::int16_t>(desc + 3);
    }
    return _mm512_load_si512(words);
}

// The fields of packets 2 * Pair and 2 * Pair + 1.
template <int Pair>
inline void fill_pair(rte_mbuf *const *mbufs, __m512i rearm_data, __m512i descs,
                      __m512i flags_ptypes) {
    // ol_flags and packet_type are numbers 2 and 4 of each packet.
    constexpr __mmask16 looked_up = 0b00010100'00010100;
    constexpr int first = 2 * Pair;
    constexpr int second = first + 1;
    const __m512i places = _mm512_setr_epi32(0, 0, first, 0, 8 + first, 0, 0, 0, //
                                             0, 0, second, 0, 8 + second, 0, 0, 0);
    const __m512i copied = _mm512_mask_permutexvar_epi16(
        rearm_data, copied_words, copied_from(first % descs_per_register), descs);
    const __m512i fields = _mm512_mask_permutexvar_epi32(copied, looked_up, places, flags_ptypes);

    store_fields(mbufs[first], _mm512_castsi512_si256(fields));
    store_fields(mbufs[second], _mm512_extracti64x4_epi64(fields, 1));
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
    const __m512i done = _mm512_and_si512(load_four(desc), load_four(desc + descs_per_register));

    if (_mm512_mask_test_epi64_mask(hi_quads, done, _mm512_set1_epi64(rx_status::DD)) != hi_quads)
        return false;

    // Read again after DD was seen in all of them, as with AVX2 (rxtx/igb_rx_avx2.cpp says why).
    rte_io_rmb();
    const __m512i descs0 = load_four(desc);
    const __m512i descs1 = load_four(desc + descs_per_register);

    const Columns columns = columns_of(descs0, descs1);
    const __m256i length = _mm256_and_si256(columns.length_vlan, all(0xFFFF));
    if (unlikely(!are_good(columns, length, queue.buffer_size)))
        return false;

    const __m512i flags_ptypes =
        _mm512_inserti64x4(_mm512_castsi256_si512(flags_of(columns)), ptypes_of(columns.info), 1);
    const auto rearm = static_cast<long long>(queue.rearm_data);
    const __m512i rearm_data = _mm512_setr_epi64(rearm, 0, 0, 0, rearm, 0, 0, 0);
    fill_pair<0>(mbufs, rearm_data, descs0, flags_ptypes);
    fill_pair<1>(mbufs, rearm_data, descs0, flags_ptypes);
    fill_pair<2>(mbufs, rearm_data, descs1, flags_ptypes);
    fill_pair<3>(mbufs, rearm_data, descs1, flags_ptypes);
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

// The IOVA of an mbuf's buffer into quadword Place, the others as they were.
template <int Place>
inline __m512i with_iova(__m512i quads, const rte_mbuf *mbuf) {
    const __m128i iova = _mm_loadl_epi64(reinterpret_cast<const __m128i *>(&mbuf->buf_iova));

    return _mm512_mask_broadcastq_epi64(quads, 1 << Place, iova);
}

inline void arm(RxQueue &queue, std::uint16_t first, std::uint16_t count) {
    rte_mbuf **mbufs = &queue.mbufs[first];
    RxDesc *desc = &queue.ring[first];
    const __m512i headroom =
        _mm512_maskz_set1_epi64(static_cast<__mmask8>(~hi_quads), RTE_PKTMBUF_HEADROOM);

    // rte_mbuf_data_iova_default() and rx_desc_read(); the device looks at none of it
    // before the doorbell.
    static_assert(batch_size % descs_per_register == 0);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < count; i += descs_per_register) {
        __m512i fresh = with_iova<0>(_mm512_setzero_si512(), mbufs[i]);
        fresh = with_iova<2>(fresh, mbufs[i + 1]);
        fresh = with_iova<4>(fresh, mbufs[i + 2]);
        fresh = with_iova<6>(fresh, mbufs[i + 3]);
        _mm512_storeu_si512(&desc[i], _mm512_add_epi64(fresh, headroom));
    }
}

} // namespace

std::uint16_t rx_burst_avx512(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive(*static_cast<RxQueue *>(queue), packets, nb_packets, take, arm);
}

} // namespace igb
