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

// RLEC has what is too long as well (13.7.15 of the manual of the PCI and PCI-X controllers, whose
// register it is), so ROC (SDM 14.9.34) would count it again; DPDK 22.11.11 leaves it out too
// (igb_ethdev.c, eth_igb_stats_get()).
HwStats Hw::take_stats(std::uint16_t nb_rx_queues) {
    HwStats taken;

    for (std::size_t i = 0; i < counters.size(); i++)
        taken.counts[i] = counters[i].high != 0
                              ? read_octets(regs_, counters[i].low, counters[i].high)
                              : regs_.read(counters[i].low);
    taken.rx_packets = regs_.read(reg::GPRC);
    taken.tx_packets = regs_.read(reg::GPTC);
    taken.rx_bytes = read_octets(regs_, reg::GORCL, reg::GORCH);
    taken.tx_bytes = read_octets(regs_, reg::GOTCL, reg::GOTCH);
    taken.rx_missed = taken.counts[counter_of(reg::MPC)];
    taken.rx_errors = regs_.read(reg::RXERRC);
    for (const std::size_t counter : {counter_of(reg::CRCERRS), counter_of(reg::ALGNERRC),
                                      counter_of(reg::RLEC), counter_of(reg::CEXTERR)})
        taken.rx_errors += taken.counts[counter];
    for (const std::size_t counter : {counter_of(reg::ECOL), counter_of(reg::LATECOL)})
        taken.tx_errors += taken.counts[counter];
    for (std::uint16_t queue = 0; queue < nb_rx_queues && queue < max_queues; queue++)
        taken.rx_queue_dropped[queue] = regs_.read(reg::RQDPC(queue));
    return taken;
}

void Hw::read_stats(HwStats &stats, std::uint16_t nb_rx_queues) {
    const HwStats taken = take_stats(nb_rx_queues);

    // A device that has gone meanwhile has answered with ones, which nobody has counted.
    if (regs_.read(reg::STATUS) == no_device)
        return;
    for (std::size_t i = 0; i < counters.size(); i++)
        stats.counts[i] += taken.counts[i];
    stats.rx_packets += taken.rx_packets;
    stats.tx_packets += taken.tx_packets;
    stats.rx_bytes += taken.rx_bytes;
    stats.tx_bytes += taken.tx_bytes;
    stats.rx_missed += taken.rx_missed;
    stats.rx_errors += taken.rx_errors;
    stats.tx_errors += taken.tx_errors;
    for (std::uint16_t queue = 0; queue < max_queues; queue++)
        stats.rx_queue_dropped[queue] += taken.rx_queue_dropped[queue];
}

void Hw::clear_stats() {
    HwStats discarded;

    read_stats(discarded, max_queues);
}

} // namespace igb
