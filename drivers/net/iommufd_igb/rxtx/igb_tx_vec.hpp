// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Transmit with vector instructions: the descriptors of four plain packets a turn; if one of the
// four is not plain, the scalar code for the rest of the batch. The algorithm is here; an ISA is
// a struct of named operations in a file of its own that alone is compiled for it
// (igb_tx_avx2.cpp, igb_tx_avx512.cpp):
//
//     Plain           what the first cache line of a plain packet's mbuf is, where it matters
//     Mbufs           of four first cache lines how they differ from it, and what is sent
//     Lengths         of the four packets; a sum of such registers too
//
//     plain, load     the two, from a pool and from four mbufs
//     lengths         data_len of each
//     all_plain       none of the four differs, and each is of a length that the hardware takes
//     store_descs     four descriptors
//     add, sum        of Lengths; the sum of all that was added
//
// Included by files that are compiled for different CPUs: internal linkage.

#include <cstddef>
#include <cstdint>

#include <x86intrin.h>

#include "rxtx/igb_inline.hpp"
#include "rxtx/igb_tx_common.hpp"

namespace igb {

namespace {

constexpr std::size_t packets_per_loop = 4;

// Four pointers to mbufs from one array to another.
inline void copy_pointers(rte_mbuf **to, rte_mbuf *const *from) {
    const __m256i pointers = _mm256_loadu_si256(reinterpret_cast<const __m256i *>(from));

    _mm256_storeu_si256(reinterpret_cast<__m256i *>(to), pointers);
}

// The descriptors of four packets, whose lengths are added to total; none if they are not all
// plain.
template <class Isa>
inline bool fill_four(TxDesc *descs, rte_mbuf *const *packets, const typename Isa::Plain &plain,
                      typename Isa::Lengths &total) {
    const typename Isa::Mbufs mbufs = Isa::load(packets, plain);
    const typename Isa::Lengths lengths = Isa::lengths(mbufs, packets);

    if (unlikely(!Isa::all_plain(mbufs, lengths, plain)))
        return false;
    Isa::store_descs(descs, mbufs, lengths);
    total = Isa::add(total, lengths);
    return true;
}

// send_plain_scalar() with vectors.
template <class Isa>
IGB_ALWAYS_INLINE std::size_t send_plain_vec(TxDesc *descs, rte_mbuf **sw_ring, rte_mbuf **packets,
                                             std::size_t count, const rte_mempool *known_pool,
                                             std::uint64_t &bytes) {
    std::size_t sent = 0;

    if (likely(count >= packets_per_loop)) {
        const typename Isa::Plain plain = Isa::plain(known_pool);
        typename Isa::Lengths total = Isa::no_lengths();

        for (; sent + packets_per_loop <= count; sent += packets_per_loop) {
            if (unlikely(!fill_four<Isa>(descs + sent, packets + sent, plain, total)))
                break;
            copy_pointers(sw_ring + sent, packets + sent);
        }
        bytes += Isa::sum(total);
        if (likely(sent == count))
            return sent;
    }
    return sent + send_plain_scalar(descs + sent, sw_ring + sent, packets + sent, count - sent,
                                    known_pool, bytes);
}

template <class Isa>
inline std::uint16_t transmit_vec(void *queue, rte_mbuf **packets, std::uint16_t nb_packets) {
    return transmit(*static_cast<TxQueue *>(queue), packets, nb_packets, send_plain_vec<Isa>);
}

} // namespace

} // namespace igb
