// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Packets whose data lies in pages that are no neighbours for the device.

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include <rte_ethdev.h>

#include "hw/igb_regs.hpp"
#include "rxtx/igb_desc.hpp"
#include "rxtx/igb_tx.hpp"
#include "tx_test.hpp"

namespace {

using namespace igb;

constexpr std::size_t page_size = 4096;
constexpr std::size_t nb_pages = 5;

class TxPiecesTest : public test::TxTest {
protected:
    void SetUp() override {
        TxTest::SetUp();
        memory.reset(
            static_cast<std::uint8_t *>(std::aligned_alloc(page_size, nb_pages * page_size)));
        for (std::size_t i = 0; i < nb_pages * page_size; i++)
            memory.get()[i] = static_cast<std::uint8_t>(i * 7 + i / page_size);
        info.free_cb = [](void *, void *) {};
        rte_mbuf_ext_refcnt_set(&info, 60000);
    }

    void map_pages(std::size_t count = nb_pages) {
        test::bus().map_scattered(memory.get(), count * page_size);
    }

    // An mbuf of the pool with its data in the scattered pages.
    rte_mbuf *at(std::size_t offset, std::uint16_t length) {
        rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

        rte_pktmbuf_attach_extbuf(mbuf, memory.get() + offset, 0xDEAD000, length, &info);
        mbuf->data_off = 0;
        EXPECT_NE(nullptr, rte_pktmbuf_append(mbuf, length));
        return mbuf;
    }
    std::vector<std::uint8_t> data_at(std::size_t offset, std::size_t length) const {
        return {memory.get() + offset, memory.get() + offset + length};
    }

