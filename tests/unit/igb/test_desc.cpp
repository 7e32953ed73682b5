// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Descriptors bit by bit, against numbers written out by hand.

#include <cstring>

#include <gtest/gtest.h>

#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;

TEST(RxDescriptor, ReadFormatIsBufferThenZero) {
    const RxDesc desc = rx_desc_read(0x123456789ABCDEF0);
    const std::uint8_t expected[16] = {0xF0, 0xDE, 0xBC, 0x9A, 0x78, 0x56, 0x34, 0x12};

    EXPECT_EQ(0, std::memcmp(&desc, expected, sizeof(expected)));
}

TEST(RxDescriptor, WriteBackFields) {
    // 60 bytes, DD and EOP, RSS hash, packet type IPv4 + TCP (bits 4 and 8).
    const std::uint8_t bytes[16] = {0x10, 0x01, 0x00, 0x00, 0x44, 0x33, 0x22, 0x11,
                                    0x03, 0x00, 0x00, 0x00, 0x3C, 0x00, 0x00, 0x00};
    RxDesc desc;

    std::memcpy(&desc, bytes, sizeof(desc));
    EXPECT_EQ(rx_status::DD | rx_status::EOP, rx_desc_status(desc.hi));
    EXPECT_EQ(60, rx_desc_length(desc.hi));

    const RxDesc built = rx_desc_written(3, 60, 0x11223344, 0x0110);
    EXPECT_EQ(0, std::memcmp(&built, bytes, sizeof(bytes)));
}

TEST(RxDescriptor, LengthIsNotMixedWithVlan) {
    EXPECT_EQ(0x05EA, rx_desc_length(0xFFFF05EA00000003));
}

TEST(RxDescriptor, FrameErrorsAreRxeSeCe) // SDM 5.3.4.9: bits 11, 5 and 4 of the error field
{
    EXPECT_EQ((1u << 11 | 1u << 5 | 1u << 4) << 20, rx_status::FRAME_ERRORS);
}

TEST(TxDescriptor, CommandOfAPacket) {
    // DTYP 3, EOP, IFCS, DEXT: 2B 3 0; payload length from bit 46 on.
    EXPECT_EQ(0x000F'0000'2330'003C, tx_desc_command(60));
    EXPECT_EQ(0x017A'8000'2330'05EA, tx_desc_command(1514));
    EXPECT_EQ(0x0F, tx_desc_command(60) >> 48);
}

TEST(TxDescriptor, ReportStatusIsOneBitMore) {
    EXPECT_EQ(0x000F'0000'2B30'003C, tx_desc_command(60) | tx_report_status);
}

TEST(TxDescriptor, DoneIsBit0OfTheStatusWord) {
    EXPECT_FALSE(tx_desc_done(tx_desc_command(UINT16_MAX) | tx_report_status));
    EXPECT_TRUE(tx_desc_done(std::uint64_t{1} << 32));

    TxDesc desc{};
    const std::uint8_t done = 1;
    std::memcpy(reinterpret_cast<std::uint8_t *>(&desc) + 12, &done, 1); // as a device writes it
    EXPECT_TRUE(tx_desc_done(desc.command));
}

} // namespace
