// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Statistics registers of the 82576 (SDM 14.9). They are 32 bits wide and clear when they
// are read, so a reader adds them up; octet counters have a high half, whose read clears
// both, so the low half is read first.

#include "hw/igb_hw.hpp"

namespace igb {

namespace {

std::uint64_t read_octets(Registers regs, std::uint32_t low, std::uint32_t high) {
    const std::uint64_t value = regs.read(low);

    return value | std::uint64_t{regs.read(high)} << 32;
}

} // namespace

void Hw::read_stats(HwStats &stats, std::uint16_t nb_rx_queues) {
    stats.rx_packets += regs_.read(reg::GPRC);
    stats.tx_packets += regs_.read(reg::GPTC);
    stats.rx_bytes += read_octets(regs_, reg::GORCL, reg::GORCH);
    stats.tx_bytes += read_octets(regs_, reg::GOTCL, reg::GOTCH);
    stats.rx_missed += regs_.read(reg::MPC);
    for (const std::uint32_t counter :
         {reg::CRCERRS, reg::ALGNERRC, reg::RXERRC, reg::RLEC, reg::ROC, reg::CEXTERR})
        stats.rx_errors += regs_.read(counter);
    for (const std::uint32_t counter : {reg::ECOL, reg::LATECOL})
        stats.tx_errors += regs_.read(counter);
    for (std::uint16_t queue = 0; queue < nb_rx_queues && queue < max_queues; queue++)
        stats.rx_queue_dropped[queue] += regs_.read(reg::RQDPC(queue));
}

void Hw::clear_stats() {
    HwStats discarded;

    read_stats(discarded, max_queues);
}

} // namespace igb
