// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Advanced receive and transmit descriptors of the 82576, and what may be asked of them.
//
// Both are 16 bytes, little-endian, and have two readings: what software writes for the
// device, and what the device writes back over it.
//
//     receive, read          receive, write-back
//     +0 packet address      +0 packet type, header info | RSS hash
//     +8 header address      +8 status and errors | length | VLAN tag
//
//     transmit, read                      transmit, write-back
//     +0 buffer address                   +0 reserved
//     +8 length, type, command | payload  +8 reserved | status
//
// Sources: 82575EB SDM (324632-003, revision 2.1) 5.3.4 for receive and 5.6.8 for
// transmit; bit positions as in QEMU's hw/net/igb_core.c (commit 00f76608a68d).

#include <bit>
#include <cstddef>
#include <cstdint>

#include "hw/igb_regs.hpp"

namespace igb {

static_assert(std::endian::native == std::endian::little,
              "descriptors are little-endian; a big-endian CPU needs conversions here");

// Receive descriptor as two quadwords, the unit in which it is read and written.
struct RxDesc {
    std::uint64_t lo; // Packet buffer address; written back: packet type and RSS hash.
    std::uint64_t hi; // Header buffer address; written back: status, length, VLAN tag.
};
static_assert(sizeof(RxDesc) == desc_size);
static_assert(offsetof(RxDesc, hi) == 8);

// Transmit descriptor as two quadwords.
struct TxDesc {
    std::uint64_t address; // Of the data buffer.
    std::uint64_t command; // Length, type and command below, status and payload length above.
};
static_assert(sizeof(TxDesc) == desc_size);
static_assert(offsetof(TxDesc, command) == 8);

// Bits of the write-back status and error word, low half of RxDesc::hi (SDM p. 114, 5.3.4.9).
namespace rx_status {
inline constexpr std::uint32_t DD = 1u << 0;
inline constexpr std::uint32_t EOP = 1u << 1;
inline constexpr unsigned int VP_SHIFT = 3;
inline constexpr std::uint32_t VP = 1u << VP_SHIFT; // VLAN tag stripped into the descriptor
inline constexpr unsigned int CHECKED_SHIFT = 4;
inline constexpr std::uint32_t UDPCS = 1u << 4; // UDP checksum was checked
inline constexpr std::uint32_t TCPCS = 1u << 5; // TCP or UDP checksum was checked
inline constexpr std::uint32_t IPCS = 1u << 6;  // IPv4 header checksum was checked
inline constexpr std::uint32_t CE = 1u << 24;   // CRC or alignment
inline constexpr std::uint32_t SE = 1u << 25;   // symbol
inline constexpr unsigned int CHECKSUM_SHIFT = 29;
inline constexpr std::uint32_t L4E = 1u << 29; // TCP or UDP checksum wrong
inline constexpr std::uint32_t IPE = 1u << 30; // IPv4 header checksum wrong
inline constexpr std::uint32_t RXE = 1u << 31; // data error seen by the PHY
// Errors of the frame itself; checksum errors leave the frame usable.
inline constexpr std::uint32_t FRAME_ERRORS = CE | SE | RXE;
} // namespace rx_status

// Fields of the low half of RxDesc::lo (DPDK 22.11.11,
// drivers/net/e1000/base/e1000_82575.h, union e1000_adv_rx_desc); the hash is above.
namespace rx_info {
inline constexpr std::uint32_t RSS_TYPE_MASK = 0xF; // 0: no hash was calculated
inline constexpr unsigned int PACKET_TYPE_SHIFT = 4;
inline constexpr std::uint32_t PACKET_TYPE_MASK = 0x7F;
inline constexpr std::uint32_t ETQF = 1u
                                      << 15; // the packet type is the number of an EtherType filter
} // namespace rx_info

// A descriptor that gives the device an empty buffer. The zero that goes into the header
// address is also what clears DD and length of the last lap.
constexpr RxDesc rx_desc_read(std::uint64_t buffer) {
    return {.lo = buffer, .hi = 0};
}

// Status and errors of a written-back descriptor.
constexpr std::uint32_t rx_desc_status(std::uint64_t hi) {
    return static_cast<std::uint32_t>(hi);
}

// Bytes in the packet buffer, including the CRC if it is not stripped (SDM 5.3.4.10).
constexpr std::uint16_t rx_desc_length(std::uint64_t hi) {
    return static_cast<std::uint16_t>(hi >> 32);
}

// What the device writes back; for the model and the tests.
constexpr RxDesc rx_desc_written(std::uint32_t status, std::uint16_t length, std::uint32_t rss_hash,
                                 std::uint16_t info, std::uint16_t vlan = 0) {
    return {.lo = std::uint64_t{rss_hash} << 32 | info,
            .hi = std::uint64_t{vlan} << 48 | std::uint64_t{length} << 32 | status};
}

// Command and type bits, low half of TxDesc::command (SDM 5.6.8.4). The manual prints the
// context descriptor's 0010b as DTYP of this one (p. 143); Linux, DPDK and QEMU have 0011b.
namespace tx_cmd {
inline constexpr std::uint32_t LENGTH_MASK = 0xFFFF;
inline constexpr std::uint32_t DTYP_CONTEXT = 2u << 20;
inline constexpr std::uint32_t DTYP_DATA = 3u << 20;
inline constexpr std::uint32_t DTYP_MASK = 0xFu << 20;
inline constexpr std::uint32_t TSTAMP = 1u << 19; // keep the time (DPDK, E1000_ADVTXD_MAC_TSTAMP)
inline constexpr std::uint32_t EOP = 1u << 24;
inline constexpr std::uint32_t IFCS = 1u << 25;
inline constexpr std::uint32_t RS = 1u << 27;
inline constexpr std::uint32_t DEXT = 1u << 29;
inline constexpr std::uint32_t VLE = 1u << 30; // insert the context's VLAN tag
inline constexpr std::uint32_t TSE = 1u << 31; // cut into TCP segments
// Part of a packet to which the device appends the CRC; and a whole packet in one buffer.
inline constexpr std::uint32_t PART = DTYP_DATA | IFCS | DEXT;
inline constexpr std::uint32_t SINGLE = PART | EOP;
} // namespace tx_cmd

inline constexpr unsigned int tx_paylen_shift = 32 + 14;             // bits 31:14 of the upper word
inline constexpr std::uint64_t tx_done_bit = std::uint64_t{1} << 32; // DD, lowest bit of the status

// Command quadword of a packet that is one buffer of length bytes, DD clear.
constexpr std::uint64_t tx_desc_command(std::uint16_t length) {
    return std::uint64_t{tx_cmd::SINGLE} | length | std::uint64_t{length} << tx_paylen_shift;
}

// What the device is to do with a packet by its context (POPTS, bits 41:40): VLE and TSE are
// beside.
inline constexpr std::uint64_t tx_insert_ip_checksum = std::uint64_t{1} << 40;
inline constexpr std::uint64_t tx_insert_l4_checksum = std::uint64_t{1} << 41;

// Command quadword of one buffer of a packet, DD clear. payload and options stand in every
// descriptor of the packet, as in DPDK 22.11.11, igb_rxtx.c, eth_igb_xmit_pkts(); payload is the
// packet's bytes, with TSE but for the header.
constexpr std::uint64_t tx_desc_part(std::uint16_t length, std::uint32_t payload,
                                     std::uint64_t options, bool is_last) {
    return std::uint64_t{is_last ? tx_cmd::SINGLE : tx_cmd::PART} | length | options |
           std::uint64_t{payload} << tx_paylen_shift;
}

// Fields of a context descriptor, which says where the headers are of the packets behind it until
// the next one: where TxDesc has the address, and where it has the command. It is not written back.
// Bits as in DPDK 22.11.11, drivers/net/e1000/base/e1000_82575.h and e1000_defines.h.
namespace tx_context {
inline constexpr unsigned int MACLEN_SHIFT = 9; // above IPLEN
inline constexpr unsigned int VLAN_SHIFT = 16;
inline constexpr std::uint64_t IPV4 = 1u << 10;
inline constexpr std::uint64_t L4_UDP = 0u << 11;
inline constexpr std::uint64_t L4_TCP = 1u << 11;
inline constexpr std::uint64_t L4_SCTP = 2u << 11;
inline constexpr std::uint64_t L4_NONE = 3u << 11;
inline constexpr unsigned int L4LEN_SHIFT = 32 + 8;
inline constexpr unsigned int MSS_SHIFT = 32 + 16;
} // namespace tx_context

constexpr bool tx_desc_is_context(std::uint64_t command) {
    return (command & tx_cmd::DTYP_MASK) == tx_cmd::DTYP_CONTEXT;
}

// The same asking for a write-back.
inline constexpr std::uint64_t tx_report_status = tx_cmd::RS;

constexpr bool tx_desc_done(std::uint64_t command) {
    return (command & tx_done_bit) != 0;
}

} // namespace igb
