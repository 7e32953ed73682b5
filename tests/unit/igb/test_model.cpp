// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Negative controls of the model: it does object to a wrong driver.

#include <vector>

#include <gtest/gtest.h>

#include "hw/igb_hw.hpp"
#include "igb_model.hpp"

namespace {

using namespace igb;

class ModelTest : public testing::Test {
protected:
    static constexpr std::uint64_t ring_dma = 0x1000'0000;
    static constexpr std::uint64_t buffers_dma = 0x2000'0000;

    // One receive and one transmit queue of eight descriptors, traffic enabled.
    void start() {
        memory.map(ring_dma, ring, sizeof(ring));
        memory.map(buffers_dma, buffers.data(), buffers.size());
        hw.setup_tx();
        hw.setup_rx();
        hw.apply({.promiscuous = true, .all_multicast = true, .max_frame = 5000});
        hw.program_rx_queue(0, {.dma = ring_dma,
                                .nb_desc = 8,
                                .buffer_size = 1024,
                                .drop_when_full = true,
                                .pthresh = 8,
                                .hthresh = 8,
                                .wthresh = 1});
        for (std::size_t i = 0; i < 8; i++)
            ring[i] = rx_desc_read(buffers_dma + 1024 * i);
        (void)hw.start_link({});
        device.sleep_us(model::Igb::autoneg_us);
        (void)hw.enable_rx_queue(0, 7);
        hw.enable_rx();
    }

    alignas(128) RxDesc ring[8] = {};
    std::vector<std::uint8_t> buffers = std::vector<std::uint8_t>(8 * 1024);
    const std::vector<std::uint8_t> frame = std::vector<std::uint8_t>(60, 0x5A);
    model::DmaMap memory;
    model::Igb device{memory};
    Hw hw{device.registers()};
};

TEST_F(ModelTest, DeliversAndStopsAtTheTail) {
    start();
    for (int i = 0; i < 7; i++)
        EXPECT_EQ(model::Received::Delivered, device.receive(0, frame));
    EXPECT_EQ(model::Received::NoBuffers, device.receive(0, frame));
    EXPECT_EQ(1u, device.peek(reg::RQDPC(0)));
    EXPECT_EQ(0, device.rx_owned(0));
    EXPECT_EQ(0x5A, buffers[6 * 1024 + 59]);
    EXPECT_TRUE(device.violations().empty());
}

TEST_F(ModelTest, SpreadsLongFrames) {
    start();
    EXPECT_EQ(model::Received::Delivered, device.receive(0, std::vector<std::uint8_t>(2500)));
    EXPECT_EQ(rx_status::DD, rx_desc_status(ring[0].hi));
    EXPECT_EQ(1024, rx_desc_length(ring[1].hi));
    EXPECT_EQ(rx_status::DD | rx_status::EOP, rx_desc_status(ring[2].hi));
    EXPECT_EQ(452, rx_desc_length(ring[2].hi));
}

TEST_F(ModelTest, NothingWithoutBusMasterLinkOrEnable) {
    start();
    device.bus_master = false;
    EXPECT_EQ(model::Received::Off, device.receive(0, frame));
    device.bus_master = true;
    device.cable = false;
    EXPECT_EQ(model::Received::Off, device.receive(0, frame));
    device.cable = true;
    EXPECT_EQ(model::Received::Off, device.receive(1, frame));
    hw.disable_rx();
    EXPECT_EQ(model::Received::Off, device.receive(0, frame));
}

TEST_F(ModelTest, UnmappedBufferIsAViolation) {
    start();
    ring[0].lo = reinterpret_cast<std::uint64_t>(buffers.data()); // a virtual address
    EXPECT_EQ(model::Received::Fault, device.receive(0, frame));
    EXPECT_EQ(1u, device.violations().size());
}

TEST_F(ModelTest, BufferThatEndsTooEarlyIsAViolation) {
    start();
    ring[0].lo = buffers_dma + buffers.size() - 1023;
    EXPECT_EQ(model::Received::Fault, device.receive(0, frame));
}

TEST_F(ModelTest, StaleDescriptorIsAViolation) {
    start();
    ring[0].hi = rx_status::DD;
    (void)device.receive(0, frame);
    EXPECT_EQ(1u, device.violations().size());
}

TEST_F(ModelTest, MovingAnEnabledRingIsAViolation) {
    start();
    device.write(reg::RDBAL(0), 0);
    EXPECT_EQ(1u, device.violations().size());
    device.write(reg::RDT(0), 3); // the tail may move
    EXPECT_EQ(1u, device.violations().size());
}

TEST_F(ModelTest, TailOfADisabledQueueIsIgnored) {
    start();
    device.write(reg::RDT(1), 3);
    EXPECT_EQ(0u, device.peek(reg::RDT(1)));
}

} // namespace
