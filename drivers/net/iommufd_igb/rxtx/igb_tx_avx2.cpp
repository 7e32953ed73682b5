// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit with AVX2: the descriptors of four plain packets a turn; if one of the four is not
// plain, the scalar code for the rest of the batch. This file alone is compiled for AVX2.
//
// Of each mbuf's first cache line one register takes four quadwords:
//
//     fields     buf_iova | data_off, refcnt, nb_segs, port | ol_flags | pool
//
// One exclusive or with what they have to be tests them all, and unpacking turns four of them
// into columns. The packets lie in the order 0, 2, 1, 3, for unpacking works within the halves
// of a register and is to bring packets 0 and 1 into one half each of the last result:
//
//     addresses                    a0 a2 | a1 a3
//     commands                     c0 c2 | c1 c3
//     unpacked: two descriptors    a0 c0 | a1 c1     and two more    a2 c2 | a3 c3

#include <x86intrin.h>

#include "rxtx/igb_tx_common.hpp"

namespace igb {

namespace {

constexpr std::size_t packets_per_loop = 4;

// What `fields` is loaded from: two loads, of which the second is taken for the pool alone.
static_assert(offsetof(rte_mbuf, data_off) == offsetof(rte_mbuf, buf_iova) + 8);
static_assert(offsetof(rte_mbuf, refcnt) == offsetof(rte_mbuf, data_off) + 2);
static_assert(offsetof(rte_mbuf, ol_flags) == offsetof(rte_mbuf, buf_iova) + 16);
static_assert(offsetof(rte_mbuf, pool) % 8 == 0 && offsetof(rte_mbuf, pool) >= 24);

inline const char *bytes_of(const rte_mbuf *mbuf) {
    return reinterpret_cast<const char *>(mbuf);
}

inline __m256i load_quads(const void *address) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i *>(address));
}

inline __m256i all(std::uint64_t value) {
    return _mm256_set1_epi64x(static_cast<long long>(value));
}

inline __m256i quads(std::uint64_t q0, std::uint64_t q1, std::uint64_t q2, std::uint64_t q3) {
    return _mm256_setr_epi64x(static_cast<long long>(q0), static_cast<long long>(q1),
                              static_cast<long long>(q2), static_cast<long long>(q3));
}

inline __m256i fields_of(const rte_mbuf *mbuf) {
    const __m256i front = load_quads(bytes_of(mbuf) + offsetof(rte_mbuf, buf_iova));
    const __m256i pool = load_quads(bytes_of(mbuf) + offsetof(rte_mbuf, pool) - 24);

    return _mm256_blend_epi32(front, pool, 0xC0);
}

// What fields_of() a plain packet is, where it matters.
struct Plain {
    __m256i value;
    __m256i decisive;
};

inline Plain plain_of(const rte_mempool *known_pool) {
    return {.value = quads(0, std::uint64_t{single_counts} << 16, 0,
                           reinterpret_cast<std::uintptr_t>(known_pool)),
            .decisive = quads(0, std::uint64_t{UINT32_MAX} << 16, not_direct_flags, UINT64_MAX)};
}

// Column 0 or 1 of four packets' fields.
template <int Column>
inline __m256i column(const __m256i (&fields)[packets_per_loop]) {
    const auto pick = [](__m256i a, __m256i b) {
        return _mm256_castsi256_si128(Column == 0 ? _mm256_unpacklo_epi64(a, b)
                                                  : _mm256_unpackhi_epi64(a, b));
    };

    return _mm256_inserti128_si256(_mm256_castsi128_si256(pick(fields[0], fields[2])),
                                   pick(fields[1], fields[3]), 1);
}

inline __m256i lengths_of(rte_mbuf *const *mbufs) {
    __m128i lengths = _mm_cvtsi32_si128(mbufs[0]->data_len);

    lengths = _mm_insert_epi16(lengths, mbufs[2]->data_len, 1);
    lengths = _mm_insert_epi16(lengths, mbufs[1]->data_len, 2);
    lengths = _mm_insert_epi16(lengths, mbufs[3]->data_len, 3);
    return _mm256_cvtepu16_epi64(lengths);
}

// is_sendable_length() of scalar code: 0 where it is, else not 0.
inline __m256i unsendable(__m256i lengths) {
    // A length below the least becomes a very large number. The upper halves of the quadwords
    // are 0 on both sides.
    const __m256i from_least = _mm256_sub_epi32(lengths, all(tx_min_length));
    const __m256i limit = all(tx_max_length - tx_min_length);

    return _mm256_xor_si256(_mm256_max_epu32(from_least, limit), limit);
}

// tx_desc_command() of scalar code.
inline __m256i commands_of(__m256i lengths) {
    return _mm256_or_si256(_mm256_or_si256(lengths, _mm256_slli_epi64(lengths, tx_paylen_shift)),
                           all(tx_desc_command(0)));
}

// The descriptors of four packets, and their lengths; none if they are not all plain.
inline bool fill_four(TxDesc *desc, rte_mbuf *const *packets, const Plain &plain,
                      __m256i &total_length) {
    rte_mbuf *const mbufs[packets_per_loop] = {packets[0], packets[1], packets[2], packets[3]};
    __m256i fields[packets_per_loop];
    __m256i differences = _mm256_setzero_si256();

#pragma GCC unroll 4
    for (unsigned int i = 0; i < packets_per_loop; i++) {
        fields[i] = fields_of(mbufs[i]);
        differences = _mm256_or_si256(differences, _mm256_xor_si256(fields[i], plain.value));
    }
    const __m256i lengths = lengths_of(mbufs);
    const __m256i wrong =
        _mm256_or_si256(_mm256_and_si256(differences, plain.decisive), unsendable(lengths));
    if (unlikely(!_mm256_testz_si256(wrong, wrong)))
        return false;

    const __m256i offsets = _mm256_and_si256(column<1>(fields), all(UINT16_MAX));
    const __m256i addresses = _mm256_add_epi64(column<0>(fields), offsets);
    const __m256i commands = commands_of(lengths);
    auto *pair = reinterpret_cast<__m256i *>(desc);
    _mm256_storeu_si256(pair, _mm256_unpacklo_epi64(addresses, commands));
    _mm256_storeu_si256(pair + 1, _mm256_unpackhi_epi64(addresses, commands));
    total_length = _mm256_add_epi64(total_length, lengths);
    return true;
}

inline std::uint64_t sum(__m256i numbers) {
    const __m128i two =
        _mm_add_epi64(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));

    return static_cast<std::uint64_t>(
        _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_srli_si128(two, 8))));
}

inline std::size_t send_plain(TxDesc *desc, rte_mbuf **slot, rte_mbuf **packets, std::size_t count,
                              const rte_mempool *known_pool, std::uint64_t &bytes) {
    std::size_t sent = 0;

    if (likely(count >= packets_per_loop)) {
        const Plain plain = plain_of(known_pool);
        __m256i length = _mm256_setzero_si256();

        for (; sent + packets_per_loop <= count; sent += packets_per_loop) {
            const __m256i mbufs = load_quads(packets + sent);
            if (unlikely(!fill_four(desc + sent, packets + sent, plain, length)))
                break;
            _mm256_storeu_si256(reinterpret_cast<__m256i *>(slot + sent), mbufs);
        }
        bytes += sum(length);
        if (likely(sent == count))
            return sent;
    }
    return sent + send_plain_scalar(desc + sent, slot + sent, packets + sent, count - sent,
                                    known_pool, bytes);
}

} // namespace

std::uint16_t tx_burst_avx2(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit(*static_cast<TxQueue *>(queue), packets, nb_packets, send_plain);
}

} // namespace igb
