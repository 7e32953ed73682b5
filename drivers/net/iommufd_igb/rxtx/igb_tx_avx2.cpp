// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit with AVX2, the ISA's part. This file alone is compiled for AVX2.
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

#include "rxtx/igb_tx_vec.hpp"

namespace igb {

namespace {

// What a register is loaded from: two loads, of which the second is taken for the pool alone.
static_assert(offsetof(rte_mbuf, data_off) == mbuf_iova_offset + 8);
static_assert(offsetof(rte_mbuf, refcnt) == offsetof(rte_mbuf, data_off) + 2);
static_assert(offsetof(rte_mbuf, ol_flags) == mbuf_iova_offset + 16);
static_assert(offsetof(rte_mbuf, pool) % 8 == 0 && offsetof(rte_mbuf, pool) >= 24);

inline __m256i load_quads(const rte_mbuf *mbuf, std::size_t offset) {
    return _mm256_loadu_si256(
        reinterpret_cast<const __m256i *>(reinterpret_cast<const char *>(mbuf) + offset));
}

inline __m256i splat(std::uint64_t value) {
    return _mm256_set1_epi64x(static_cast<long long>(value));
}

inline __m256i quads(std::uint64_t q0, std::uint64_t q1, std::uint64_t q2, std::uint64_t q3) {
    return _mm256_setr_epi64x(static_cast<long long>(q0), static_cast<long long>(q1),
                              static_cast<long long>(q2), static_cast<long long>(q3));
}

struct Avx2 {
    using Lengths = __m256i; // quadwords of packets 0, 2, 1, 3

    struct Plain {
        __m256i value;
        __m256i decisive;
    };

    struct Mbufs {
        __m256i fields[packets_per_loop];
        __m256i differences; // of any of them
    };

    static Plain plain(const rte_mempool *known_pool) {
        return {.value = quads(0, std::uint64_t{single_counts} << 16, 0,
                               reinterpret_cast<std::uintptr_t>(known_pool)),
                .decisive = quads(0, std::uint64_t{UINT32_MAX} << 16, not_plain_flags, UINT64_MAX)};
    }

    static Mbufs load(rte_mbuf *const *packets, const Plain &plain) {
        constexpr int last_quad = 0xC0;
        Mbufs mbufs;

        mbufs.differences = _mm256_setzero_si256();
#pragma GCC unroll 4
        for (std::size_t i = 0; i < packets_per_loop; i++) {
            mbufs.fields[i] = _mm256_blend_epi32(
                load_quads(packets[i], mbuf_iova_offset),
                load_quads(packets[i], offsetof(rte_mbuf, pool) - 24), last_quad);
            mbufs.differences =
                _mm256_or_si256(mbufs.differences, _mm256_xor_si256(mbufs.fields[i], plain.value));
        }
        return mbufs;
    }

    static Lengths lengths(const Mbufs &, rte_mbuf *const *packets) {
        __m128i words = _mm_cvtsi32_si128(packets[0]->data_len);

        words = _mm_insert_epi16(words, packets[2]->data_len, 1);
        words = _mm_insert_epi16(words, packets[1]->data_len, 2);
        words = _mm_insert_epi16(words, packets[3]->data_len, 3);
        return _mm256_cvtepu16_epi64(words);
    }

    static bool all_plain(const Mbufs &mbufs, Lengths lengths, const Plain &plain) {
        const __m256i wrong = _mm256_or_si256(_mm256_and_si256(mbufs.differences, plain.decisive),
                                              unsendable(lengths));
        return _mm256_testz_si256(wrong, wrong) != 0;
    }

    static void store_descs(TxDesc *descs, const Mbufs &mbufs, Lengths lengths) {
        const __m256i offsets = _mm256_and_si256(column<1>(mbufs), splat(UINT16_MAX));
        const __m256i addresses = _mm256_add_epi64(column<0>(mbufs), offsets);
        const __m256i commands = commands_of(lengths);
        auto *pair = reinterpret_cast<__m256i *>(descs);

        _mm256_storeu_si256(pair, _mm256_unpacklo_epi64(addresses, commands));
        _mm256_storeu_si256(pair + 1, _mm256_unpackhi_epi64(addresses, commands));
    }

    static Lengths no_lengths() {
        return _mm256_setzero_si256();
    }

    static Lengths add(Lengths a, Lengths b) {
        return _mm256_add_epi64(a, b);
    }

    static std::uint64_t sum(Lengths lengths) {
        const __m128i two =
            _mm_add_epi64(_mm256_castsi256_si128(lengths), _mm256_extracti128_si256(lengths, 1));

        return static_cast<std::uint64_t>(
            _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_srli_si128(two, 8))));
    }

private:
    // Quadword 0 or 1 of four packets' fields.
    template <int Quad>
    static __m256i column(const Mbufs &mbufs) {
        const auto unpack = [](__m256i a, __m256i b) {
            return _mm256_castsi256_si128(Quad == 0 ? _mm256_unpacklo_epi64(a, b)
                                                    : _mm256_unpackhi_epi64(a, b));
        };

        return _mm256_inserti128_si256(
            _mm256_castsi128_si256(unpack(mbufs.fields[0], mbufs.fields[2])),
            unpack(mbufs.fields[1], mbufs.fields[3]), 1);
    }

    // is_sendable_length() of scalar code: 0 where it is, else not 0.
    static __m256i unsendable(Lengths lengths) {
        // A length below the least becomes a very large number. The upper halves of the
        // quadwords are 0 on both sides.
        const __m256i from_least = _mm256_sub_epi32(lengths, splat(tx_min_length));
        const __m256i limit = splat(tx_max_length - tx_min_length);

        return _mm256_xor_si256(_mm256_max_epu32(from_least, limit), limit);
    }

    // tx_desc_command() of scalar code.
    static __m256i commands_of(Lengths lengths) {
        return _mm256_or_si256(
            _mm256_or_si256(lengths, _mm256_slli_epi64(lengths, tx_paylen_shift)),
            splat(tx_desc_command(0)));
    }
};

} // namespace

std::uint16_t tx_burst_avx2(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit_vec<Avx2>(queue, packets, nb_packets);
}

} // namespace igb
