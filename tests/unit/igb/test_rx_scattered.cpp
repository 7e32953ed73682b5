// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Packets in several receive buffers, jumbo frames, and CRCs that are kept.

#include <cstring>
#include <set>

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"
#include "rxtx/igb_rx.hpp"

namespace {

using namespace igb;
using model::Received;
using test::bus;

// Whether mbufs carry their addresses, or each is looked up.
class ScatteredTest : public test::PortTest, public testing::WithParamInterface<bool> {
protected:
    static constexpr std::uint16_t mtu = 9000;
    static constexpr std::uint16_t buffer = 2048;
    static constexpr std::uint32_t good_status = rx_status::DD | rx_status::EOP;

    void SetUp() override {
        PortTest::SetUp();
        if (GetParam())
            pool = make_lying_pool(pool_size);
    }

    // With a port that allows frames of that MTU.
    void bring_up_jumbo(std::uint64_t offloads = RTE_ETH_RX_OFFLOAD_SCATTER,
                        std::uint16_t size = mtu) {
        rte_eth_conf conf{};
        rte_eth_burst_mode mode{};

        conf.rxmode.offloads = offloads;
        if (!port_exists()) {
            ASSERT_EQ(0, probe());
        }
        ASSERT_EQ(0, configure(1, conf));
        ASSERT_EQ(0, rte_eth_dev_set_mtu(port_id, size));
        ASSERT_EQ(0, start());
        device().sleep_us(model::Igb::autoneg_us);
        ASSERT_EQ(0, rte_eth_rx_burst_mode_get(port_id, 0, &mode));
        ASSERT_STREQ("Scalar, scattered", mode.info);
    }

    static std::vector<std::uint8_t> whole(const rte_mbuf *packet) {
        std::vector<std::uint8_t> data(packet->pkt_len);
        const void *read = rte_pktmbuf_read(packet, 0, packet->pkt_len, data.data());

        EXPECT_NE(nullptr, read);
        if (read != nullptr && read != data.data())
            std::memcpy(data.data(), read, data.size());
        return data;
    }

    // A packet that the mbuf library takes for one.
    static void expect_good(const rte_mbuf *packet, const std::vector<std::uint8_t> &data) {
        const char *reason = nullptr;

        EXPECT_EQ(0, rte_mbuf_check(packet, 1, &reason)) << reason;
        EXPECT_EQ(data, whole(packet));
        EXPECT_EQ((data.size() + buffer - 1) / buffer, packet->nb_segs);
    }
};

TEST_P(ScatteredTest, FramesOfEverySizeAreWhole) {
    bring_up_jumbo();
    EXPECT_EQ(mtu + 22u, device().peek(reg::RLPML));
    EXPECT_NE(0u, device().peek(reg::RCTL) & rctl::LPE);
    std::uint32_t id = 0;
    std::uint64_t bytes = 0;
    for (std::size_t length = 60; length <= mtu + 18u; length += 61, id++) {
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(id, length)));
        const auto packets = receive();
        ASSERT_EQ(1u, packets.size()) << length;
        expect_good(packets[0], frame(id, length));
        EXPECT_EQ(port_id, packets[0]->port);
        free_all(packets);
        bytes += length;
    }
    EXPECT_EQ(id, stats().ipackets);
    EXPECT_EQ(bytes, stats().q_ibytes[0]);
    EXPECT_EQ(Received::TooLong, device().receive(0, frame(1, mtu + 19u)));
}

TEST_P(ScatteredTest, TheLongestFrameThereIs) {
    bring_up_jumbo(RTE_ETH_RX_OFFLOAD_SCATTER, max_mtu);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(7, max_mtu + 18u)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(7, max_mtu + 18u));
    free_all(packets);
}

