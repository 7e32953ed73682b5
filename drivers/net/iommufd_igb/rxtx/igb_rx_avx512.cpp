// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive with AVX-512 (F, BW, DQ, VL), the ISA's part. This file alone is compiled for it.
//
// A register holds four descriptors. A permutation may take any number of two registers to any
// place, so nothing has to be unpacked and scattered back: columns come in one instruction each,
// in the order of the packets, and the fields of a packet lie where the mbuf has them after two,
// one for what the descriptor says in plain numbers and one for what was looked up.

#include "rxtx/igb_rx_vec.hpp"

namespace igb {

namespace {

// Quadword hi of each of the four descriptors of a register, and lo.
constexpr __mmask8 hi_quads = 0b10101010;
constexpr __mmask8 lo_quads = 0b01010101;

// Words of two packets, from rearm_offset on, that are copied from their descriptors: pkt_len,
// data_len, vlan_tci and hash.
constexpr __mmask32 copied_words = 0b11110100'00000000'11110100'00000000;

// Where they are copied from, for descriptor first of a register and the one behind it.
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

// The IOVA of an mbuf's buffer into quadword Place, the others as they were.
template <int Place>
inline __m512i insert_iova(__m512i quads, const rte_mbuf *mbuf) {
    return _mm512_mask_broadcastq_epi64(quads, 1 << Place, load_iova(mbuf));
}

struct Avx512 {
    using Mask = __mmask8;

    struct Descs {
        __m512i fours[2];
    };

    struct Fields {
        Descs descs;
        __m512i rearm_data;   // first quadword of each half
        __m512i flags_ptypes; // eight of each
    };

    static Descs load(const RxDesc *ring) {
        return {.fours = {_mm512_loadu_si512(ring), _mm512_loadu_si512(ring + 4)}};
    }

    static bool all_done(const Descs &descs) {
        const __m512i all = _mm512_and_si512(descs.fours[0], descs.fours[1]);

        return _mm512_mask_test_epi64_mask(hi_quads, all, _mm512_set1_epi64(rx_status::DD)) ==
               hi_quads;
    }

    static Columns columns(const Descs &descs) {
        // The numbers of the first register are 0 to 15, those of the second 16 to 31.
        const __m512i info_status =
            _mm512_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28, 2, 6, 10, 14, 18, 22, 26, 30);
        const __m512i upper =
            _mm512_setr_epi32(3, 7, 11, 15, 19, 23, 27, 31, 0, 0, 0, 0, 0, 0, 0, 0);
        const __m512i both = _mm512_permutex2var_epi32(descs.fours[0], info_status, descs.fours[1]);

        return {.info = _mm512_castsi512_si256(both),
                .status = _mm512_extracti64x4_epi64(both, 1),
                .length_vlan = _mm512_castsi512_si256(
                    _mm512_permutex2var_epi32(descs.fours[0], upper, descs.fours[1]))};
    }

    static Mask equal(U32x8 a, U32x8 b) { return _mm256_cmpeq_epi32_mask(a, b); }

    static Mask below(Mask among, U32x8 numbers, std::uint32_t limit) {
        return _mm256_mask_cmplt_epu32_mask(among, numbers, splat(limit));
    }

    static bool every(Mask mask) { return mask == 0xFF; }

    static U32x8 or_masked(U32x8 a, U32x8 b, U32x8 mask) {
        constexpr int a_or_b_and_c = 0xF8;

        return _mm256_ternarylogic_epi32(a, b, mask, a_or_b_and_c);
    }

    template <std::uint32_t Bits, std::uint32_t Flag>
    static U32x8 or_if_any(U32x8 flags, U32x8 numbers) {
        return _mm256_mask_or_epi32(flags, _mm256_test_epi32_mask(numbers, splat(Bits)), flags,
                                    splat(Flag));
    }

    template <std::uint32_t Bit>
    static U32x8 lookup_unless(const std::uint32_t *table, U32x8 index, U32x8 numbers) {
        return _mm256_mmask_i32gather_epi32(_mm256_setzero_si256(),
                                            _mm256_testn_epi32_mask(numbers, splat(Bit)), index,
                                            table, sizeof(*table));
    }

    static Fields fields(const Descs &descs, std::uint64_t rearm_data, U32x8 ptypes, U32x8 flags) {
        const auto rearm = static_cast<long long>(rearm_data);

        return {.descs = descs,
                .rearm_data = _mm512_setr_epi64(rearm, 0, 0, 0, rearm, 0, 0, 0),
                .flags_ptypes = _mm512_inserti64x4(_mm512_castsi256_si512(flags), ptypes, 1)};
    }

    template <int Pair>
    static PairFields fields_of_pair(const Fields &fields) {
        // ol_flags and packet_type are numbers 2 and 4 of each packet.
        constexpr __mmask16 looked_up = 0b00010100'00010100;
        constexpr int first = 2 * Pair;
        constexpr int second = first + 1;
        const __m512i places = _mm512_setr_epi32(0, 0, first, 0, 8 + first, 0, 0, 0, //
                                                 0, 0, second, 0, 8 + second, 0, 0, 0);
        const __m512i copied = _mm512_mask_permutexvar_epi16(
            fields.rearm_data, copied_words, copied_from(first % 4), fields.descs.fours[first / 4]);
        const __m512i both =
            _mm512_mask_permutexvar_epi32(copied, looked_up, places, fields.flags_ptypes);

        return {.first = _mm512_castsi512_si256(both),
                .second = _mm512_extracti64x4_epi64(both, 1)};
    }

    static constexpr std::size_t descs_per_rearm = 4;

    static void rearm(RxDesc *desc, rte_mbuf *const *mbufs) {
        const __m512i headroom = _mm512_maskz_set1_epi64(lo_quads, RTE_PKTMBUF_HEADROOM);
        __m512i iovas = insert_iova<0>(_mm512_setzero_si512(), mbufs[0]);

        iovas = insert_iova<2>(iovas, mbufs[1]);
        iovas = insert_iova<4>(iovas, mbufs[2]);
        iovas = insert_iova<6>(iovas, mbufs[3]);
        _mm512_storeu_si512(desc, _mm512_add_epi64(iovas, headroom));
    }
};

} // namespace

std::uint16_t rx_burst_avx512(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive_vec<Avx512>(queue, packets, nb_packets);
}

} // namespace igb
