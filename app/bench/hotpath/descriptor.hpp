// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The advanced descriptors of 82576 and 82599 as the device sees them. Written anew and not
// taken from the driver, so that a mistake there is not one here as well.
//
// Offsets and bits as in DPDK 22.11.11, drivers/net/e1000/base/e1000_82575.h and
// e1000_defines.h; the 82599's are the same but for the place of two errors
// (drivers/net/ixgbe/base/ixgbe_type.h).

#pragma once

#include <cstdint>

namespace bench {

// Either ring's entry: address and command on the way down, two other words on the way up.
struct Descriptor {
    std::uint64_t lo;
    std::uint64_t hi;
};
static_assert(sizeof(Descriptor) == 16);

// Receive, written back: lo = packet type, RSS hash; hi = status, errors, length, VLAN.
namespace rx {
inline constexpr std::uint32_t DD = 1u << 0;
inline constexpr std::uint32_t EOP = 1u << 1;
inline constexpr std::uint32_t VP = 1u << 3;    // VLAN tag stripped
inline constexpr std::uint32_t UDPCS = 1u << 4; // UDP checksum calculated
inline constexpr std::uint32_t L4CS = 1u << 5;  // layer 4 checksum calculated
inline constexpr std::uint32_t IPCS = 1u << 6;  // IPv4 checksum calculated
inline constexpr std::uint32_t L4E = 1u << 29;  // layer 4 checksum wrong; 82599: bit 30
inline constexpr std::uint32_t IPE = 1u << 30;  // IPv4 checksum wrong; 82599: bit 31
inline constexpr std::uint32_t RSS_IPV4_UDP = 7;
inline constexpr std::uint32_t RSS_MASK = 0xF;
inline constexpr std::uint32_t TYPE_SHIFT = 4; // of the packet type in lo
inline constexpr std::uint32_t TYPE_MASK = 0x7F;
inline constexpr std::uint32_t TYPE_IPV4 = 1u << 0;
inline constexpr std::uint32_t TYPE_UDP = 1u << 5;
inline constexpr std::uint32_t TYPE_ETQF = 1u << 11; // an EtherType filter matched
inline constexpr std::uint32_t TYPE_BITS = 0xFFF;

constexpr Descriptor written(std::uint32_t status, std::uint16_t length, std::uint16_t vlan,
                             std::uint32_t hash, std::uint16_t info) {
    return {.lo = std::uint64_t{hash} << 32 | info,
            .hi = std::uint64_t{vlan} << 48 | std::uint64_t{length} << 32 | status};
}
} // namespace rx

// Transmit: lo = address, hi = length, command and payload length; then hi = DD.
namespace tx {
inline constexpr std::uint64_t RS = std::uint64_t{1} << 27; // write back when done
inline constexpr std::uint64_t DD = std::uint64_t{1} << 32;
inline constexpr std::uint64_t LENGTH = 0xFFFF;
// Data descriptor of the advanced format, whole packet, CRC to be appended.
inline constexpr std::uint64_t SINGLE = 3u << 20 | 1u << 24 | 1u << 25 | 1u << 29;
inline constexpr unsigned int PAYLOAD_SHIFT = 46;
inline constexpr std::uint64_t VLE = std::uint64_t{1} << 30;           // insert the context's tag
inline constexpr std::uint64_t TSE = std::uint64_t{1} << 31;           // cut into segments
inline constexpr std::uint64_t CONTEXT_INDEX = std::uint64_t{7} << 36; // of which context
inline constexpr std::uint64_t IXSM = std::uint64_t{1} << 40;          // insert the IPv4 checksum
inline constexpr std::uint64_t TXSM = std::uint64_t{1} << 41;          // insert that of layer 4

// A context: lo = lengths of headers and tag; hi = type, header of layer 4 and MSS, index.
inline constexpr std::uint64_t TYPE = 15u << 20;
inline constexpr std::uint64_t TYPE_CONTEXT = 2u << 20;
namespace context {
inline constexpr std::uint64_t L2_L3_LENGTHS = 0xFFFF;
inline constexpr std::uint64_t VLAN = 0xFFFFu << 16;
inline constexpr std::uint64_t IPV4 = 1u << 10;
inline constexpr std::uint64_t L4_TYPE = 3u << 11;
inline constexpr std::uint64_t L4_LENGTH = std::uint64_t{0xFF} << 40;
inline constexpr std::uint64_t MSS = std::uint64_t{0xFFFF} << 48;
} // namespace context
} // namespace tx

} // namespace bench
