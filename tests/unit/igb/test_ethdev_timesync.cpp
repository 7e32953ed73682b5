// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// PTP: the clock of a port, and timestamps.

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"
#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;
using test::bus;

class TimesyncTest : public test::PortTest {
protected:
    void SetUp() override {
        PortTest::SetUp();
        bring_up();
        ASSERT_EQ(0, rte_eth_timesync_enable(port_id));
    }

    // The device's clock and timestamps: a register for each half.
    void set(std::uint32_t low, std::uint64_t ns) {
        device().poke(low, static_cast<std::uint32_t>(ns << 16));
        device().poke(low + 4, static_cast<std::uint32_t>(ns >> 16));
    }

    static std::int64_t ns_of(const timespec &time) {
        return time.tv_sec * 1'000'000'000 + time.tv_nsec;
    }

    static std::int64_t now() {
        timespec time{};

        EXPECT_EQ(0, rte_eth_timesync_read_time(port_id, &time));
        return ns_of(time);
    }
};

TEST_F(TimesyncTest, WhatTheDeviceIsTold) {
    for (int round = 0; round < 2; round++) {
        EXPECT_EQ(1u << 24 | 16u << 16, device().peek(reg::TIMINCA));
        EXPECT_EQ(0x88F7u | 1u << 26 | 1u << 30, device().peek(reg::ETQF(3)));
        EXPECT_NE(0u, device().peek(reg::TSYNCRXCTL) & timesync::ENABLED);
        EXPECT_NE(0u, device().peek(reg::TSYNCTXCTL) & timesync::ENABLED);
        ASSERT_EQ(0, rte_eth_dev_stop(port_id));
        ASSERT_EQ(0, start()) << "which tells it again";
    }
    ASSERT_EQ(0, rte_eth_timesync_disable(port_id));
    EXPECT_EQ(0u, device().peek(reg::TIMINCA));
    EXPECT_EQ(0u, device().peek(reg::ETQF(3)));
    EXPECT_EQ(0u, device().peek(reg::TSYNCRXCTL) & timesync::ENABLED);
    EXPECT_EQ(0u, device().peek(reg::TSYNCTXCTL) & timesync::ENABLED);
}

TEST_F(TimesyncTest, TheClockIsReadWrittenAndAdjusted) {
    set(reg::SYSTIML, 1'000'000'123);
    EXPECT_EQ(1'000'000'123, now());
    const timespec wanted{.tv_sec = 1'700'000'000, .tv_nsec = 5};
    ASSERT_EQ(0, rte_eth_timesync_write_time(port_id, &wanted));
    EXPECT_EQ(ns_of(wanted), now());
    set(reg::SYSTIML, 1'000'001'123);
    EXPECT_EQ(ns_of(wanted) + 1000, now());
    ASSERT_EQ(0, rte_eth_timesync_adjust_time(port_id, -700));
    EXPECT_EQ(ns_of(wanted) + 300, now());
    ASSERT_EQ(0, rte_eth_timesync_adjust_time(port_id, 5'000'000'000));
    EXPECT_EQ(ns_of(wanted) + 5'000'000'300, now());
}

TEST_F(TimesyncTest, TheClockWraps) {
    constexpr std::uint64_t lap = std::uint64_t{1} << 48;

    set(reg::SYSTIML, lap - 10);
    EXPECT_EQ(static_cast<std::int64_t>(lap) - 10, now());
    set(reg::SYSTIML, 20);
    EXPECT_EQ(static_cast<std::int64_t>(lap) + 20, now());
    // A frame that came before, and is asked for after.
    set(reg::RXSTMPL, lap - 5);
    device().poke(reg::TSYNCRXCTL, timesync::ENABLED | timesync::VALID);
    timespec time{};
    ASSERT_EQ(0, rte_eth_timesync_read_rx_timestamp(port_id, &time, 0));
    EXPECT_EQ(static_cast<std::int64_t>(lap) - 5, ns_of(time));
}

TEST_F(TimesyncTest, TimestampsAreByTheSameClock) {
    timespec time{};
    const timespec wanted{.tv_sec = 100, .tv_nsec = 0};

    EXPECT_EQ(-EINVAL, rte_eth_timesync_read_rx_timestamp(port_id, &time, 0)) << "there is none";
    EXPECT_EQ(-EINVAL, rte_eth_timesync_read_tx_timestamp(port_id, &time));
    set(reg::SYSTIML, 5'000);
    ASSERT_EQ(0, rte_eth_timesync_write_time(port_id, &wanted));
    set(reg::SYSTIML, 9'000);
    set(reg::RXSTMPL, 6'000);
    set(reg::TXSTMPL, 7'500);
    device().poke(reg::TSYNCRXCTL, timesync::ENABLED | timesync::VALID);
    device().poke(reg::TSYNCTXCTL, timesync::ENABLED | timesync::VALID);
    ASSERT_EQ(0, rte_eth_timesync_read_rx_timestamp(port_id, &time, 0));
    EXPECT_EQ(ns_of(wanted) + 1'000, ns_of(time));
    ASSERT_EQ(0, rte_eth_timesync_read_tx_timestamp(port_id, &time));
    EXPECT_EQ(ns_of(wanted) + 2'500, ns_of(time));
}

TEST_F(TimesyncTest, ATimestampIsAskedForInTheDescriptor) {
    rte_mbuf *packets[] = {packet(pool, 1), packet(pool, 2)};

    packets[0]->ol_flags |= RTE_MBUF_F_TX_IEEE1588_TMST;
    ASSERT_EQ(2, rte_eth_tx_prepare(port_id, 0, packets, 2));
    ASSERT_EQ(2, rte_eth_tx_burst(port_id, 0, packets, 2));
    device().transmit(0);
    ASSERT_EQ(2u, device().sent.size());
    EXPECT_NE(0u, device().sent[0].desc.command & tx_cmd::TSTAMP);
    EXPECT_EQ(0u, device().sent[1].desc.command & tx_cmd::TSTAMP);
    EXPECT_EQ(frame(1), device().sent[0].data);
}

} // namespace
