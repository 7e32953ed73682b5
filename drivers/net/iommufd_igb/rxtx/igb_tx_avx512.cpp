// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit with AVX-512 (F, BW, DQ, VL): four plain packets a turn, as with AVX2. This file
// alone is compiled for it.
//
// A register takes the whole first cache line of an mbuf, and another one four descriptors:
//
//     quadwords of an mbuf    0 buf_addr   1 buf_iova   2 data_off ... port   3 ol_flags
//                             4 -          5 data_len   6 -                   7 pool
//     1 and 5 of four mbufs   iova length | iova length | iova length | iova length
//     2 of four mbufs         offset    - | offset    - | offset    - | offset    -
//     their descriptors       sum command | sum command | sum command | sum command

#include <x86intrin.h>

#include "rxtx/igb_tx_common.hpp"

namespace igb {

namespace {

constexpr std::size_t packets_per_loop = 4;

static_assert(RTE_CACHE_LINE_MIN_SIZE == 64);
static_assert(offsetof(rte_mbuf, buf_iova) == 1 * 8);
static_assert(offsetof(rte_mbuf, data_off) == 2 * 8);
static_assert(offsetof(rte_mbuf, refcnt) == 2 * 8 + 2);
static_assert(offsetof(rte_mbuf, ol_flags) == 3 * 8);
static_assert(offsetof(rte_mbuf, data_len) == 5 * 8);
static_assert(offsetof(rte_mbuf, pool) == 7 * 8);

// Command quadword of each of four descriptors.
constexpr __mmask8 command_quads = 0b10101010;

// The same number in all four of them.
inline __m512i commands(std::uint64_t value) {
    return _mm512_maskz_set1_epi64(command_quads, static_cast<long long>(value));
}

// What the first cache line of a plain packet is, where it matters.
struct Plain {
    __m512i value;
    __m512i decisive;
};

inline Plain plain_of(const rte_mempool *known_pool) {
    return {.value = _mm512_setr_epi64(
                0, 0, std::int64_t{single_counts} << 16, 0, 0, 0, 0,
                static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(known_pool))),
            .decisive =
                _mm512_setr_epi64(0, 0, std::int64_t{UINT32_MAX} << 16,
                                  static_cast<std::int64_t>(not_direct_flags), 0, 0, 0, -1)};
}

// The descriptors of four packets, and their lengths; none if they are not all plain.
inline bool fill_four(TxDesc *desc, rte_mbuf *const *mbufs, const Plain &plain,
                      __m512i &total_length) {
    constexpr int a_or_b_xor_c = 0xF6;
    constexpr int a_or_b_or_c = 0xFE;
    // The quadwords of the second register are 8 to 15.
    const __m512i pick = _mm512_setr_epi64(1, 5, 8 + 1, 8 + 5, 2, 2, 8 + 2, 8 + 2);
    // Of each 16 bytes of the result: all of the IOVA and the length; the offset alone.
    constexpr __mmask32 iova_length = 0b00011111'00011111'00011111'00011111;
    constexpr __mmask32 offset = 0b00000001'00000001'00000001'00000001;
    __m512i lines[packets_per_loop];
    __m512i differences = _mm512_setzero_si512();

#pragma GCC unroll 4
    for (std::size_t i = 0; i < packets_per_loop; i++) {
        lines[i] = _mm512_loadu_si512(mbufs[i]);
        differences = _mm512_ternarylogic_epi64(differences, lines[i], plain.value, a_or_b_xor_c);
    }
    const __m512i first = _mm512_permutex2var_epi64(lines[0], pick, lines[1]);
    const __m512i second = _mm512_permutex2var_epi64(lines[2], pick, lines[3]);
    const __m512i iovas_lengths =
        _mm512_maskz_mov_epi16(iova_length, _mm512_shuffle_i64x2(first, second, 0x44));
    const __m512i offsets =
        _mm512_maskz_mov_epi16(offset, _mm512_shuffle_i64x2(first, second, 0xEE));

    // is_sendable_length() of scalar code: a length below the least wraps.
    const __mmask8 too_long = _mm512_mask_cmpgt_epu64_mask(
        command_quads, _mm512_sub_epi64(iovas_lengths, commands(tx_min_length)),
        commands(tx_max_length - tx_min_length));
    const __mmask8 wrong = _mm512_test_epi64_mask(differences, plain.decisive);
    if (unlikely(!_kortestz_mask8_u8(wrong, too_long)))
        return false;

    // tx_desc_command() of scalar code.
    const __m512i payload_lengths =
        _mm512_maskz_slli_epi64(command_quads, iovas_lengths, tx_paylen_shift);
    const __m512i sums = _mm512_add_epi64(iovas_lengths, offsets);
    _mm512_storeu_si512(desc, _mm512_ternarylogic_epi64(sums, payload_lengths,
                                                        commands(tx_desc_command(0)), a_or_b_or_c));
    total_length = _mm512_mask_add_epi64(total_length, command_quads, total_length, iovas_lengths);
    return true;
}

inline std::size_t send_plain(TxDesc *desc, rte_mbuf **slot, rte_mbuf **packets, std::size_t count,
                              const rte_mempool *known_pool, std::uint64_t &bytes) {
    std::size_t sent = 0;

    if (likely(count >= packets_per_loop)) {
        const Plain plain = plain_of(known_pool);
        __m512i length = _mm512_setzero_si512();

        for (; sent + packets_per_loop <= count; sent += packets_per_loop) {
            const __m256i mbufs =
                _mm256_loadu_si256(reinterpret_cast<const __m256i *>(packets + sent));
            if (unlikely(!fill_four(desc + sent, packets + sent, plain, length)))
                break;
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(slot + sent), mbufs);
        }
        bytes += static_cast<std::uint64_t>(_mm512_reduce_add_epi64(length));
        if (likely(sent == count))
            return sent;
    }
    return sent + send_plain_scalar(desc + sent, slot + sent, packets + sent, count - sent,
                                    known_pool, bytes);
}

} // namespace

std::uint16_t tx_burst_avx512(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit(*static_cast<TxQueue *>(queue), packets, nb_packets, send_plain);
}

} // namespace igb