TEST_P(ScatteredTest, OffloadsAreOfTheLastDescriptor) {
    bring_up_jumbo();
    const RxDesc first = rx_desc_written(rx_status::DD, buffer, 0, 0);
    const RxDesc last = rx_desc_written(good_status | rx_status::VP | rx_status::IPCS |
                                            rx_status::TCPCS | rx_status::L4E,
                                        100, 0x12345678, 1 | 0x11 << 4, 77);
    ASSERT_TRUE(device().write_back(0, first));
    ASSERT_TRUE(device().write_back(0, last));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    const rte_mbuf &packet = *packets[0];
    const std::uint64_t external = packet.ol_flags & RTE_MBUF_F_EXTERNAL;
    EXPECT_EQ(external | RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_RSS_HASH |
                  RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD,
              packet.ol_flags);
    EXPECT_EQ(std::uint32_t{RTE_PTYPE_L2_ETHER | RTE_PTYPE_L3_IPV4 | RTE_PTYPE_L4_TCP},
              packet.packet_type);
    EXPECT_EQ(77, packet.vlan_tci);
    EXPECT_EQ(0x12345678u, packet.hash.rss);
    free_all(packets);
}

TEST_P(ScatteredTest, APacketGoesOnInTheNextBurst) {
    bring_up_jumbo();
    for (const std::uint16_t length : {std::uint16_t{buffer}, std::uint16_t{buffer}}) {
        ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, length, 0, 0)));
        EXPECT_TRUE(receive().empty());
    }
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 10, 0, 0)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    EXPECT_EQ(2u * buffer + 10, packets[0]->pkt_len);
    EXPECT_EQ(3, packets[0]->nb_segs);
    free_all(packets);
}

TEST_P(ScatteredTest, ABurstIsOfPacketsNotOfDescriptors) {
    bring_up_jumbo();
    for (std::uint32_t i = 0; i < 6; i++)
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(i, 9000)));
    std::uint32_t seen = 0;
    for (const std::uint16_t count : {std::uint16_t{1}, std::uint16_t{4}, std::uint16_t{4}}) {
        const auto packets = receive(count);
        for (const rte_mbuf *packet : packets)
            expect_good(packet, frame(seen++, 9000));
        free_all(packets);
    }
    EXPECT_EQ(6u, seen);
}

TEST_P(ScatteredTest, WrapsAndRearms) {
    bring_up_jumbo();
    for (std::uint32_t id = 0; id < 200; id++) {
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(id, 5000 + id)));
        const auto packets = receive();
        ASSERT_EQ(1u, packets.size());
        expect_good(packets[0], frame(id, 5000 + id));
        free_all(packets);
    }
}

TEST_P(ScatteredTest, ABadPacketIsOneErrorAndGoesBack) {
    bring_up_jumbo();
    const unsigned int in_ring = rte_mempool_in_use_count(pool);
    for (const std::uint32_t error : {rx_status::CE, rx_status::SE, rx_status::RXE}) {
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(1, 5000), error));
        EXPECT_TRUE(receive().empty());
    }
    // A length that no buffer has, in the middle.
    for (const std::uint16_t length :
         {std::uint16_t{buffer}, std::uint16_t{buffer + 1}, std::uint16_t{0}, std::uint16_t{5}})
        ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, length, 0, 0)));
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 5, 0, 0)));
    EXPECT_TRUE(receive().empty());
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 5000)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(2, 5000));
    free_all(packets);
    EXPECT_EQ(4u, stats().ierrors);
    EXPECT_LE(rte_mempool_in_use_count(pool), in_ring);
}

TEST_P(ScatteredTest, APacketWithoutAnEndIsDropped) {
    bring_up_jumbo();
    for (unsigned int i = 0; i < rx_max_segments + 3u; i++) {
        ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, 1, 0, 0)));
        EXPECT_TRUE(receive().empty());
    }
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 1, 0, 0)));
    EXPECT_TRUE(receive().empty()) << "the rest of it alone looks like a packet";
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 5000)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(2, 5000));
    free_all(packets);
    EXPECT_EQ(1u, stats().ierrors);
}

