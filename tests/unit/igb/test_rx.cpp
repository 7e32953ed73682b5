// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive bursts: contents, wrap, refill, and whatever a device may write.

#include <algorithm>
#include <set>

#include "hw/igb_regs.hpp"
#include "rx_test.hpp"
#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;
using model::Received;

using RxTest = test::RxTest;

TEST_P(RxTest, NothingArrived) {
    EXPECT_TRUE(receive().empty());
}

TEST_P(RxTest, FieldsOfAnMbuf) {
    // Whoever had the mbufs before left things behind.
    rte_eth_dev_stop(port_id);
    std::vector<rte_mbuf *> dirty(pool_size);
    ASSERT_EQ(0, rte_mempool_get_bulk(pool, reinterpret_cast<void **>(dirty.data()), pool_size));
    for (rte_mbuf *mbuf : dirty) {
        mbuf->data_off = 7;
        mbuf->port = 99;
        mbuf->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_TX_IP_CKSUM;
        mbuf->packet_type = RTE_PTYPE_L4_TCP;
        mbuf->pkt_len = 12345;
        mbuf->data_len = 4321;
    }
    rte_mempool_put_bulk(pool, reinterpret_cast<void **>(dirty.data()), pool_size);
    bring_up();

    arrive(1, 1);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 1514)));
    const auto mbufs = receive();
    ASSERT_EQ(2u, mbufs.size());
    EXPECT_EQ(frame(1), contents(mbufs[0]));
    EXPECT_EQ(frame(2, 1514), contents(mbufs[1]));
    const rte_mbuf &mbuf = *mbufs[1];
    EXPECT_EQ(RTE_PKTMBUF_HEADROOM, mbuf.data_off);
    EXPECT_EQ(1, rte_mbuf_refcnt_read(&mbuf));
    EXPECT_EQ(1, mbuf.nb_segs);
    EXPECT_EQ(port_id, mbuf.port);
    EXPECT_EQ(0u, mbuf.ol_flags) << "nobody has checked a checksum";
    EXPECT_EQ(0u, mbuf.packet_type);
    EXPECT_EQ(1514u, mbuf.pkt_len);
    EXPECT_EQ(1514u, mbuf.data_len);
    EXPECT_EQ(nullptr, mbuf.next);
    EXPECT_EQ(pool, mbuf.pool);
    const char *reason = nullptr;
    EXPECT_EQ(0, rte_mbuf_check(&mbuf, 1, &reason)) << reason;
    free_all(mbufs);
}

TEST_P(RxTest, WrapsInOrder) {
    std::uint32_t arrived = 0;
    std::uint32_t expected = 0;

    for (std::uint16_t round = 0; arrived < 20 * ring_size; round++) {
        const std::uint32_t batch = 1 + round * 5 % 29;
        arrive(arrived, batch);
        arrived += batch;
        for (;;) {
            const auto mbufs = receive(static_cast<std::uint16_t>(1 + round % 37));
            for (const rte_mbuf *mbuf : mbufs)
                ASSERT_EQ(frame(expected++), contents(mbuf));
            free_all(mbufs);
            if (mbufs.empty())
                break;
        }
        ASSERT_EQ(arrived, expected);
    }
    EXPECT_EQ(arrived, stats().ipackets);
    EXPECT_EQ(60u * arrived, stats().ibytes);
    EXPECT_EQ(arrived, stats().q_ipackets[0]);
    EXPECT_EQ(60u * arrived, stats().q_ibytes[0]);
}

TEST_P(RxTest, BurstNoLongerThanAsked) {
    arrive(0, 40);
    for (const std::uint16_t count :
         {std::uint16_t{0}, std::uint16_t{1}, std::uint16_t{5}, std::uint16_t{34}}) {
        const auto mbufs = receive(count);
        EXPECT_EQ(count, mbufs.size());
        free_all(mbufs);
    }
    EXPECT_TRUE(receive().empty());
}

