// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The clock of the 82576 and its timestamps. The order as DPDK 22.11.11, igb_ethdev.c,
// igb_timesync_enable() and igb_timesync_disable().

#include "hw/igb_hw.hpp"

namespace igb {

void Hw::apply_timesync(bool on) {
    const std::uint32_t enabled = on ? timesync::ENABLED : 0;

    regs_.write(reg::TIMINCA, 0);
    if (on) {
        regs_.write(reg::SYSTIML, 0);
        regs_.write(reg::SYSTIMH, 0);
        set_bits(reg::TSAUXC, timesync::TSAUXC_DISABLE, 0);
        regs_.write(reg::TIMINCA, timesync::TIMINCA_16_NS);
    }
    set_bits(reg::TSYNCRXCTL, timesync::ENABLED, enabled);
    set_bits(reg::TSYNCTXCTL, timesync::ENABLED, enabled);
}

std::uint64_t Hw::clock() const {
    const std::uint64_t low = regs_.read(reg::SYSTIML); // keeps the high half for the next read

    return low | std::uint64_t{regs_.read(reg::SYSTIMH)} << 32;
}

std::optional<std::uint64_t> Hw::rx_timestamp() {
    if (!(regs_.read(reg::TSYNCRXCTL) & timesync::VALID))
        return std::nullopt;
    const std::uint64_t low = regs_.read(reg::RXSTMPL);
    return low | std::uint64_t{regs_.read(reg::RXSTMPH)} << 32;
}

std::optional<std::uint64_t> Hw::tx_timestamp() {
    if (!(regs_.read(reg::TSYNCTXCTL) & timesync::VALID))
        return std::nullopt;
    const std::uint64_t low = regs_.read(reg::TXSTMPL);
    return low | std::uint64_t{regs_.read(reg::TXSTMPH)} << 32;
}

} // namespace igb