    struct Free {
        void operator()(std::uint8_t *bytes) const { std::free(bytes); }
    };
    std::unique_ptr<std::uint8_t, Free> memory;
    rte_mbuf_ext_shared_info info{};
};

TEST_P(TxPiecesTest, OneDescriptorForEachPiece) {
    const struct {
        std::size_t offset;
        std::uint16_t length;
        unsigned int nb_descs;
    } cases[] = {
        {0, 60, 1},
        {page_size - 60, 60, 1},
        {page_size - 59, 60, 2},
        {page_size - 1, 60, 2},
        {2 * page_size - 700, 1514, 2},
        {page_size - 1, page_size + 2, 3},
        {page_size - 1, 2 * page_size + 2, 4},
        {page_size - 1, tx_max_length, 4},
        {0, tx_max_length, 3},
    };

    map_pages();
    for (const auto &c : cases) {
        SCOPED_TRACE(testing::Message() << c.length << " bytes at " << c.offset);
        const std::uint64_t bytes = stats().obytes;
        const std::uint64_t packets = stats().opackets;

        device().sent.clear();
        ASSERT_EQ(1, send({at(c.offset, c.length)}));
        EXPECT_EQ(c.nb_descs, device().transmit(0));
        ASSERT_EQ(1u, device().sent.size());
        EXPECT_EQ(data_at(c.offset, c.length), device().sent[0].data);
        EXPECT_EQ(c.nb_descs, device().sent[0].nb_descs);
        EXPECT_EQ(1u, stats().opackets - packets);
        EXPECT_EQ(c.length, stats().obytes - bytes);
    }
    EXPECT_EQ(0u, stats().oerrors);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

// Pieces lie across the end of a batch and of the ring, at every place of both.
TEST_P(TxPiecesTest, AnywhereInTheRing) {
    constexpr std::size_t offset = page_size - 1;
    constexpr std::uint16_t length = 2 * page_size + 100; // four segments
    std::uint32_t plain = 0;
    std::size_t descriptors = 0;
    std::size_t reports = 0;

    map_pages();
    for (std::uint32_t lap = 0; lap < 40; lap++) {
        std::vector<rte_mbuf *> mbufs = packets(plain, lap % 7);
        mbufs.push_back(at(offset, length));
        for (rte_mbuf *mbuf : packets(plain + lap % 7, lap % 3))
            mbufs.push_back(mbuf);
        device().sent.clear();
        ASSERT_EQ(mbufs.size(), send(mbufs)) << lap;
        descriptors += device().transmit(0);
        ASSERT_EQ(mbufs.size(), device().sent.size());
        for (std::uint32_t i = 0; i < mbufs.size(); i++) {
            if (i == lap % 7)
                EXPECT_EQ(data_at(offset, length), device().sent[i].data);
            else
                EXPECT_EQ(sent_frame(plain++), device().sent[i].data);
        }
        // Every batch reports once, by the end of the packet that its last descriptor is of, and
        // every end of a burst; so do the ends of the packets that are looked at one by one.
        reports = device().tx_write_backs - reports;
        ASSERT_GE(reports, 1u);
        ASSERT_LE(reports, 4u);
        reports = device().tx_write_backs;
    }
    EXPECT_GT(descriptors, 3u * ring_size);
    rte_eth_tx_done_cleanup(port_id, 0, 0);
    EXPECT_EQ(0u, held());
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

TEST_P(TxPiecesTest, WaitsForRoomForAllOfThem) {
    map_pages();
    ASSERT_EQ(ring_size - 3, send(packets(0, ring_size - 3))); // room for two descriptors
    const auto before = packets(1000, 1);
    const auto after = packets(1001, 1);
    rte_mbuf *wide = at(page_size - 1, 2000);
    EXPECT_EQ(1, send({before[0], wide, after[0]})) << "one descriptor is left, and order is kept";
    EXPECT_EQ(0, send({wide, after[0]}));
    EXPECT_EQ(ring_size - 2u, device().transmit(0));
    EXPECT_EQ(2, send({wide, after[0]}));
    EXPECT_EQ(3u, device().transmit(0));
    ASSERT_EQ(ring_size, device().sent.size());
    EXPECT_EQ(data_at(page_size - 1, 2000), device().sent[ring_size - 2].data);
    EXPECT_EQ(sent_frame(1001), device().sent[ring_size - 1].data);
    EXPECT_EQ(0u, stats().oerrors);
}

TEST_P(TxPiecesTest, APieceThatIsNotMappedDropsThePacket) {
    map_pages(2);
    EXPECT_EQ(3, send({packet(pool, 1), at(2 * page_size - 100, 200), packet(pool, 2)}));
    EXPECT_EQ(2u, device().transmit(0));
    EXPECT_EQ(1u, stats().oerrors);
    EXPECT_EQ(frame(2), device().sent[1].data);
}

TEST_P(TxPiecesTest, CleanupCountsPackets) {
    map_pages();
    for (int i = 0; i < 10; i++)
        ASSERT_EQ(1, send({at(page_size - 1, 2 * page_size + 2)}));
    ASSERT_EQ(20, send(packets(0, 20)));
    device().transmit(0);
    // 32 descriptors: eight packets of four.
    EXPECT_EQ(8, rte_eth_tx_done_cleanup(port_id, 0, 8));
    EXPECT_EQ(22u, held());
}

TEST_P(TxPiecesTest, EveryPieceIsInFlight) {
    map_pages();
    ASSERT_EQ(1, send({at(page_size - 10, 100)}));
    const auto &watched = test::bus().watched.at(0);
    std::vector<rte_iommufd_dma_range> ranges(watched.queue->capacity);
    ASSERT_EQ(2u, watched.ranges(watched.queue, ranges.data()));
    EXPECT_EQ(test::bus().memory.dma_of(memory.get() + page_size - 10), ranges[0].start);
    EXPECT_EQ(10u, ranges[0].len);
    EXPECT_EQ(test::bus().memory.dma_of(memory.get() + page_size), ranges[1].start);
    EXPECT_EQ(90u, ranges[1].len);
}

EVERY_VARIANT(TxPiecesTest);

using TxFreeThresholdTest = test::PortTest;

// A packet may need more descriptors than tx_free_thresh: it is not waited for with the queue full
// of what is sent.
TEST_F(TxFreeThresholdTest, IsNoLessThanAPacketMayTake) {
    rte_eth_conf conf{};
    rte_eth_txconf txconf{};
    rte_eth_txq_info info;

    txconf.tx_free_thresh = 1;
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, ring_size, 0, &txconf));
    ASSERT_EQ(0, rte_eth_tx_queue_info_get(port_id, 0, &info));
    EXPECT_EQ(tx_max_descs, info.conf.tx_free_thresh);
}

} // namespace