TEST_P(RxTest, RefillMovesTheTailInBatches) {
    EXPECT_EQ(ring_size - 1u, device().peek(reg::RDT(0)));
    arrive(0, 31);
    free_all(receive(64));
    EXPECT_EQ(ring_size - 1u, device().peek(reg::RDT(0)));
    arrive(31, 1);
    free_all(receive(64));
    EXPECT_EQ(31u, device().peek(reg::RDT(0)));
    EXPECT_EQ(ring_size - 1, device().rx_owned(0)) << "one descriptor stays ours";
}

TEST_P(RxTest, EmptyPoolLosesNothing) {
    std::vector<rte_mbuf *> held;
    std::uint32_t delivered = 0;
    std::uint32_t seen = 0;

    // The application keeps all it gets until nothing is left to receive into.
    while (device().receive(0, frame(delivered)) == Received::Delivered) {
        delivered++;
        if (device().rx_owned(0) > 0 && delivered % 16 != 0)
            continue;
        for (rte_mbuf *mbuf : receive(64)) {
            ASSERT_EQ(frame(seen++), contents(mbuf));
            held.push_back(mbuf);
        }
    }
    for (rte_mbuf *mbuf : receive(64)) {
        ASSERT_EQ(frame(seen++), contents(mbuf));
        held.push_back(mbuf);
    }
    EXPECT_EQ(delivered, seen);
    // All of the pool but what a whole batch cannot be made of, and the one ours.
    EXPECT_GT(held.size(), pool_size - 32 - 2);
    EXPECT_GT(stats().rx_nombuf, 0u);
    EXPECT_EQ(1u, stats().imissed);
    EXPECT_TRUE(receive().empty());

    // And goes on as soon as there are mbufs again.
    free_all(held);
    EXPECT_TRUE(receive().empty());
    arrive(1000, 10);
    const auto mbufs = receive();
    ASSERT_EQ(10u, mbufs.size());
    EXPECT_EQ(frame(1000), contents(mbufs[0]));
    free_all(mbufs);
}

TEST_P(RxTest, FrameErrorsAreDropped) {
    for (const std::uint32_t error : {rx_status::CE, rx_status::SE, rx_status::RXE})
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(7), error));
    arrive(1, 1);
    const auto mbufs = receive();
    ASSERT_EQ(1u, mbufs.size());
    EXPECT_EQ(frame(1), contents(mbufs[0]));
    free_all(mbufs);
    EXPECT_EQ(3u, stats().ierrors);
    EXPECT_EQ(1u, stats().ipackets);
    EXPECT_EQ(3u, stats().q_errors[0]);
}

TEST_P(RxTest, ChecksumErrorsAreTheApplications) {
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(7), 1u << 30 | 1u << 29));
    const auto mbufs = receive();
    EXPECT_EQ(1u, mbufs.size());
    free_all(mbufs);
}

TEST_P(RxTest, LengthBeyondTheBuffer) {
    for (const std::uint16_t length :
         {std::uint16_t{2049}, std::uint16_t{0xFFFF}, std::uint16_t{0}})
        ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, length, 0, 0)));
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 2048, 0, 0)));
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 1, 0, 0)));
    const auto mbufs = receive();
    ASSERT_EQ(2u, mbufs.size());
    EXPECT_EQ(2048, mbufs[0]->data_len);
    EXPECT_EQ(1, mbufs[1]->data_len);
    free_all(mbufs);
    EXPECT_EQ(3u, stats().ierrors);
}

TEST_P(RxTest, PacketInPiecesIsOneError) {
    arrive(1, 1);
    // The limit is RLPML's; a device that has lost it spreads.
    device().poke(reg::RLPML, 9000);
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(2, 5000)));
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(3, 4096)));
    arrive(4, 1);
    const auto mbufs = receive();
    ASSERT_EQ(2u, mbufs.size());
    EXPECT_EQ(frame(1), contents(mbufs[0]));
    EXPECT_EQ(frame(4), contents(mbufs[1]));
    free_all(mbufs);
    EXPECT_EQ(2u, stats().ierrors);
}

