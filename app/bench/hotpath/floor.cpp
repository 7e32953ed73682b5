// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The floor's burst functions, in a file of their own and called through pointers: the
// compiler sees neither who calls them nor who reads what they write.

#include "floor.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <smmintrin.h>

namespace bench {

namespace {

constexpr std::uint16_t report_batch = 32;

__m128i *at(rte_mbuf *mbuf, std::size_t offset) {
    return reinterpret_cast<__m128i *>(reinterpret_cast<char *>(mbuf) + offset);
}

// From a written-back descriptor: pkt_len, data_len, vlan_tci and hash.rss, in this order.
__m128i fields_of(__m128i descriptor) {
    return _mm_shuffle_epi8(
        descriptor, _mm_setr_epi8(-1, -1, -1, -1, 12, 13, -1, -1, 12, 13, 14, 15, 4, 5, 6, 7));
}

inline void fill(const FloorTables &tables, rte_mbuf *mbuf, __m128i descriptor) {
    const auto info = static_cast<std::uint32_t>(_mm_cvtsi128_si32(descriptor));
    const auto status = static_cast<std::uint32_t>(_mm_extract_epi32(descriptor, 2));
    const std::uint32_t type = tables.types[info >> rx::TYPE_SHIFT & rx::TYPE_BITS];
    const std::uint64_t flags =
        tables.statuses[status_index(status)] | tables.rss[info & rx::RSS_MASK];

    _mm_store_si128(at(mbuf, offsetof(rte_mbuf, rearm_data)),
                    _mm_set_epi64x(static_cast<std::int64_t>(flags),
                                   static_cast<std::int64_t>(tables.rearm_data)));
    _mm_store_si128(at(mbuf, offsetof(rte_mbuf, packet_type)),
                    _mm_insert_epi32(fields_of(descriptor), static_cast<int>(type), 0));
}

// Up to count descriptors, none beyond the end of the ring or of the spares.
inline std::uint16_t receive(const FloorRx &queue, rte_mbuf **packets, std::uint16_t count) {
    const __m128i headroom = _mm_set_epi64x(0, RTE_PKTMBUF_HEADROOM);
    const FloorTables tables = queue.tables; // a copy: no store can change it
    Descriptor *ring = &queue.ring[queue.next];
    rte_mbuf **current = &queue.current[queue.next];
    rte_mbuf **spare = &queue.spare[queue.next % floor_spare];

    for (std::size_t i = 0; i < count; i++) {
        auto *slot = reinterpret_cast<__m128i *>(&ring[i]);
        if (!(__atomic_load_n(&ring[i].hi, __ATOMIC_RELAXED) & rx::DD))
            return static_cast<std::uint16_t>(i);
        const __m128i descriptor = _mm_load_si128(slot);
        rte_mbuf *mbuf = current[i];
        rte_mbuf *replacement = spare[i];

        __builtin_prefetch(current[i + floor_ahead]);
        current[i] = replacement;
        spare[i] = mbuf;
        packets[i] = mbuf;
        const __m128i buffer = _mm_loadl_epi64(at(replacement, offsetof(rte_mbuf, buf_iova)));
        _mm_store_si128(slot, _mm_add_epi64(buffer, headroom));
        fill(tables, mbuf, descriptor);
    }
    return count;
}

inline void send(const FloorTx &queue, rte_mbuf **packets, std::uint16_t count) {
    Descriptor *ring = &queue.ring[queue.next];

    for (std::size_t i = 0; i < count; i++) {
        const rte_mbuf *mbuf = packets[i];
        const std::uint64_t length = mbuf->data_len;

        ring[i] = {.lo = mbuf->buf_iova + mbuf->data_off,
                   .hi = length << tx::PAYLOAD_SHIFT | length | tx::SINGLE};
    }
}

} // namespace

std::uint16_t floor_rx(void *rx_queue, rte_mbuf **packets, std::uint16_t count) {
    FloorRx &queue = *static_cast<FloorRx *>(rx_queue);
    std::uint16_t received = 0;

    while (received < count) {
        const std::uint16_t to_end = floor_spare - queue.next % floor_spare;
        const std::uint16_t limit = std::min<std::uint16_t>(count - received, to_end);
        const std::uint16_t now = receive(queue, packets + received, limit);
        received += now;
        queue.next = (queue.next + now) % ring_size;
        if (now < limit)
            break;
    }
    if (received > 0)
        *queue.tail = (queue.next + ring_size - 1) % ring_size;
    return received;
}

std::uint16_t floor_tx(void *tx_queue, rte_mbuf **packets, std::uint16_t count) {
    FloorTx &queue = *static_cast<FloorTx *>(tx_queue);

    for (std::uint16_t sent = 0; sent < count;) {
        const std::uint16_t to_report = report_batch - queue.next % report_batch;
        const std::uint16_t now = std::min<std::uint16_t>(count - sent, to_report);
        send(queue, packets + sent, now);
        if (now == to_report)
            queue.ring[queue.next + now - 1].hi |= tx::RS;
        queue.next = (queue.next + now) % ring_size;
        sent += now;
    }
    *queue.tail = queue.next;
    return count;
}

} // namespace bench
