// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Filters that give a frame to a queue, as a port's settings have them. A filter keeps its place in
// the device as long as it is there.
//
//     frame --> EtherType filters --> SYN filter, if first --> n-tuple filters --> SYN filter
//           --> RSS --> queue 0
//
// The first that matches decides. The order is the I210's (its data sheet, 7.1.2), the nearest
// device of which a document was at hand; its flexible filters DPDK's own driver does not use on
// the 82576 (DPDK 22.11.11, e1000_ethdev.h, MAC_TYPE_FILTER_SUP_EXT()).

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "hw/igb_filter_regs.hpp"
#include "hw/igb_regs.hpp"

namespace igb {

struct EthertypeFilter {
    bool on = false;
    std::uint8_t queue = 0;
    std::uint16_t type = 0;
};

// Fields that an n-tuple filter compares; those that are in FTQF in its order.
namespace tuple {
inline constexpr std::uint8_t PROTOCOL = 1u << 0;
inline constexpr std::uint8_t SOURCE_ADDRESS = 1u << 1;
inline constexpr std::uint8_t DESTINATION_ADDRESS = 1u << 2;
inline constexpr std::uint8_t SOURCE_PORT = 1u << 3;
inline constexpr std::uint8_t DESTINATION_PORT = 1u << 4;
} // namespace tuple

using Ipv4Address = std::array<std::uint8_t, 4>;

// A field that is not compared is 0, so that equal filters are equal.
struct TupleFilter {
    bool on = false;
    std::uint8_t queue = 0;
    std::uint8_t priority = 0; // 0 to 7, the highest
    std::uint8_t compared = 0; // of tuple::
    std::uint8_t protocol = 0;
    std::uint8_t tcp_flags = 0; // that are set in the frame, as its header has them; 0: any
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    Ipv4Address source_address{};
    Ipv4Address destination_address{};
};

// TCP segments with SYN, of IPv4 and IPv6.
struct SynFilter {
    bool on = false;
    bool first = false; // before the n-tuple filters
    std::uint8_t queue = 0;
};

struct FlowFilters {
    std::array<EthertypeFilter, nb_ethertype_filters> ethertypes{};
    std::array<TupleFilter, nb_tuple_filters> tuples{};
    SynFilter syn{};
};

// Place of the EtherType filter for type, and a place for a new one. timesync keeps
// timesync::ETQF_INDEX for PTP frames, which is taken last.
std::optional<std::size_t> find_ethertype(const FlowFilters &filters, std::uint16_t type);
std::optional<std::size_t> place_for_ethertype(const FlowFilters &filters, std::uint16_t type,
                                               bool timesync);
// Whether timesync finds its filter free.
bool timesync_has_room(const FlowFilters &filters);

// Whether two n-tuple filters match the same frames with the same priority.
bool same_tuple(const TupleFilter &one, const TupleFilter &other);

} // namespace igb
