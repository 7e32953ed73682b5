// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the device is told of a port's configuration, rings apart: the shadow of its registers.
// A port has one. Whoever changes it applies the part that he has changed (Hw::apply_*()); a start
// applies all of it. To apply a part twice is to apply it once.

#include <array>
#include <cstdint>

namespace igb {

using MacAddress = std::array<std::uint8_t, 6>;

inline constexpr std::uint16_t reta_size = 128; // SDM 5.4.2.2
inline constexpr std::uint16_t rss_key_size = 40;

struct Rss {
    std::uint32_t fields; // of mrqc::, without the mode; 0: no RSS, all packets to queue 0
    std::array<std::uint8_t, rss_key_size> key;
    std::array<std::uint8_t, reta_size> reta; // queue of each hash value, modulo 128
};

struct RxOffloads {
    bool ip_checksum = false; // check the IPv4 header's
    bool l4_checksum = false; // check TCP's and UDP's
    bool vlan_strip = false;  // tags go from the frame to the descriptor, on all queues
};

struct Settings {
    MacAddress mac{};
    bool promiscuous = false;
    bool all_multicast = false;
    std::uint32_t max_frame = 0; // longest frame accepted, with its CRC, in bytes
    RxOffloads offloads{};
    Rss rss{};
};

} // namespace igb
