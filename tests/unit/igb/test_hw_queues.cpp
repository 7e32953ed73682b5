// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Programming of rings, RSS and statistics.

#include <algorithm>
#include <cerrno>
#include <set>

#include <gtest/gtest.h>

#include "hw/igb_hw.hpp"
#include "igb_model.hpp"

namespace {

using namespace igb;

class HwQueuesTest : public testing::Test {
protected:
    // errno of what failed; 0 if it did not.
    static int code(const Result<> &result) { return result ? 0 : result.error().code; }

    void TearDown() override { EXPECT_TRUE(device.violations().empty()); }

    model::DmaMap memory;
    model::Igb device{memory};
    Hw hw{device.registers()};
};

constexpr RxRing rx_ring = {.dma = 0x1'2345'6780,
                            .nb_desc = 512,
                            .buffer_size = 2048,
                            .drop_when_full = true,
                            .pthresh = 8,
                            .hthresh = 8,
                            .wthresh = 1};
constexpr TxRing tx_ring = {
    .dma = 0x2'0000'0080, .nb_desc = 256, .pthresh = 8, .hthresh = 1, .wthresh = 0};

TEST(Registers, EveryQueueHasItsOwn) {
    std::set<std::uint32_t> seen;

    for (std::uint16_t queue = 0; queue < max_queues; queue++) {
        for (std::uint32_t offset :
             {reg::RDBAL(queue), reg::RDBAH(queue), reg::RDLEN(queue), reg::SRRCTL(queue),
              reg::RDH(queue), reg::RDT(queue), reg::RXDCTL(queue), reg::RQDPC(queue),
              reg::TDBAL(queue), reg::TDBAH(queue), reg::TDLEN(queue), reg::TDH(queue),
              reg::TDT(queue), reg::TXDCTL(queue), reg::TDWBAL(queue), reg::TDWBAH(queue)}) {
            EXPECT_LT(offset, register_space);
            EXPECT_TRUE(seen.insert(offset).second) << std::hex << offset;
        }
    }
    // Addresses of SDM 14.3.58 and 14.3.59, and past the four queues of the 82575.
    EXPECT_EQ(0x02910u, reg::RDH(1));
    EXPECT_EQ(0x02B18u, reg::RDT(3));
    EXPECT_EQ(0x0C118u, reg::RDT(4));
    EXPECT_EQ(0x0E3D8u, reg::TDT(15));
}

TEST_F(HwQueuesTest, ReceiveSetup) {
    hw.setup_rx();
    EXPECT_EQ(rctl::BAM | rctl::SECRC | rctl::LPE, device.peek(reg::RCTL));
    EXPECT_EQ(0u, device.peek(reg::RXDCTL(0)) & xdctl::ENABLE) << "enabled by reset";
    EXPECT_TRUE(device.peek(reg::RXCSUM) & rxcsum::PCSD);
    hw.apply_max_frame(1522);
    EXPECT_EQ(1522u, device.peek(reg::RLPML));
}

TEST_F(HwQueuesTest, ReceiveQueue) {
    for (const std::uint16_t queue :
         {std::uint16_t{0}, std::uint16_t{3}, std::uint16_t{4}, std::uint16_t{15}}) {
        hw.setup_rx();
        hw.program_rx_queue(queue, rx_ring);
        EXPECT_EQ(0x23456780u, device.peek(reg::RDBAL(queue)));
        EXPECT_EQ(1u, device.peek(reg::RDBAH(queue)));
        EXPECT_EQ(8192u, device.peek(reg::RDLEN(queue)));
        EXPECT_EQ(0x82000002u, device.peek(reg::SRRCTL(queue))); // drop, one buffer, 2 KiB
        EXPECT_EQ(0x00010808u, device.peek(reg::RXDCTL(queue)));

        ASSERT_TRUE(hw.enable_rx_queue(queue, 511));
        EXPECT_EQ(0x02010808u, device.peek(reg::RXDCTL(queue)));
        EXPECT_EQ(511u, device.peek(reg::RDT(queue))) << "a tail before ENABLE is ignored";
        EXPECT_EQ(511, device.rx_owned(queue));
        ASSERT_TRUE(hw.disable_rx_queue(queue));
    }
}

TEST_F(HwQueuesTest, BufferSizeRoundsDown) {
    RxRing ring = rx_ring;

    ring.buffer_size = 3 * 1024 + 1023;
    ring.drop_when_full = false;
    hw.program_rx_queue(1, ring);
    EXPECT_EQ(0x02000003u, device.peek(reg::SRRCTL(1)));
}

TEST_F(HwQueuesTest, TransmitQueue) {
    hw.setup_tx();
    EXPECT_EQ(0u, device.peek(reg::TXDCTL(0)) & xdctl::ENABLE);
    EXPECT_EQ(tctl::EN | tctl::PSP | tctl::RTLC | 0xF0u, device.peek(reg::TCTL));
    for (const std::uint16_t queue : {std::uint16_t{0}, std::uint16_t{15}}) {
        device.poke(reg::TDWBAL(queue), 1);
        hw.program_tx_queue(queue, tx_ring);
        EXPECT_EQ(0x80u, device.peek(reg::TDBAL(queue)));
        EXPECT_EQ(2u, device.peek(reg::TDBAH(queue)));
        EXPECT_EQ(4096u, device.peek(reg::TDLEN(queue)));
        EXPECT_EQ(0u, device.peek(reg::TDWBAL(queue)));
        ASSERT_TRUE(hw.enable_tx_queue(queue));
        EXPECT_EQ(0x02000108u, device.peek(reg::TXDCTL(queue)));
    }
}

TEST_F(HwQueuesTest, QueueDeadlines) {
    hw.setup_tx();
    hw.setup_rx();
    device.faults.enable_rx_hangs = 1u << 2;
    device.faults.enable_tx_hangs = 1u << 3;
    device.faults.disable_rx_hangs = 1u << 4;
    device.faults.disable_tx_hangs = 1u << 5;
    ASSERT_TRUE(hw.enable_rx_queue(4, 0));
    ASSERT_TRUE(hw.enable_tx_queue(5));

    const std::uint64_t start = device.now_us();
    EXPECT_EQ(ETIMEDOUT, code(hw.enable_rx_queue(2, 7)));
    EXPECT_EQ(ETIMEDOUT, code(hw.enable_tx_queue(3)));
    EXPECT_EQ(ETIMEDOUT, code(hw.disable_rx_queue(4)));
    EXPECT_EQ(ETIMEDOUT, code(hw.disable_tx_queue(5)));
    EXPECT_GE(device.now_us() - start, 4 * Hw::queue_deadline_us);
    EXPECT_LT(device.now_us() - start, 5 * Hw::queue_deadline_us);
    EXPECT_TRUE(std::none_of(device.log.begin(), device.log.end(),
                             [](const auto &a) { return a.write && a.offset == reg::RDT(2); }));
}

TEST_F(HwQueuesTest, Rss) {
    igb::Rss rss{.fields = mrqc::IPV4 | mrqc::IPV6, .key = {}, .reta = {}};

    for (std::size_t i = 0; i < rss.key.size(); i++)
        rss.key[i] = static_cast<std::uint8_t>(i + 1);
    for (std::size_t i = 0; i < rss.reta.size(); i++)
        rss.reta[i] = static_cast<std::uint8_t>(i % 5);
    hw.apply_rss(rss);
    EXPECT_EQ(0x00120002u, device.peek(reg::MRQC));
    EXPECT_EQ(0x04030201u, device.peek(reg::RSSRK));
    EXPECT_EQ(0x28272625u, device.peek(reg::RSSRK + 36));
    EXPECT_EQ(0x03020100u, device.peek(reg::RETA));
    EXPECT_EQ(0x02010004u, device.peek(reg::RETA + 4));
    EXPECT_EQ(0x02010004u, device.peek(reg::RETA + 124));

    rss.fields = 0;
    hw.apply_rss(rss);
    EXPECT_EQ(0u, device.peek(reg::MRQC)) << "all to queue 0";
}

TEST_F(HwQueuesTest, StatisticsAddUpOver64Bits) {
    HwStats stats;

    for (int round = 0; round < 3; round++) {
        device.poke(reg::GPRC, 0xFFFFFFFF);
        device.poke(reg::GPTC, 3);
        device.poke(reg::GORCL, 0x10);
        device.poke(reg::GORCH, 0x2);
        device.poke(reg::GOTCL, 0x20);
        device.poke(reg::MPC, 5);
        device.poke(reg::CRCERRS, 1);
        device.poke(reg::ALGNERRC, 2);
        device.poke(reg::RXERRC, 4);
        device.poke(reg::RLEC, 8);
        device.poke(reg::CEXTERR, 16);
        device.poke(reg::ROC, 32);
        device.poke(reg::ECOL, 1);
        device.poke(reg::LATECOL, 2);
        device.poke(reg::RQDPC(0), 6);
        device.poke(reg::RQDPC(15), 7);
        hw.read_stats(stats, max_queues);
    }
    EXPECT_EQ(3 * std::uint64_t{0xFFFFFFFF}, stats.rx_packets);
    EXPECT_EQ(9u, stats.tx_packets);
    EXPECT_EQ(3 * (std::uint64_t{2} << 32 | 0x10), stats.rx_bytes);
    EXPECT_EQ(0x60u, stats.tx_bytes);
    EXPECT_EQ(15u, stats.rx_missed);
    EXPECT_EQ(93u, stats.rx_errors) << "what is too long is in RLEC; ROC has it again";
    EXPECT_EQ(9u, stats.tx_errors);
    EXPECT_EQ(18u, stats.rx_queue_dropped[0]);
    EXPECT_EQ(21u, stats.rx_queue_dropped[15]);

    const HwStats before = stats;
    hw.read_stats(stats, max_queues); // they have cleared
    EXPECT_EQ(before.rx_bytes, stats.rx_bytes);
    EXPECT_EQ(before.rx_packets, stats.rx_packets);

    // The low half first: reading the high one clears both.
    const auto find = [&](std::uint32_t offset) {
        return std::find(device.log.begin(), device.log.end(),
                         model::Access{false, offset, offset == reg::GORCL ? 0x10u : 0x2u});
    };
    EXPECT_LT(find(reg::GORCL), find(reg::GORCH));
}

TEST_F(HwQueuesTest, ADeviceThatIsGoneCountsNothing) {
    HwStats stats;

    device.poke(reg::GPTC, 3);
    hw.read_stats(stats, max_queues);
    device.faults.absent = true;
    ASSERT_EQ(no_device, device.read(reg::GPTC)) << "else nothing would be shown";
    hw.read_stats(stats, max_queues);
    EXPECT_EQ(3u, stats.tx_packets);
    EXPECT_EQ(0u, stats.rx_missed);
    EXPECT_EQ(0u, stats.rx_errors);
    EXPECT_EQ(0u, stats.rx_queue_dropped[15]);
}

TEST_F(HwQueuesTest, EnableAndDisable) {
    hw.setup_rx();
    hw.enable_rx();
    EXPECT_TRUE(device.peek(reg::RCTL) & rctl::EN);
    hw.disable_rx();
    EXPECT_EQ(rctl::BAM | rctl::SECRC | rctl::LPE, device.peek(reg::RCTL));
    hw.setup_tx();
    hw.disable_tx();
    EXPECT_FALSE(device.peek(reg::TCTL) & tctl::EN);
}

} // namespace
