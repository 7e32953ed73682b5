// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Registers of the filters that give a frame to a queue, reg::ETQF() apart, which igb_regs.hpp has.
//
// Sources, each checked in the file itself; no manual of the 82576 was at hand:
//
//   DPDK 22.11.11  drivers/net/e1000: base/e1000_regs.h, base/e1000_defines.h, base/e1000_82575.h,
//                  e1000_ethdev.h (fields of ETQF, FTQF, IMIR, SYNQF and RFCTL), and igb_ethdev.c,
//                  igb_inject_5tuple_filter_82576(), for byte order and bypass bits
//   Linux 7.3      drivers/net/ethernet/intel/igb: the same offsets in e1000_regs.h, the fields in
//                  e1000_82575.h; igb_ptp.c writes ports into IMIR and SPQF in network order too

#include <cstdint>

namespace igb {

inline constexpr std::uint16_t nb_ethertype_filters = 8;
inline constexpr std::uint16_t nb_tuple_filters = 8;

// ETQF and SYNQF have three bits for the number of a queue.
inline constexpr std::uint16_t nb_three_bit_queues = 8;

namespace reg {

inline constexpr std::uint32_t RFCTL = 0x05008;
inline constexpr std::uint32_t SYNQF = 0x055FC;

// Of filter index, of nb_tuple_filters.
constexpr std::uint32_t SAQF(std::uint16_t index) {
    return 0x05980 + 4u * index;
}
constexpr std::uint32_t DAQF(std::uint16_t index) {
    return 0x059A0 + 4u * index;
}
constexpr std::uint32_t SPQF(std::uint16_t index) {
    return 0x059C0 + 4u * index;
}
constexpr std::uint32_t FTQF(std::uint16_t index) {
    return 0x059E0 + 4u * index;
}
constexpr std::uint32_t IMIR(std::uint16_t index) {
    return 0x05A80 + 4u * index;
}
constexpr std::uint32_t IMIREXT(std::uint16_t index) {
    return 0x05AA0 + 4u * index;
}

} // namespace reg

namespace etqf {
inline constexpr std::uint32_t TYPE_MASK = 0xFFFF;
inline constexpr unsigned int QUEUE_SHIFT = 16;
inline constexpr std::uint32_t QUEUE_MASK = 7u << QUEUE_SHIFT;
inline constexpr std::uint32_t FILTER_ENABLE = 1u << 26;
inline constexpr std::uint32_t TIMESTAMP = 1u << 30;
inline constexpr std::uint32_t QUEUE_ENABLE = 1u << 31;
} // namespace etqf

namespace ftqf {
inline constexpr std::uint32_t PROTOCOL_MASK = 0xFF;
inline constexpr std::uint32_t QUEUE_ENABLE = 1u << 8;
inline constexpr std::uint32_t VF_BYPASS = 1u << 15;
inline constexpr unsigned int QUEUE_SHIFT = 16;
inline constexpr std::uint32_t QUEUE_MASK = 0x3FFu << QUEUE_SHIFT;
inline constexpr unsigned int BYPASS_SHIFT = 28; // fields that are not compared
inline constexpr std::uint32_t PROTOCOL_BYPASS = 1u << 28;
inline constexpr std::uint32_t SOURCE_ADDRESS_BYPASS = 1u << 29;
inline constexpr std::uint32_t DESTINATION_ADDRESS_BYPASS = 1u << 30;
inline constexpr std::uint32_t SOURCE_PORT_BYPASS = 1u << 31;
inline constexpr std::uint32_t BYPASS_MASK = 0xFu << BYPASS_SHIFT;
inline constexpr std::uint32_t OFF = VF_BYPASS | BYPASS_MASK; // as stock leaves it
} // namespace ftqf

// The destination port, with the priority of the filter of the same number: 7 is the highest (DPDK
// 22.11.11, e1000_ethdev.h, struct e1000_5tuple_filter_info).
namespace imir {
inline constexpr std::uint32_t PORT_MASK = 0xFFFF;
inline constexpr std::uint32_t PORT_BYPASS = 1u << 17;
inline constexpr unsigned int PRIORITY_SHIFT = 29;
} // namespace imir

// TCP's flags: FIN in bit 18 down to URG in bit 13, the other way round than in the header.
namespace imirext {
inline constexpr std::uint32_t SIZE_BYPASS = 1u << 12;
inline constexpr unsigned int FIN_SHIFT = 18;
inline constexpr std::uint32_t FLAGS_BYPASS = 1u << 19;
} // namespace imirext

namespace synqf {
inline constexpr std::uint32_t ENABLE = 1u << 0;
inline constexpr unsigned int QUEUE_SHIFT = 1;
inline constexpr std::uint32_t QUEUE_MASK = 7u << QUEUE_SHIFT;
} // namespace synqf

namespace rfctl {
inline constexpr std::uint32_t SYNQFP = 1u << 19; // SYNQF goes before the n-tuple filters
} // namespace rfctl

} // namespace igb
