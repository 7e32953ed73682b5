// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit bursts: contents, order and completion.

#include <algorithm>
#include <set>

#include <rte_ethdev.h>

#include "hw/igb_regs.hpp"
#include "rxtx/igb_desc.hpp"
#include "rxtx/igb_tx.hpp"
#include "tx_test.hpp"

namespace {

using namespace igb;
using TxTest = test::TxTest;

TEST_P(TxTest, DescriptorAndBytes) {
    rte_mbuf *mbuf = packet(pool, 5, 1514);

    ASSERT_EQ(1, send({mbuf}));
    EXPECT_EQ(1u, device().peek(reg::TDT(0)));
    ASSERT_EQ(1, device().transmit(0));
    ASSERT_EQ(1u, device().sent.size());
    EXPECT_EQ(frame(5, 1514), device().sent[0].data);
    EXPECT_EQ(tx_desc_command(1514) | tx_report_status, device().sent[0].desc.command);
    EXPECT_EQ(reinterpret_cast<std::uint64_t>(rte_pktmbuf_mtod(mbuf, void *)) + test::dma_offset,
              device().sent[0].desc.address);
    EXPECT_EQ(1u, stats().opackets);
    EXPECT_EQ(1514u, stats().obytes);
    EXPECT_EQ(1u, stats().q_opackets[0]);
    EXPECT_EQ(1514u, stats().q_obytes[0]);
    EXPECT_EQ(0u, stats().oerrors);
}

TEST_P(TxTest, NothingToSend) {
    EXPECT_EQ(0, send({}));
    EXPECT_EQ(0u, device().peek(reg::TDT(0)));
}

TEST_P(TxTest, DataOffsetCounts) {
    rte_mbuf *mbuf = packet(pool, 5, 200);

    ASSERT_NE(nullptr, rte_pktmbuf_adj(mbuf, 32));
    const auto expected = contents(mbuf);
    ASSERT_EQ(1, send({mbuf}));
    device().transmit(0);
    EXPECT_EQ(expected, device().sent[0].data);
}

TEST_P(TxTest, ReportsStatusOnceInABatchAndAtTheEndOfABurst) {
    std::uint32_t next = 0;
    std::set<std::uint32_t> ends; // of bursts

    // In bursts that do not fit into batches.
    while (next < 7 * ring_size) {
        const std::uint32_t count = std::min(13u, 7 * ring_size - next);
        ASSERT_EQ(count, send(packets(next, count)));
        next += count;
        ends.insert(next - 1);
        device().transmit(0);
    }
    EXPECT_EQ(next, device().sent.size());
    std::uint64_t reports = 0;
    for (std::uint32_t i = 0; i < device().sent.size(); i++) {
        const model::Sent &sent = device().sent[i];
        const bool expected = sent.index % batch_size == batch_size - 1 || ends.contains(i);
        EXPECT_EQ(expected, (sent.desc.command & tx_cmd::RS) != 0) << i;
        reports += expected;
    }
    EXPECT_EQ(reports, device().tx_write_backs);
}

TEST_P(TxTest, FullBatchesReportOnce) {
    for (std::uint32_t i = 0; i < 8; i++) {
        ASSERT_EQ(32, send(packets(32 * i, 32)));
        device().transmit(0);
    }
    EXPECT_EQ(8u, device().tx_write_backs);
}

TEST_P(TxTest, FullRing) {
    auto mbufs = packets(0, ring_size + 6);

    EXPECT_EQ(ring_size - 1, send(mbufs)) << "one descriptor stays empty";
    EXPECT_EQ(0, send({mbufs.begin() + ring_size - 1, mbufs.end()}));
    EXPECT_EQ(ring_size - 1, device().transmit(0));
    // The first batch is complete, the second has not reached its RS descriptor.
    EXPECT_EQ(7, send({mbufs.begin() + ring_size - 1, mbufs.end()}));
    EXPECT_EQ(7, device().transmit(0));
    for (std::uint32_t i = 0; i < mbufs.size(); i++)
        ASSERT_EQ(sent_frame(i), device().sent[i].data);
}

TEST_P(TxTest, FullRingWithADeviceThatStands) {
    ASSERT_EQ(ring_size - 1, send(packets(0, ring_size - 1)));
    for (int i = 0; i < 10; i++) {
        const auto more = packets(100, 32);
        EXPECT_EQ(0, send(more));
        free_all(more);
    }
    EXPECT_EQ(ring_size - 1u, held());
}

TEST_P(TxTest, CompletedMbufsAreFreed) {
    ASSERT_EQ(32, send(packets(0, 32)));
    ASSERT_EQ(31, send(packets(32, 31)));
    EXPECT_EQ(63u, held());
    device().transmit(0, 31); // the batch's last descriptor is not done
    EXPECT_EQ(0, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(63u, held());
    device().transmit(0, 1);
    EXPECT_EQ(32, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(31u, held());
    device().transmit(0, 30);
    EXPECT_EQ(0, rte_eth_tx_done_cleanup(port_id, 0, 0)) << "the end of the burst is not done";
    device().transmit(0);
    EXPECT_EQ(31, rte_eth_tx_done_cleanup(port_id, 0, 0)) << "nobody has to send more for it";
    EXPECT_EQ(0u, held());
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

TEST_P(TxTest, CleanupFreesAsManyAsAskedFor) {
    std::uint32_t next = 0;

    // Packets go on in the middle of a batch of which a part is free, many times around the ring.
    for (std::uint32_t lap = 0; lap < 60; lap++) {
        const std::uint32_t count = 5 + lap % 11;
        ASSERT_EQ(count, send(packets(next, count)));
        next += count;
        device().transmit(0);
        EXPECT_EQ(3, rte_eth_tx_done_cleanup(port_id, 0, 3));
        EXPECT_EQ(count - 3, held());
        EXPECT_EQ(1, rte_eth_tx_done_cleanup(port_id, 0, 1));
        EXPECT_EQ(count - 4, static_cast<std::uint32_t>(rte_eth_tx_done_cleanup(port_id, 0, 0)));
        EXPECT_EQ(0u, held());
    }
    for (std::uint32_t i = 0; i < next; i++)
        ASSERT_EQ(sent_frame(i), device().sent[i].data);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

// The burst functions complete a batch of which tx_done_cleanup() has freed a part.
TEST_P(TxTest, ABatchFreedInPart) {
    ASSERT_EQ(20, send(packets(0, 20)));
    device().transmit(0);
    ASSERT_EQ(20, rte_eth_tx_done_cleanup(port_id, 0, 0));
    ASSERT_EQ(43, send(packets(20, 43)));
    device().transmit(0);
    ASSERT_EQ(32, send(packets(63, 32))) << "there is room but for what is completed";
    EXPECT_EQ(63u, held()) << "31 of the second batch, 32 new ones";
    device().transmit(0);
    EXPECT_EQ(63, rte_eth_tx_done_cleanup(port_id, 0, 0));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

TEST_P(TxTest, DoneOfTheLastLapIsNotDone) {
    for (std::uint32_t i = 0; i < 4; i++) { // two laps, all done and cleaned
        ASSERT_EQ(32, send(packets(32 * i, 32)));
        device().transmit(0);
        rte_eth_tx_done_cleanup(port_id, 0, 0);
    }
    EXPECT_EQ(0u, held());
    ASSERT_EQ(31, send(packets(500, 31))); // their RS descriptor shows DD of lap two
    EXPECT_EQ(0, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(31u, held());
}

TEST_P(TxTest, WrapsInOrder) {
    std::uint32_t next = 0;
    std::uint32_t checked = 0;

    for (std::uint32_t round = 0; next < 30 * ring_size; round++) {
        const auto mbufs = packets(next, 1 + round * 7 % 64);
        const std::uint16_t sent = send(mbufs);
        next += sent;
        free_all({mbufs.begin() + sent, mbufs.end()});
        device().transmit(0, static_cast<std::uint16_t>(round * 11 % 50));
    }
    device().transmit(0);
    for (const model::Sent &sent : device().sent)
        ASSERT_EQ(sent_frame(checked++), sent.data);
    EXPECT_EQ(next, checked);
    EXPECT_EQ(next, stats().opackets);
    EXPECT_LT(held(), unsigned{ring_size});
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

TEST_P(TxTest, StopFreesWhatWasNotSent) {
    ASSERT_EQ(40, send(packets(0, 40)));
    device().transmit(0, 20);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

class TxFastFreeTest : public test::TxTest {
protected:
    rte_eth_conf configuration() const override {
        rte_eth_conf conf{};

        conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
        return conf;
    }
};

TEST_P(TxFastFreeTest, SendsAndFrees) {
    std::uint32_t next = 0;

    while (next < 10 * ring_size) {
        ASSERT_EQ(20, send(packets(next, 20)));
        next += 20;
        device().transmit(0);
    }
    for (std::uint32_t i = 0; i < next; i++)
        ASSERT_EQ(sent_frame(i), device().sent[i].data);
    rte_eth_tx_done_cleanup(port_id, 0, 0);
    EXPECT_LT(held(), 32u);
}

// The promise of one pool says nothing of where that pool's memory is.
TEST_P(TxFastFreeTest, ForeignPoolThatIsNotMapped) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 31);
    ASSERT_NE(nullptr, foreign);
    std::vector<rte_mbuf *> mbufs;

    for (std::uint32_t i = 0; i < 16; i++)
        mbufs.push_back(packet(foreign, i));
    EXPECT_EQ(16, send(mbufs));
    EXPECT_EQ(0, device().transmit(0));
    EXPECT_EQ(16u, stats().oerrors);
    EXPECT_EQ(0u, rte_mempool_in_use_count(foreign));
}

EVERY_VARIANT(TxTest);
EVERY_VARIANT(TxFastFreeTest);

} // namespace
