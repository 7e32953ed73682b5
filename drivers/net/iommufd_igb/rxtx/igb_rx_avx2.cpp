// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive with AVX2, the ISA's part. This file alone is compiled for AVX2.
//
// Four registers hold two descriptors each. Unpacking works within the halves of a register, so
// in a column the even packets come to lie in the lower half and the odd ones in the upper:
//
//     pairs[k]   lo of 2k, hi of 2k | lo of 2k+1, hi of 2k+1
//     column     0  2  4  6         | 1  3  5  7
//
// which is what scattering them back over pairs wants: number k of each half belongs to pair k.

#include "rxtx/igb_rx_vec.hpp"

namespace igb {

namespace {

// The same bytes in both halves of a register.
inline __m256i broadcast(__m128i bytes) {
    return _mm256_broadcastsi128_si256(bytes);
}

// Selects number place of each half, for _mm256_blend_epi32().
constexpr int in_both_halves(int place) {
    return 1 << place | 1 << (place + 4);
}

// Replaces number To of each half of into by number From of each half of column.
template <int From, int To>
inline __m256i blend_number(__m256i into, U32x8 column) {
    if constexpr (From > To)
        column = _mm256_srli_si256(column, 4 * (From - To));
    else if constexpr (From < To)
        column = _mm256_slli_si256(column, 4 * (To - From));
    constexpr int places = in_both_halves(To); // a constant without -O too
    return _mm256_blend_epi32(into, column, places);
}

struct Avx2 {
    using Mask = __m256i; // all bits of a number, or none

    struct Descs {
        __m256i pairs[4];
    };

    struct Fields {
        Descs descs;
        __m256i rearm_data; // first quadword of each half
        U32x8 ptypes;
        U32x8 flags;
    };

    static Descs load(const RxDesc *ring) {
        Descs descs;

#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            descs.pairs[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(ring + 2 * i));
        return descs;
    }

    static bool all_done(const Descs &descs) {
        const __m256i all = _mm256_and_si256(_mm256_and_si256(descs.pairs[0], descs.pairs[1]),
                                             _mm256_and_si256(descs.pairs[2], descs.pairs[3]));

        return _mm256_testc_si256(all, _mm256_setr_epi64x(0, rx_status::DD, 0, rx_status::DD)) != 0;
    }

    static Columns columns(const Descs &descs) {
        const __m256i(&pairs)[4] = descs.pairs;
        const __m256i hi01 = _mm256_unpackhi_epi32(pairs[0], pairs[1]);
        const __m256i hi23 = _mm256_unpackhi_epi32(pairs[2], pairs[3]);
        const __m256i lo01 = _mm256_unpacklo_epi32(pairs[0], pairs[1]);
        const __m256i lo23 = _mm256_unpacklo_epi32(pairs[2], pairs[3]);

        return {.info = _mm256_unpacklo_epi64(lo01, lo23),
                .status = _mm256_unpacklo_epi64(hi01, hi23),
                .length_vlan = _mm256_unpackhi_epi64(hi01, hi23)};
    }

    static Mask equal(U32x8 a, U32x8 b) {
        return _mm256_cmpeq_epi32(a, b);
    }

    // AVX2 compares signed numbers only: below the limit is what the maximum allowed leaves as
    // it is. limit is not 0.
    static Mask below(Mask among, U32x8 numbers, std::uint32_t limit) {
        const U32x8 clipped = _mm256_min_epu32(numbers, splat(limit - 1));

        return _mm256_and_si256(among, _mm256_cmpeq_epi32(clipped, numbers));
    }

    static bool every(Mask mask) {
        return _mm256_movemask_epi8(mask) == -1;
    }

    static U32x8 or_masked(U32x8 a, U32x8 b, U32x8 mask) {
        return _mm256_or_si256(a, _mm256_and_si256(b, mask));
    }

    template <std::uint32_t Bits, std::uint32_t Flag>
    static U32x8 or_if_any(U32x8 flags, U32x8 numbers) {
        const U32x8 none =
            _mm256_cmpeq_epi32(_mm256_and_si256(numbers, splat(Bits)), _mm256_setzero_si256());

        return _mm256_or_si256(flags, _mm256_andnot_si256(none, splat(Flag)));
    }

    // A gather asks for the sign of its mask: the bit is moved there, and turned over.
    template <std::uint32_t Bit>
    static U32x8 lookup_unless(const std::uint32_t *table, U32x8 index, U32x8 numbers) {
        const U32x8 sign = _mm256_slli_epi32(numbers, std::countl_zero(Bit));
        const U32x8 wanted = _mm256_xor_si256(sign, splat(1U << 31));

        return _mm256_mask_i32gather_epi32(_mm256_setzero_si256(),
                                           reinterpret_cast<const int *>(table), index, wanted,
                                           sizeof(*table));
    }

    static Fields fields(const Descs &descs, std::uint64_t rearm_data, U32x8 ptypes, U32x8 flags) {
        const auto rearm = static_cast<long long>(rearm_data);

        return {.descs = descs,
                .rearm_data = _mm256_setr_epi64x(rearm, 0, rearm, 0),
                .ptypes = ptypes,
                .flags = flags};
    }

    template <int Pair>
    static PairFields fields_of_pair(const Fields &fields) {
        // Of each descriptor: nothing yet, length as 32 and as 16 bits, VLAN tag, hash.
        const __m256i places =
            broadcast(_mm_setr_epi8(-1, -1, -1, -1, 12, 13, -1, -1, 12, 13, 14, 15, 4, 5, 6, 7));
        const __m256i upper = blend_number<Pair, 0>(
            _mm256_shuffle_epi8(fields.descs.pairs[Pair], places), fields.ptypes);
        const __m256i lower = blend_number<Pair, 2>(fields.rearm_data, fields.flags);
        constexpr int lower_halves = 0x20;
        constexpr int upper_halves = 0x31;

        return {.first = _mm256_permute2x128_si256(lower, upper, lower_halves),
                .second = _mm256_permute2x128_si256(lower, upper, upper_halves)};
    }

    static constexpr std::size_t descs_per_rearm = 1;

    static void rearm(RxDesc *desc, rte_mbuf *const *mbufs) {
        const __m128i headroom = _mm_cvtsi64_si128(RTE_PKTMBUF_HEADROOM);

        _mm_storeu_si128(reinterpret_cast<__m128i *>(desc),
                         _mm_add_epi64(load_iova(mbufs[0]), headroom));
    }
};

} // namespace

std::uint16_t rx_burst_avx2(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return receive_vec<Avx2>(queue, packets, nb_packets);
}

} // namespace igb
