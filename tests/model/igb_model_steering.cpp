// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The queue of the model that a frame from the wire goes to, by registers alone: what the driver
// has in mind is not looked at. The order is that of hw/igb_flow_filter.hpp. Frames have no tags.

#include <algorithm>
#include <array>
#include <optional>

#include "hw/igb_filter_regs.hpp"
#include "igb_model.hpp"

namespace model {

using namespace igb;

namespace {

constexpr std::size_t ether_bytes = 14;
constexpr std::size_t ipv6_bytes = 40;
constexpr std::uint8_t protocol_tcp = 6;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::uint8_t protocol_sctp = 132;
constexpr std::uint8_t flag_syn = 1u << 1;

using Bytes = std::span<const std::uint8_t>;

// What the filters look at.
struct Headers {
    std::uint16_t type = 0;
    bool ipv4 = false;
    bool ipv6 = false;
    std::uint8_t protocol = 0;
    Bytes addresses; // source and destination
    Bytes ports;     // the same; none but for TCP, UDP and SCTP
    std::uint8_t tcp_flags = 0;
};

void parse_l4(Headers &headers, Bytes l4) {
    const std::array protocols = {protocol_tcp, protocol_udp, protocol_sctp};

    if (std::find(protocols.begin(), protocols.end(), headers.protocol) == protocols.end() ||
        l4.size() < 4)
        return;
    headers.ports = l4.first(4);
    if (headers.protocol == protocol_tcp && l4.size() > 13)
        headers.tcp_flags = l4[13];
}

Headers parse(Bytes frame) {
    Headers headers;

    if (frame.size() < ether_bytes)
        return headers;
    headers.type = static_cast<std::uint16_t>(frame[12] << 8 | frame[13]);
    const Bytes l3 = frame.subspan(ether_bytes);
    if (headers.type == 0x0800 && l3.size() >= 20 && l3.size() >= (l3[0] & 0xFu) * 4) {
        headers.ipv4 = true;
        headers.protocol = l3[9];
        headers.addresses = l3.subspan(12, 8);
        parse_l4(headers, l3.subspan((l3[0] & 0xFu) * 4));
    } else if (headers.type == 0x86DD && l3.size() >= ipv6_bytes) {
        headers.ipv6 = true;
        headers.protocol = l3[6];
        headers.addresses = l3.subspan(8, 32);
        parse_l4(headers, l3.subspan(ipv6_bytes));
    }
    return headers;
}

// As a register has bytes of the wire.
std::uint32_t load(Bytes bytes) {
    std::uint32_t value = 0;

    for (std::size_t i = 0; i < bytes.size(); i++)
        value |= std::uint32_t{bytes[i]} << 8 * i;
    return value;
}

// The flags of a segment where IMIREXT has them.
std::uint32_t flags_in_imirext(std::uint8_t flags) {
    std::uint32_t bits = 0;

    for (unsigned int i = 0; i < 6; i++)
        if (flags & 1u << i)
            bits |= 1u << (imirext::FIN_SHIFT - i);
    return bits;
}

// Bits of the input choose which parts of the key are summed up (Microsoft, RSS hashing types).
std::uint32_t toeplitz(Bytes input, Bytes key) {
    std::uint64_t window = 0;
    std::uint32_t hash = 0;

    for (std::size_t i = 0; i < 8; i++)
        window = window << 8 | key[i];
    for (std::size_t i = 0; i < input.size(); i++) {
        for (unsigned int bit = 0; bit < 8; bit++)
            if (input[i] & 0x80u >> bit)
                hash ^= static_cast<std::uint32_t>(window << bit >> 32);
        window = window << 8 | (i + 8 < key.size() ? key[i + 8] : 0);
    }
    return hash;
}

bool tuple_matches(const Igb &device, std::uint16_t index, const Headers &headers) {
    const std::uint32_t filter = device.peek(reg::FTQF(index));
    const std::uint32_t port = device.peek(reg::IMIR(index));
    const std::uint32_t extended = device.peek(reg::IMIREXT(index));
    const bool has_ports = !headers.ports.empty();

    if (!(filter & ftqf::QUEUE_ENABLE) || !headers.ipv4)
        return false;
    if (!(filter & ftqf::PROTOCOL_BYPASS) && (filter & ftqf::PROTOCOL_MASK) != headers.protocol)
        return false;
    if (!(filter & ftqf::SOURCE_ADDRESS_BYPASS) &&
        device.peek(reg::SAQF(index)) != load(headers.addresses.first(4)))
        return false;
    if (!(filter & ftqf::DESTINATION_ADDRESS_BYPASS) &&
        device.peek(reg::DAQF(index)) != load(headers.addresses.last(4)))
        return false;
    if (!(filter & ftqf::SOURCE_PORT_BYPASS) &&
        !(has_ports && device.peek(reg::SPQF(index)) == load(headers.ports.first(2))))
        return false;
    if (!(port & imir::PORT_BYPASS) &&
        !(has_ports && (port & imir::PORT_MASK) == load(headers.ports.last(2))))
        return false;
    const std::uint32_t wanted = extended & flags_in_imirext(0x3F);
    return (extended & imirext::SIZE_BYPASS) &&
           ((extended & imirext::FLAGS_BYPASS) ||
            (flags_in_imirext(headers.tcp_flags) & wanted) == wanted);
}

std::optional<std::uint16_t> by_ethertype(const Igb &device, const Headers &headers) {
    std::optional<std::uint16_t> queue;

    for (std::uint16_t i = 0; i < nb_ethertype_filters; i++) {
        constexpr std::uint32_t on = etqf::FILTER_ENABLE | etqf::QUEUE_ENABLE;
        const std::uint32_t filter = device.peek(reg::ETQF(i));
        if ((filter & on) == on && (filter & etqf::TYPE_MASK) == headers.type)
            queue = static_cast<std::uint16_t>((filter & etqf::QUEUE_MASK) >> etqf::QUEUE_SHIFT);
    }
    return queue; // of the last
}

std::optional<std::uint16_t> by_syn(const Igb &device, const Headers &headers) {
    const std::uint32_t filter = device.peek(reg::SYNQF);

    if (!(filter & synqf::ENABLE) || !(headers.tcp_flags & flag_syn))
        return std::nullopt;
    return static_cast<std::uint16_t>((filter & synqf::QUEUE_MASK) >> synqf::QUEUE_SHIFT);
}

// The highest priority decides, then the lowest number.
std::optional<std::uint16_t> by_tuple(const Igb &device, const Headers &headers) {
    std::optional<std::uint16_t> best;
    const auto priority = [&](std::uint16_t index) {
        return device.peek(reg::IMIR(index)) >> imir::PRIORITY_SHIFT;
    };

    for (std::uint16_t i = 0; i < nb_tuple_filters; i++)
        if (tuple_matches(device, i, headers) && (!best || priority(i) > priority(*best)))
            best = i;
    if (!best)
        return std::nullopt;
    return static_cast<std::uint16_t>((device.peek(reg::FTQF(*best)) & ftqf::QUEUE_MASK) >>
                                      ftqf::QUEUE_SHIFT);
}

// What RSS hashes of a frame; nothing if no field of MRQC is for it.
std::vector<std::uint8_t> hash_input(std::uint32_t fields, const Headers &headers) {
    std::vector<std::uint8_t> input;
    const std::uint32_t plain = headers.ipv4 ? mrqc::IPV4 : headers.ipv6 ? mrqc::IPV6 : 0;
    std::uint32_t with_ports = 0;

    if (headers.protocol == protocol_tcp)
        with_ports = headers.ipv4 ? mrqc::IPV4_TCP : mrqc::IPV6_TCP;
    else if (headers.protocol == protocol_udp)
        with_ports = headers.ipv4 ? mrqc::IPV4_UDP : mrqc::IPV6_UDP;
    if (fields & (plain | with_ports))
        input.assign(headers.addresses.begin(), headers.addresses.end());
    if (fields & with_ports)
        input.insert(input.end(), headers.ports.begin(), headers.ports.end());
    return input;
}

} // namespace

std::optional<std::uint32_t> Igb::rss_hash(std::span<const std::uint8_t> frame) const {
    const std::uint32_t control = peek(reg::MRQC);
    std::array<std::uint8_t, 40> key;

    if ((control & 7) != mrqc::ENABLE_RSS)
        return std::nullopt;
    const std::vector<std::uint8_t> input = hash_input(control, parse(frame));
    if (input.empty())
        return std::nullopt;
    for (std::uint32_t i = 0; i < key.size(); i++)
        key[i] = static_cast<std::uint8_t>(peek(reg::RSSRK + i / 4 * 4) >> i % 4 * 8);
    return toeplitz(input, key);
}

std::uint16_t Igb::queue_for(std::span<const std::uint8_t> frame) const {
    const Headers headers = parse(frame);
    const bool syn_first = (peek(reg::RFCTL) & rfctl::SYNQFP) != 0;

    if (const auto queue = by_ethertype(*this, headers))
        return *queue;
    if (const auto queue = by_syn(*this, headers); queue && syn_first)
        return *queue;
    if (const auto queue = by_tuple(*this, headers))
        return *queue;
    if (const auto queue = by_syn(*this, headers))
        return *queue;
    if (const auto hash = rss_hash(frame)) {
        const std::uint32_t entry = *hash & 0x7F;
        return static_cast<std::uint16_t>(peek(reg::RETA + entry / 4 * 4) >> entry % 4 * 8 & 0xF);
    }
    return 0;
}

// A filter that is on matches what is half one rule and half another while it changes.
void Igb::check_filter_write(std::uint32_t offset) {
    for (std::uint16_t i = 0; i < nb_tuple_filters; i++) {
        const std::array parts = {reg::SAQF(i), reg::DAQF(i), reg::SPQF(i), reg::IMIR(i),
                                  reg::IMIREXT(i)};
        if ((peek(reg::FTQF(i)) & ftqf::QUEUE_ENABLE) &&
            std::find(parts.begin(), parts.end(), offset) != parts.end())
            violation("n-tuple filter " + std::to_string(i) + " changed while it is on");
    }
}

} // namespace model