TEST_P(ScatteredTest, DoneWhereItMustNotBe) {
    std::set<rte_mbuf *> held;

    bring_up_jumbo();
    for (int lap = 0; lap < 20; lap++) {
        for (int i = 0; i < ring_size; i++)
            ASSERT_TRUE(device().write_back(
                0, rx_desc_written(i % 3 ? rx_status::DD : good_status, 60, 0, 0)));
        for (rte_mbuf *packet : receive(64))
            for (rte_mbuf *segment = packet; segment != nullptr; segment = segment->next)
                ASSERT_TRUE(held.insert(segment).second) << "handed out twice";
    }
    for (rte_mbuf *segment : held)
        segment->next = nullptr, segment->nb_segs = 1;
    free_all({held.begin(), held.end()});
}

TEST_P(ScatteredTest, AStopGivesTheBeginningOfAPacketBack) {
    bring_up_jumbo();
    ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, buffer, 0, 0)));
    ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, buffer, 0, 0)));
    EXPECT_TRUE(receive().empty());
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    ASSERT_EQ(0, start());
    device().sleep_us(model::Igb::autoneg_us);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 3000)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(2, 3000));
    free_all(packets);
}

TEST_P(ScatteredTest, ALargeMtuAloneMakesItSo) {
    test::LogCapture log;
    bring_up_jumbo(0, 4000);
    EXPECT_NE(std::string::npos,
              log.text().find("frames of up to 4022 bytes come in several Rx buffers"))
        << log.text();
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 4018)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(2, 4018));
    free_all(packets);
    rte_eth_rxq_info info;
    ASSERT_EQ(0, rte_eth_rx_queue_info_get(port_id, 0, &info));
    EXPECT_EQ(1, info.scattered_rx);
}

TEST_P(ScatteredTest, TheMtuChangesWhileThePortRuns) {
    bring_up_jumbo(RTE_ETH_RX_OFFLOAD_SCATTER, 1500);
    EXPECT_EQ(Received::TooLong, device().receive(0, frame(1, 9000)));
    ASSERT_EQ(0, rte_eth_dev_set_mtu(port_id, 9000));
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 9018)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(2, 9018));
    free_all(packets);
    ASSERT_EQ(0, rte_eth_dev_set_mtu(port_id, 1500));
    EXPECT_EQ(Received::TooLong, device().receive(0, frame(3, 1519)));
}

// The CRC is behind the data, and counted nowhere.
TEST_P(ScatteredTest, KeptCrcsAreBehindTheData) {
    bring_up_jumbo(RTE_ETH_RX_OFFLOAD_KEEP_CRC, 1500);
    EXPECT_EQ(0u, device().peek(reg::RCTL) & rctl::SECRC);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(1, 1000)));
    const auto packets = receive();
    ASSERT_EQ(1u, packets.size());
    expect_good(packets[0], frame(1, 1000));
    for (std::uint16_t i = 0; i < 4; i++)
        EXPECT_EQ(model::Igb::crc_byte,
                  *rte_pktmbuf_mtod_offset(packets[0], std::uint8_t *, 1000 + i));
    EXPECT_EQ(1000u, stats().q_ibytes[0]);
    free_all(packets);
}

TEST_P(ScatteredTest, KeptCrcsAtTheEdgesOfBuffers) {
    bring_up_jumbo(RTE_ETH_RX_OFFLOAD_KEEP_CRC | RTE_ETH_RX_OFFLOAD_SCATTER);
    for (std::size_t length = 2 * buffer - 6; length <= 2 * buffer + 2; length++) {
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(1, length)));
        const auto packets = receive();
        ASSERT_EQ(1u, packets.size());
        expect_good(packets[0], frame(1, length));
        free_all(packets);
    }
    // What is no more than a CRC is no packet.
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 4, 0, 0)));
    ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, 1, 0, 0)));
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 1, 0, 0)));
    EXPECT_TRUE(receive().empty());
    EXPECT_EQ(2u, stats().ierrors);
}

INSTANTIATE_TEST_SUITE_P(Pools, ScatteredTest, testing::Bool(),
                         [](const auto &each) { return each.param ? "LookedUp" : "Carried"; });

} // namespace
