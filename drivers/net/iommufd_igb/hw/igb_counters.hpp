// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Statistics registers of the 82576 that have a name of their own, as stock has them: names and
// order of DPDK 22.11.11, igb_ethdev.c, rte_igb_stats_strings; offsets of its base/e1000_regs.h.
// All are 32 bits wide and clear when they are read, but for octets, which have a high half that
// clears both.

#include <array>
#include <cstddef>
#include <cstdint>

#include "hw/igb_regs.hpp"

namespace igb {

struct Counter {
    const char *name;
    std::uint32_t low;
    std::uint32_t high = 0;    // 0: none
    std::uint32_t packets = 0; // register of the packets whose CRCs are counted here, 0: none
};

inline constexpr auto counters = std::to_array<Counter>({
    {"rx_crc_errors", reg::CRCERRS},
    {"rx_align_errors", reg::ALGNERRC},
    {"rx_symbol_errors", 0x04008},
    {"rx_missed_packets", reg::MPC},
    {"tx_single_collision_packets", 0x04014},
    {"tx_multiple_collision_packets", 0x0401C},
    {"tx_excessive_collision_packets", reg::ECOL},
    {"tx_late_collisions", reg::LATECOL},
    {"tx_total_collisions", 0x04028},
    {"tx_deferred_packets", 0x04030},
    {"tx_no_carrier_sense_packets", 0x04034},
    {"rx_carrier_ext_errors", reg::CEXTERR},
    {"rx_length_errors", reg::RLEC},
    {"rx_xon_packets", 0x04048},
    {"tx_xon_packets", 0x0404C},
    {"rx_xoff_packets", 0x04050},
    {"tx_xoff_packets", 0x04054},
    {"rx_flow_control_unsupported_packets", 0x04058},
    {"rx_size_64_packets", 0x0405C},
    {"rx_size_65_to_127_packets", 0x04060},
    {"rx_size_128_to_255_packets", 0x04064},
    {"rx_size_256_to_511_packets", 0x04068},
    {"rx_size_512_to_1023_packets", 0x0406C},
    {"rx_size_1024_to_max_packets", 0x04070},
    {"rx_broadcast_packets", 0x04078},
    {"rx_multicast_packets", 0x0407C},
    {"rx_undersize_errors", 0x040A4},
    {"rx_fragment_errors", 0x040A8},
    {"rx_oversize_errors", reg::ROC},
    {"rx_jabber_errors", 0x040B0},
    // Stock never reads these three, and says 0.
    {"rx_management_packets", 0x040B4},
    {"rx_management_dropped", 0x040B8},
    {"tx_management_packets", 0x040BC},
    {"rx_total_packets", reg::TPR},
    {"tx_total_packets", reg::TPT},
    {.name = "rx_total_bytes", .low = 0x040C0, .high = 0x040C4, .packets = reg::TPR},
    {.name = "tx_total_bytes", .low = 0x040C8, .high = 0x040CC, .packets = reg::TPT},
    {"tx_size_64_packets", 0x040D8},
    {"tx_size_65_to_127_packets", 0x040DC},
    {"tx_size_128_to_255_packets", 0x040E0},
    {"tx_size_256_to_511_packets", 0x040E4},
    {"tx_size_512_to_1023_packets", 0x040E8},
    {"tx_size_1024_to_max_packets", 0x040EC},
    {"tx_multicast_packets", 0x040F0},
    {"tx_broadcast_packets", 0x040F4},
    {"tx_tso_packets", 0x040F8},
    {"tx_tso_errors", 0x040FC},
    {"rx_sent_to_host_packets", 0x04104},
    {"tx_sent_by_host_packets", 0x04118},
    {"rx_code_violation_packets", 0x04228},
    {"interrupt_assert_count", 0x04100},
});

// Counted since it was cleared last.
using Counts = std::array<std::uint64_t, counters.size()>;

// Which of them a register is.
consteval std::size_t counter_of(std::uint32_t low) {
    std::size_t i = 0;

    while (counters.at(i).low != low) // no constant expression beyond the end
        i++;
    return i;
}

} // namespace igb
