// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Frames for filters to tell apart.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <netinet/in.h>

namespace test {

struct FrameFields {
    std::uint8_t protocol = IPPROTO_UDP;
    std::uint32_t source = 0xC0A80001; // 192.168.0.1
    std::uint32_t destination = 0xC0A80002;
    std::uint16_t source_port = 1024;
    std::uint16_t destination_port = 80;
    std::uint8_t tcp_flags = 0;
};

inline void put16(std::vector<std::uint8_t> &bytes, std::size_t at, std::uint16_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

// Of 64 bytes with its CRC, as the wire has it.
inline std::vector<std::uint8_t> ether_frame(std::uint16_t type, std::size_t length = 60) {
    std::vector<std::uint8_t> frame(length);

    frame[0] = 0x52;
    put16(frame, 12, type);
    return frame;
}

inline void put_l4(std::vector<std::uint8_t> &frame, std::size_t at, const FrameFields &fields) {
    put16(frame, at, fields.source_port);
    put16(frame, at + 2, fields.destination_port);
    if (fields.protocol == IPPROTO_TCP)
        frame[at + 13] = fields.tcp_flags;
}

inline std::vector<std::uint8_t> ipv4_frame(const FrameFields &fields) {
    std::vector<std::uint8_t> frame = ether_frame(0x0800);

    frame[14] = 0x45;
    frame[23] = fields.protocol;
    put16(frame, 26, static_cast<std::uint16_t>(fields.source >> 16));
    put16(frame, 28, static_cast<std::uint16_t>(fields.source));
    put16(frame, 30, static_cast<std::uint16_t>(fields.destination >> 16));
    put16(frame, 32, static_cast<std::uint16_t>(fields.destination));
    put_l4(frame, 34, fields);
    return frame;
}

// Addresses 2001::source and 2001::destination.
inline std::vector<std::uint8_t> ipv6_frame(const FrameFields &fields) {
    std::vector<std::uint8_t> frame = ether_frame(0x86DD, 80);

    frame[14] = 0x60;
    frame[20] = fields.protocol;
    put16(frame, 22, 0x2001);
    put16(frame, 36, static_cast<std::uint16_t>(fields.source));
    put16(frame, 38, 0x2001);
    put16(frame, 52, static_cast<std::uint16_t>(fields.destination));
    put_l4(frame, 54, fields);
    return frame;
}

} // namespace test
