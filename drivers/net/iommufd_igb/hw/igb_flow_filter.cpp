// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What filters that give a frame to a queue become in the registers.

#include "hw/igb_flow_filter.hpp"

#include "hw/igb_hw.hpp"

namespace igb {

namespace {

// TCP flags of a header: FIN in bit 0 to URG in bit 5.
constexpr unsigned int nb_tcp_flags = 6;

// In network order: the byte that is sent first is the lowest.
constexpr std::uint32_t pack_address(const Ipv4Address &address) {
    return std::uint32_t{address[0]} | std::uint32_t{address[1]} << 8 |
           std::uint32_t{address[2]} << 16 | std::uint32_t{address[3]} << 24;
}

constexpr std::uint32_t pack_port(std::uint16_t port) {
    return (port & 0xFFu) << 8 | port >> 8;
}

constexpr std::uint32_t etqf_of(const EthertypeFilter &filter) {
    if (!filter.on)
        return 0;
    return etqf::FILTER_ENABLE | etqf::QUEUE_ENABLE |
           std::uint32_t{filter.queue} << etqf::QUEUE_SHIFT | filter.type;
}

constexpr std::uint32_t ftqf_of(const TupleFilter &filter) {
    const std::uint32_t bypass = ~std::uint32_t{filter.compared} << ftqf::BYPASS_SHIFT;

    if (!filter.on)
        return ftqf::OFF;
    return bypass | std::uint32_t{filter.queue} << ftqf::QUEUE_SHIFT | ftqf::VF_BYPASS |
           ftqf::QUEUE_ENABLE | filter.protocol;
}
static_assert(ftqf_of({.on = true, .compared = tuple::PROTOCOL}) ==
              ((ftqf::OFF & ~ftqf::PROTOCOL_BYPASS) | ftqf::QUEUE_ENABLE));
static_assert(ftqf_of({.on = true, .compared = tuple::SOURCE_PORT}) ==
              ((ftqf::OFF & ~ftqf::SOURCE_PORT_BYPASS) | ftqf::QUEUE_ENABLE));

constexpr std::uint32_t imir_of(const TupleFilter &filter) {
    if (!filter.on)
        return 0;
    return std::uint32_t{filter.priority} << imir::PRIORITY_SHIFT |
           (filter.compared & tuple::DESTINATION_PORT ? pack_port(filter.destination_port)
                                                      : imir::PORT_BYPASS);
}

constexpr std::uint32_t imirext_of(const TupleFilter &filter) {
    std::uint32_t flags = 0;

    if (!filter.on)
        return 0;
    for (unsigned int i = 0; i < nb_tcp_flags; i++)
        if (filter.tcp_flags & 1u << i)
            flags |= 1u << (imirext::FIN_SHIFT - i);
    return imirext::SIZE_BYPASS | (flags != 0 ? flags : imirext::FLAGS_BYPASS);
}

// The filter that timestamps PTP frames: the one that gives them to a queue, if there is one.
std::size_t timesync_place(const FlowFilters &filters) {
    return find_ethertype(filters, timesync::ETHERTYPE).value_or(timesync::ETQF_INDEX);
}

} // namespace

std::optional<std::size_t> find_ethertype(const FlowFilters &filters, std::uint16_t type) {
    for (std::size_t i = 0; i < nb_ethertype_filters; i++)
        if (filters.ethertypes[i].on && filters.ethertypes[i].type == type)
            return i;
    return std::nullopt;
}

std::optional<std::size_t> place_for_ethertype(const FlowFilters &filters, std::uint16_t type,
                                               bool timesync) {
    const bool is_free = !filters.ethertypes[timesync::ETQF_INDEX].on;

    if (type == timesync::ETHERTYPE && is_free)
        return timesync::ETQF_INDEX;
    for (std::size_t i = 0; i < nb_ethertype_filters; i++)
        if (i != timesync::ETQF_INDEX && !filters.ethertypes[i].on)
            return i;
    if (is_free && !timesync)
        return timesync::ETQF_INDEX;
    return std::nullopt;
}

bool timesync_has_room(const FlowFilters &filters) {
    const EthertypeFilter &filter = filters.ethertypes[timesync::ETQF_INDEX];

    return !filter.on || filter.type == timesync::ETHERTYPE;
}

bool same_tuple(const TupleFilter &one, const TupleFilter &other) {
    return one.priority == other.priority && one.compared == other.compared &&
           one.protocol == other.protocol && one.tcp_flags == other.tcp_flags &&
           one.source_port == other.source_port && one.destination_port == other.destination_port &&
           one.source_address == other.source_address &&
           one.destination_address == other.destination_address;
}

void Hw::apply_ethertypes(const Settings &settings) {
    const FlowFilters &filters = settings.flow;
    const std::size_t stamped = timesync_place(filters);

    for (std::uint16_t i = 0; i < nb_ethertype_filters; i++) {
        std::uint32_t value = etqf_of(filters.ethertypes[i]);
        if (settings.timesync && i == stamped)
            value |= timesync::ETHERTYPE | etqf::FILTER_ENABLE | etqf::TIMESTAMP;
        regs_.write(reg::ETQF(i), value);
    }
}

// The filter is off while its parts change, so that it never matches half of one rule and half of
// another.
void Hw::apply_tuple(std::uint16_t index, const TupleFilter &filter) {
    regs_.write(reg::FTQF(index), ftqf::OFF);
    regs_.write(reg::SAQF(index), pack_address(filter.source_address));
    regs_.write(reg::DAQF(index), pack_address(filter.destination_address));
    regs_.write(reg::SPQF(index), pack_port(filter.source_port));
    regs_.write(reg::IMIR(index), imir_of(filter));
    regs_.write(reg::IMIREXT(index), imirext_of(filter));
    if (filter.on)
        regs_.write(reg::FTQF(index), ftqf_of(filter));
}

void Hw::apply_syn(const SynFilter &filter) {
    set_bits(reg::RFCTL, rfctl::SYNQFP, filter.on && filter.first ? rfctl::SYNQFP : 0);
    regs_.write(reg::SYNQF,
                filter.on ? synqf::ENABLE | std::uint32_t{filter.queue} << synqf::QUEUE_SHIFT : 0);
}

void Hw::apply_flow(const Settings &settings) {
    apply_ethertypes(settings);
    for (std::uint16_t i = 0; i < nb_tuple_filters; i++)
        apply_tuple(i, settings.flow.tuples[i]);
    apply_syn(settings.flow.syn);
    apply_rss(rss_in_force(settings));
}

} // namespace igb
