// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the device is told of a port's configuration, rings apart: the shadow of its registers.
// A port has one. Whoever changes it applies the part that he has changed (Hw::apply_*()); a start
// applies all of it. To apply a part twice is to apply it once.

#include <array>
#include <cstdint>

#include "hw/igb_flow_filter.hpp"
#include "hw/igb_regs.hpp"

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
    bool vlan_extend = false; // frames have an outer tag, which counts in their length
    bool vlan_strip = false;  // tags go from the frame to the descriptor, on all queues
    bool keep_crc = false;    // the CRC comes with the frame
    bool vlan_filter = false; // tagged frames come only if their VLAN is known
};

// A speed and a duplex; any set of them may be advertised.
namespace link_mode {
inline constexpr std::uint8_t M10_HALF = 1u << 0;
inline constexpr std::uint8_t M10_FULL = 1u << 1;
inline constexpr std::uint8_t M100_HALF = 1u << 2;
inline constexpr std::uint8_t M100_FULL = 1u << 3;
inline constexpr std::uint8_t M1000_FULL = 1u << 4;
inline constexpr std::uint8_t ALL = M10_HALF | M10_FULL | M100_HALF | M100_FULL | M1000_FULL;
} // namespace link_mode

// PAUSE frames: which way.
namespace pause {
inline constexpr std::uint8_t NONE = 0;
inline constexpr std::uint8_t RX = 1u << 0; // obey the other end's
inline constexpr std::uint8_t TX = 1u << 1; // send them
inline constexpr std::uint8_t FULL = RX | TX;
} // namespace pause

struct FlowControl {
    std::uint8_t mode = pause::NONE; // that is wanted; the other end may not want it
    std::uint32_t high_water = 0;    // bytes in the packet buffer from which on they are sent
    std::uint32_t low_water = 0;     // below which there is room again
    std::uint16_t time = 0;          // in units of 512 bit times
    bool send_xon = false;           // when there is room again
    bool forward_control_frames = false;

    bool operator==(const FlowControl &) const = default;
};

struct LinkSettings {
    std::uint8_t modes = link_mode::ALL; // of link_mode::
    bool fixed = false;                  // the one mode, 10 or 100 Mb/s, without negotiation
    std::uint8_t pause = pause::NONE;    // that is offered in a negotiation

    bool operator==(const LinkSettings &) const = default;
};

// A bit for each of 4096 VLANs or hashes of multicast addresses.
using FilterTable = std::array<std::uint32_t, table_words>;

struct Settings {
    LinkSettings link{};
    FlowControl flow_control{};
    MacAddress mac{};
    std::array<MacAddress, nb_receive_addresses - 1> more_macs{}; // of zeros: none
    FilterTable multicast{};
    FilterTable vlans{};
    bool promiscuous = false;
    bool all_multicast = false;
    std::uint32_t max_frame = 0;  // longest frame accepted, with its CRC, in bytes
    bool timesync = false;        // a clock runs, and PTP frames get its time
    std::uint16_t outer_tpid = 0; // 0: as the device comes up
    RxOffloads offloads{};
    Rss rss{};
    FlowFilters flow{}; // flow rules, RSS apart
    bool has_flow_rss = false;
    Rss flow_rss{}; // a flow rule's, which stands for rss while it is there
};

inline const Rss &rss_in_force(const Settings &settings) {
    return settings.has_flow_rss ? settings.flow_rss : settings.rss;
}

} // namespace igb
