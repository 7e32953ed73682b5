// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// PTP: the port's clock, and the times at which frames passed.
//
//     time = what the device's clock counts + what it has counted before it wrapped + offset
//
// The device's clock wraps in 78 hours, and is read more often than that by whoever synchronises
// it. rte_eth_timesync_write_time() and rte_eth_timesync_adjust_time() change the offset alone.

#include <cerrno>

#include <rte_time.h>

#include "ethdev/igb_ethdev.hpp"

namespace igb {

namespace {

// Nanoseconds in which the clock wraps.
constexpr std::uint64_t lap_ns = std::uint64_t{1} << (64 - timesync::SUB_NS_BITS);

constexpr std::uint64_t to_ns(std::uint64_t clock) {
    return clock >> timesync::SUB_NS_BITS;
}

// The device's clock now, having seen whether it has wrapped.
std::uint64_t read_clock(rte_eth_dev *dev) {
    PortClock &clock = port_of(dev).clock;
    const std::uint64_t now = hw_of(dev).clock();

    if (now < clock.last)
        clock.laps_ns += lap_ns;
    clock.last = now;
    return now;
}

// The port's time when the device's clock was at, which is not long ago.
std::uint64_t time_of(rte_eth_dev *dev, std::uint64_t at) {
    const std::uint64_t now = read_clock(dev);
    const PortClock &clock = port_of(dev).clock;
    const std::uint64_t before = at > now ? lap_ns : 0; // of the lap before

    return to_ns(at) + clock.laps_ns - before + clock.offset_ns;
}

int tell(rte_eth_dev *dev, const std::optional<std::uint64_t> &stamp, timespec *time) {
    if (!stamp)
        return -EINVAL;
    *time = rte_ns_to_timespec(time_of(dev, *stamp));
    return 0;
}

} // namespace

int timesync_enable(rte_eth_dev *dev) {
    Port &port = port_of(dev);
    Hw hw = hw_of(dev);

    if (!timesync_has_room(port.settings.flow)) {
        IGB_PORT_LOG(ERR, dev,
                     "timestamps need EtherType filter %u, which a flow rule has: destroy the rule "
                     "that was made when the other filters were taken",
                     timesync::ETQF_INDEX);
        return -EBUSY;
    }
    port.clock = {};
    port.settings.timesync = true;
    hw.apply_ethertypes(port.settings);
    hw.apply_timesync(true);
    return 0;
}

int timesync_disable(rte_eth_dev *dev) {
    Settings &settings = port_of(dev).settings;
    Hw hw = hw_of(dev);

    settings.timesync = false;
    hw.apply_timesync(false);
    hw.apply_ethertypes(settings);
    return 0;
}

int timesync_read_time(rte_eth_dev *dev, timespec *time) {
    *time = rte_ns_to_timespec(time_of(dev, read_clock(dev)));
    return 0;
}

int timesync_write_time(rte_eth_dev *dev, const timespec *time) {
    PortClock &clock = port_of(dev).clock;

    clock.offset_ns = 0;
    clock.offset_ns = rte_timespec_to_ns(time) - time_of(dev, read_clock(dev));
    return 0;
}

int timesync_adjust_time(rte_eth_dev *dev, std::int64_t delta) {
    port_of(dev).clock.offset_ns += static_cast<std::uint64_t>(delta);
    return 0;
}

int timesync_read_rx_timestamp(rte_eth_dev *dev, timespec *time, std::uint32_t) {
    return tell(dev, hw_of(dev).rx_timestamp(), time);
}

int timesync_read_tx_timestamp(rte_eth_dev *dev, timespec *time) {
    return tell(dev, hw_of(dev).tx_timestamp(), time);
}

} // namespace igb