TEST_P(RxTest, PiecesAcrossBursts) {
    const RxDesc piece = rx_desc_written(rx_status::DD, 2048, 0, 0);

    for (int i = 0; i < 3; i++) {
        ASSERT_TRUE(device().write_back(0, piece));
        EXPECT_TRUE(receive(1).empty());
    }
    ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 100, 0, 0)));
    EXPECT_TRUE(receive().empty()) << "the last piece alone looks like a packet";
    arrive(1, 1);
    const auto mbufs = receive();
    EXPECT_EQ(1u, mbufs.size());
    free_all(mbufs);
    EXPECT_EQ(1u, stats().ierrors);
}

TEST_P(RxTest, DiscardingEndsWithAStop) {
    ASSERT_TRUE(device().write_back(0, rx_desc_written(rx_status::DD, 2048, 0, 0)));
    EXPECT_TRUE(receive().empty());
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    device().sleep_us(model::Igb::autoneg_us);
    arrive(1, 1);
    const auto mbufs = receive();
    EXPECT_EQ(1u, mbufs.size());
    free_all(mbufs);
}

TEST_P(RxTest, DoneWhereItMustNotBe) {
    std::set<rte_mbuf *> held;

    // Every descriptor is done, again and again, whether the device owns it or not, while
    // the application holds what it gets: no mbuf may be handed out twice.
    for (int lap = 0; lap < 20; lap++) {
        for (int i = 0; i < ring_size; i++)
            ASSERT_TRUE(device().write_back(0, rx_desc_written(good_status, 60, 0, 0)));
        for (rte_mbuf *mbuf : receive(64))
            ASSERT_TRUE(held.insert(mbuf).second) << "handed out twice";
        for (rte_mbuf *mbuf : receive(64))
            ASSERT_TRUE(held.insert(mbuf).second) << "handed out twice";
    }
    EXPECT_LE(held.size(), pool_size);
    free_all({held.begin(), held.end()});
}

TEST_P(RxTest, TooLongIsDroppedByTheDevice) {
    EXPECT_EQ(Received::Delivered, device().receive(0, frame(1, 1518)));
    EXPECT_EQ(Received::TooLong, device().receive(0, frame(2, 1519)));
    const auto mbufs = receive();
    EXPECT_EQ(1u, mbufs.size());
    free_all(mbufs);
    EXPECT_EQ(1u, stats().ierrors);
}

TEST_P(RxTest, StopGivesEveryBufferBack) {
    arrive(0, 40);
    free_all(receive(10)); // some received, some not seen, some missing
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

TEST_P(RxTest, AnythingUnusualAnywhereInATurn) {
    // One of 16 descriptors is bad, or not done yet; the others come out in order.
    for (std::uint32_t bad = 0; bad < 16; bad++) {
        for (std::uint32_t i = 0; i < 16; i++)
            ASSERT_EQ(Received::Delivered,
                      device().receive(0, frame(i), i == bad ? rx_status::RXE : 0));
        const auto mbufs = receive();
        ASSERT_EQ(15u, mbufs.size());
        for (std::uint32_t i = 0; i < 15; i++)
            EXPECT_EQ(frame(i < bad ? i : i + 1), contents(mbufs[i]));
        free_all(mbufs);

        arrive(0, bad);
        const auto first = receive();
        ASSERT_EQ(bad, first.size());
        arrive(bad, 16 - bad);
        const auto rest = receive();
        ASSERT_EQ(16 - bad, rest.size());
        EXPECT_EQ(frame(15), contents(rest.back()));
        free_all(first);
        free_all(rest);
    }
    EXPECT_EQ(16u, stats().ierrors);
}

EVERY_VARIANT(RxTest);

// In pools whose mbufs lie about their addresses.
INSTANTIATE_TEST_SUITE_P(
    LookedUp, RxTest,
    testing::Values(test::Variant{"Scalar", RTE_VECT_SIMD_DISABLED, "Scalar", true},
                    test::Variant{"Avx2", RTE_VECT_SIMD_256, "Vector AVX2", true}),
    [](const auto &each) { return each.param.name; });

} // namespace
