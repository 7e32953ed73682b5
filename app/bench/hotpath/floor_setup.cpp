// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The floor's tables and rings.

#include <array>
#include <cstdint>
#include <stdexcept>

#include <rte_malloc.h>
#include <rte_mbuf_ptype.h>

#include "floor.hpp"

namespace bench {

namespace {

constexpr std::size_t nb_types = rx::TYPE_BITS + 1;

// Bits of the packet type; a combination that is not listed is of no known type.
namespace type {
constexpr std::uint32_t IPV4 = 1u << 0;
constexpr std::uint32_t IPV4_EXT = IPV4 | 1u << 1;
constexpr std::uint32_t IPV6 = 1u << 2;
constexpr std::uint32_t IPV6_EXT = IPV6 | 1u << 3;
constexpr std::uint32_t TCP = 1u << 4;
constexpr std::uint32_t UDP = 1u << 5;
constexpr std::uint32_t SCTP = 1u << 6;
} // namespace type

// As igb_rxd_pkt_info_to_pkt_type() of DPDK 22.11.11, drivers/net/e1000/igb_rxtx.c.
std::uint32_t packet_type(std::uint32_t bits) {
    constexpr std::uint32_t v4 = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4;
    constexpr std::uint32_t v4_ext = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4_EXT;
    constexpr std::uint32_t v6 = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6;
    constexpr std::uint32_t v6_ext = RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV6_EXT;
    constexpr std::uint32_t tunnel = v4 | RTE_PTYPE_TUNNEL_IP | RTE_PTYPE_INNER_L3_IPV6;
    constexpr std::uint32_t tunnel_ext = v4 | RTE_PTYPE_TUNNEL_IP | RTE_PTYPE_INNER_L3_IPV6_EXT;

    if (bits & rx::TYPE_ETQF)
        return RTE_PTYPE_UNKNOWN;
    switch (bits & rx::TYPE_MASK) {
    case type::IPV4:
        return v4;
    case type::IPV4 | type::TCP:
        return v4 | RTE_PTYPE_L4_TCP;
    case type::IPV4 | type::UDP:
        return v4 | RTE_PTYPE_L4_UDP;
    case type::IPV4 | type::SCTP:
        return v4 | RTE_PTYPE_L4_SCTP;
    case type::IPV4_EXT:
        return v4_ext;
    case type::IPV4_EXT | type::SCTP:
        return v4_ext | RTE_PTYPE_L4_SCTP;
    case type::IPV6:
        return v6;
    case type::IPV6 | type::TCP:
        return v6 | RTE_PTYPE_L4_TCP;
    case type::IPV6 | type::UDP:
        return v6 | RTE_PTYPE_L4_UDP;
    case type::IPV6_EXT:
        return v6_ext;
    case type::IPV6_EXT | type::TCP:
        return v6_ext | RTE_PTYPE_L4_TCP;
    case type::IPV6_EXT | type::UDP:
        return v6_ext | RTE_PTYPE_L4_UDP;
    case type::IPV4 | type::IPV6:
        return tunnel;
    case type::IPV4 | type::IPV6 | type::TCP:
        return tunnel | RTE_PTYPE_INNER_L4_TCP;
    case type::IPV4 | type::IPV6 | type::UDP:
        return tunnel | RTE_PTYPE_INNER_L4_UDP;
    case type::IPV4 | type::IPV6_EXT:
        return tunnel_ext;
    case type::IPV4 | type::IPV6_EXT | type::TCP:
        return tunnel_ext | RTE_PTYPE_INNER_L4_TCP;
    case type::IPV4 | type::IPV6_EXT | type::UDP:
        return tunnel_ext | RTE_PTYPE_INNER_L4_UDP;
    default:
        return RTE_PTYPE_UNKNOWN;
    }
}

const std::array<std::uint32_t, nb_types> &type_table() {
    static const std::array<std::uint32_t, nb_types> table = [] {
        std::array<std::uint32_t, nb_types> entries{};
        for (std::uint32_t bits = 0; bits < nb_types; bits++)
            entries[bits] = packet_type(bits);
        return entries;
    }();
    return table;
}

constexpr std::array<std::uint64_t, nb_status_indexes> make_statuses() {
    std::array<std::uint64_t, nb_status_indexes> table{};

    for (const std::uint32_t vlan : {0u, rx::VP})
        for (const std::uint32_t ip : {0u, rx::IPE})
            for (const std::uint32_t l4 : {0u, rx::L4E})
                table[status_index(vlan | ip | l4)] =
                    (vlan ? RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED : 0) |
                    (ip ? RTE_MBUF_F_RX_IP_CKSUM_BAD : RTE_MBUF_F_RX_IP_CKSUM_GOOD) |
                    (l4 ? RTE_MBUF_F_RX_L4_CKSUM_BAD : RTE_MBUF_F_RX_L4_CKSUM_GOOD);
    return table;
}

constexpr std::array<std::uint64_t, rx::RSS_MASK + 1> make_rss() {
    std::array<std::uint64_t, rx::RSS_MASK + 1> table{};

    for (std::uint32_t type = 1; type < table.size(); type++)
        table[type] = RTE_MBUF_F_RX_RSS_HASH;
    return table;
}

constexpr auto status_table = make_statuses();
constexpr auto rss_table = make_rss();

template <typename T>
T *allocate(std::size_t count) {
    void *memory = rte_zmalloc("floor", sizeof(T) * count, RTE_CACHE_LINE_SIZE);

    if (memory == nullptr)
        throw std::runtime_error("no memory for the floor's rings");
    return static_cast<T *>(memory);
}

rte_mbuf **take_mbufs(rte_mempool *pool, unsigned int count) {
    auto **mbufs = allocate<rte_mbuf *>(count + floor_ahead);

    if (rte_mempool_get_bulk(pool, reinterpret_cast<void **>(mbufs), count) != 0)
        throw std::runtime_error("no mbufs for the floor");
    return mbufs;
}

void enter_ring(Registers &registers, const NicModel::Queue &queue, const void *ring) {
    const auto address = reinterpret_cast<std::uint64_t>(ring);

    registers[queue.base_low] = static_cast<std::uint32_t>(address);
    registers[queue.base_high] = static_cast<std::uint32_t>(address >> 32);
    registers[queue.length] = ring_size * sizeof(Descriptor);
}

} // namespace

void start_floor(Variant &variant) {
    Device &device = *variant.device;
    auto *rx = allocate<FloorRx>(1);
    auto *tx = allocate<FloorTx>(1);

    *rx = {.ring = allocate<Descriptor>(ring_size),
           .tail = &device.rx_tail(),
           .current = take_mbufs(variant.pool, ring_size),
           .spare = take_mbufs(variant.pool, floor_spare),
           .tables = {.types = type_table().data(),
                      .statuses = status_table.data(),
                      .rss = rss_table.data(),
                      .rearm_data = std::uint64_t{RTE_PKTMBUF_HEADROOM} | std::uint64_t{1} << 16 |
                                    std::uint64_t{1} << 32 | std::uint64_t{variant.port} << 48},
           .next = 0};
    *tx = {.ring = allocate<Descriptor>(ring_size), .tail = &device.tx_tail(), .next = 0};
    for (std::uint16_t i = 0; i < ring_size; i++)
        rx->ring[i].lo = rx->current[i]->buf_iova + RTE_PKTMBUF_HEADROOM;

    enter_ring(device.registers(), device.model().rx, rx->ring);
    enter_ring(device.registers(), device.model().tx, tx->ring);
    device.rx_tail() = ring_size - 1;
    device.tx_tail() = 0;
    device.open_rings();
    variant.rx = {.burst = floor_rx, .queue = rx, .mode = "", .offloads = 0};
    variant.tx = {.burst = floor_tx, .queue = tx, .mode = "", .offloads = 0};
    variant.uses_pool = false;
}

} // namespace bench
