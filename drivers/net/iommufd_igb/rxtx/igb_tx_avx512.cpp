// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit with AVX-512 (F, BW, DQ, VL), the ISA's part. This file alone is compiled for it.
//
// A register takes the whole first cache line of an mbuf, and another one four descriptors:
//
//     quadwords of an mbuf    0 buf_addr   1 buf_iova   2 data_off ... port   3 ol_flags
//                             4 -          5 data_len   6 -                   7 pool
//     1 and 5 of four mbufs   iova length | iova length | iova length | iova length
//     2 of four mbufs         offset    - | offset    - | offset    - | offset    -
//     their descriptors       sum command | sum command | sum command | sum command

#include "rxtx/igb_tx_vec.hpp"

namespace igb {

namespace {

static_assert(RTE_CACHE_LINE_MIN_SIZE == 64);
static_assert(mbuf_iova_offset == 1 * 8);
static_assert(offsetof(rte_mbuf, data_off) == 2 * 8);
static_assert(offsetof(rte_mbuf, refcnt) == 2 * 8 + 2);
static_assert(offsetof(rte_mbuf, ol_flags) == 3 * 8);
static_assert(offsetof(rte_mbuf, data_len) == 5 * 8);
static_assert(offsetof(rte_mbuf, pool) == 7 * 8);

// Command quadword of each of four descriptors.
constexpr __mmask8 command_quads = 0b10101010;

// The same number in all four of them.
inline __m512i splat_commands(std::uint64_t value) {
    return _mm512_maskz_set1_epi64(command_quads, static_cast<long long>(value));
}

struct Avx512 {
    struct Plain {
        __m512i value;
        __m512i decisive;
    };

    struct Mbufs {
        __m512i differences; // of any of them
        __m512i halves[2];   // quadwords 1, 5, 1, 5, 2, 2, 2, 2 of two packets each
    };

    // IOVA and length of each packet, the IOVA left out of what is added up.
    using Lengths = __m512i;

    static Plain plain(const rte_mempool *known_pool) {
        return {.value = _mm512_setr_epi64(
                    0, 0, std::int64_t{single_counts} << 16, 0, 0, 0, 0,
                    static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(known_pool))),
                .decisive =
                    _mm512_setr_epi64(0, 0, std::int64_t{UINT32_MAX} << 16,
                                      static_cast<std::int64_t>(not_plain_flags), 0, 0, 0, -1)};
    }

    static Mbufs load(rte_mbuf *const *packets, const Plain &plain) {
        constexpr int a_or_b_xor_c = 0xF6;
        // The quadwords of the second register are 8 to 15.
        const __m512i picked = _mm512_setr_epi64(1, 5, 8 + 1, 8 + 5, 2, 2, 8 + 2, 8 + 2);
        __m512i lines[packets_per_loop];
        __m512i differences = _mm512_setzero_si512();

#pragma GCC unroll 4
        for (std::size_t i = 0; i < packets_per_loop; i++) {
            lines[i] = _mm512_loadu_si512(packets[i]);
            differences =
                _mm512_ternarylogic_epi64(differences, lines[i], plain.value, a_or_b_xor_c);
        }
        return {.differences = differences,
                .halves = {_mm512_permutex2var_epi64(lines[0], picked, lines[1]),
                           _mm512_permutex2var_epi64(lines[2], picked, lines[3])}};
    }

    static Lengths lengths(const Mbufs &mbufs, rte_mbuf *const *) {
        // Of each 16 bytes all of the IOVA, and the length.
        constexpr __mmask32 iova_length = 0b00011111'00011111'00011111'00011111;
        constexpr int lower_halves = 0x44;

        return _mm512_maskz_mov_epi16(
            iova_length, _mm512_shuffle_i64x2(mbufs.halves[0], mbufs.halves[1], lower_halves));
    }

    static bool all_plain(const Mbufs &mbufs, Lengths lengths, const Plain &plain) {
        // is_sendable_length() of scalar code: a length below the least wraps.
        const __mmask8 too_long = _mm512_mask_cmpgt_epu64_mask(
            command_quads, _mm512_sub_epi64(lengths, splat_commands(tx_min_length)),
            splat_commands(tx_max_length - tx_min_length));
        const __mmask8 wrong = _mm512_test_epi64_mask(mbufs.differences, plain.decisive);
        return _kortestz_mask8_u8(wrong, too_long) != 0;
    }

    static void store_descs(TxDesc *descs, const Mbufs &mbufs, Lengths lengths) {
        constexpr int a_or_b_or_c = 0xFE;
        // Of each 16 bytes the offset alone.
        constexpr __mmask32 offset = 0b00000001'00000001'00000001'00000001;
        constexpr int upper_halves = 0xEE;
        const __m512i offsets = _mm512_maskz_mov_epi16(
            offset, _mm512_shuffle_i64x2(mbufs.halves[0], mbufs.halves[1], upper_halves));
        // tx_desc_command() of scalar code.
        const __m512i payload_lengths =
            _mm512_maskz_slli_epi64(command_quads, lengths, tx_paylen_shift);
        const __m512i sums = _mm512_add_epi64(lengths, offsets);

        _mm512_storeu_si512(descs, _mm512_ternarylogic_epi64(sums, payload_lengths,
                                                             splat_commands(tx_desc_command(0)),
                                                             a_or_b_or_c));
    }

    static Lengths no_lengths() {
        return _mm512_setzero_si512();
    }

    static Lengths add(Lengths total, Lengths lengths) {
        return _mm512_mask_add_epi64(total, command_quads, total, lengths);
    }

    static std::uint64_t sum(Lengths total) {
        return static_cast<std::uint64_t>(_mm512_reduce_add_epi64(total));
    }
};

} // namespace

std::uint16_t tx_burst_avx512(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit_vec<Avx512>(queue, packets, nb_packets);
}

} // namespace igb
