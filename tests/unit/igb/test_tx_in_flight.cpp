// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a transmit queue says of its packets in flight, and when.

#include <algorithm>
#include <cstring>

#include <rte_ethdev.h>

#include "rxtx/igb_tx.hpp"
#include "tx_test.hpp"

namespace {

using namespace igb;

class TxInFlightTest : public test::TxTest {
protected:
    static rte_iommufd_in_flight &queue(std::size_t n = 0) {
        return *test::bus().watched.at(n).queue;
    }

    static std::vector<rte_iommufd_dma_range> in_flight() {
        std::vector<rte_iommufd_dma_range> ranges(queue().capacity);

        ranges.resize(test::bus().watched.at(0).ranges(&queue(), ranges.data()));
        return ranges;
    }
    static std::uint64_t dma_of(const rte_mbuf *mbuf) {
        return reinterpret_cast<std::uint64_t>(rte_pktmbuf_mtod(mbuf, void *)) + test::dma_offset;
    }
    // An mbuf of the pool with its data elsewhere; what is done when that is let go.
    rte_mbuf *external(rte_mbuf_ext_shared_info &info, void (*free_cb)(void *, void *)) {
        static std::uint8_t memory[2048];
        rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

        info.free_cb = free_cb;
        rte_mbuf_ext_refcnt_set(&info, 1);
        rte_pktmbuf_attach_extbuf(mbuf, memory, 0xDEAD000, sizeof(memory), &info);
        EXPECT_NE(nullptr, rte_pktmbuf_append(mbuf, 100));
        return mbuf;
    }
    static const void *buffer_of(const rte_mbuf *mbuf) { return rte_pktmbuf_mtod(mbuf, void *); }
};

TEST_P(TxInFlightTest, EveryPacketUntilItIsSent) {
    std::vector<rte_mbuf *> all;

    EXPECT_TRUE(in_flight().empty());
    for (std::uint32_t n = 0; n < 5 * ring_size; n += 7) {
        const auto more = packets(n, 7);
        all.insert(all.end(), more.begin(), more.end());
        // The oldest that are not sent. What is sent is not in flight, whether the driver has
        // seen it or not.
        if (all.size() - device().sent.size() > batch_size) {
            device().transmit(0);
            EXPECT_EQ(0u, in_flight().size());
        }
        ASSERT_EQ(7, send(more));
        const auto ranges = in_flight();
        ASSERT_EQ(all.size() - device().sent.size(), ranges.size());
        for (std::size_t i = 0; i < ranges.size(); i++) {
            const rte_mbuf *mbuf = all[all.size() - ranges.size() + i];
            EXPECT_EQ(dma_of(mbuf), ranges[i].start);
            EXPECT_EQ(60 + (all.size() - ranges.size() + i) % 900, ranges[i].len);
        }
    }
}

TEST_P(TxInFlightTest, AFullRing) {
    ASSERT_EQ(ring_size - 1, send(packets(0, ring_size - 1)));
    EXPECT_EQ(ring_size - 1u, in_flight().size());
    EXPECT_LE(ring_size - 1u, queue().capacity);
    device().transmit(0, batch_size - 1);
    EXPECT_EQ(ring_size - 1u, in_flight().size()) << "nothing is known of a batch before its end";
    device().transmit(0, 1);
    EXPECT_EQ(ring_size - 1u - batch_size, in_flight().size());
    device().transmit(0, 1);
    EXPECT_EQ(ring_size - 1u - batch_size, in_flight().size());
}

TEST_P(TxInFlightTest, QueuesAreAskedWhileTheDeviceMayRead) {
    EXPECT_EQ(1u, test::bus().watched.size());
    EXPECT_LT(test::bus().when("register"), test::bus().when("bus_master_on"));
    ASSERT_EQ(3, send(packets(0, 3)));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_TRUE(test::bus().watched.empty());
    EXPECT_LT(test::bus().when("bus_master_off"), SIZE_MAX);
    EXPECT_GE(test::bus().when("unregister"), test::bus().when("bus_master_off"));
    ASSERT_EQ(0, rte_eth_dev_start(port_id));
    EXPECT_EQ(1u, test::bus().watched.size());
    EXPECT_TRUE(in_flight().empty());
}

TEST_P(TxInFlightTest, AStartThatFailsAsksNobody) {
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, configure(2));
    for (const int before : {0, 1}) { // the first queue's registration fails, and the second's
        test::bus().register_error = -ENOMEM;
        test::bus().registered_before_error = before;
        EXPECT_EQ(-ENOMEM, rte_eth_dev_start(port_id));
        EXPECT_TRUE(test::bus().watched.empty());
        test::bus().register_error = 0;
    }
    test::bus().bus_master_on_error = -EIO; // the last step but the queues themselves
    EXPECT_EQ(-EIO, rte_eth_dev_start(port_id));
    EXPECT_TRUE(test::bus().watched.empty());
    test::bus().bus_master_on_error = 0;
    EXPECT_EQ(0, rte_eth_dev_start(port_id));
    EXPECT_EQ(2u, test::bus().watched.size());
}

TEST_P(TxInFlightTest, AStopThatFailsGoesOnAsking) {
    ASSERT_EQ(3, send(packets(0, 3)));
    test::bus().bus_master_off_error = -EIO;
    device().faults.reset_hangs = true;
    EXPECT_NE(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(1u, test::bus().watched.size());
    EXPECT_EQ(3u, in_flight().size()) << "DMA may go on";
    test::bus().bus_master_off_error = 0;
    device().faults.reset_hangs = false;
    EXPECT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_TRUE(test::bus().watched.empty());
}

TEST_P(TxInFlightTest, LookupsAreAnnounced) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 63);
    ASSERT_NE(nullptr, foreign);
    map_pool(foreign);

    ASSERT_EQ(20, send(packets(0, 20)));
    EXPECT_EQ(0u, queue().lookups) << "mbufs of an iommufd pool carry their addresses";
    ASSERT_EQ(2, send({packet(pool, 1), packet(foreign, 2)}));
    EXPECT_EQ(2u, queue().lookups) << "begun and ended";
    EXPECT_EQ(22u, in_flight().size());
    ASSERT_EQ(2, send({packet(foreign, 3), packet(foreign, 4)}));
    EXPECT_EQ(4u, queue().lookups) << "once a burst";
}

// What applications do in that callback is to unmap the memory: the device has shown DD.
TEST_P(TxInFlightTest, ABufferIsNotInFlightWhenItIsLetGo) {
    static bool is_freed;
    static std::size_t then;
    static rte_iova_t dma;
    rte_mbuf_ext_shared_info info{};
    rte_mbuf *mbuf = external(info, [](void *, void *) {
        const auto ranges = in_flight();
        is_freed = true;
        then = static_cast<std::size_t>(
            std::count_if(ranges.begin(), ranges.end(), [](auto &r) { return r.start == dma; }));
    });

    is_freed = false;
    dma = dma_of(mbuf);
    test::bus().map(buffer_of(mbuf), 100);
    ASSERT_EQ(1, send({mbuf}));
    ASSERT_EQ(1u, in_flight().size());
    EXPECT_EQ(dma, in_flight()[0].start);
    EXPECT_EQ(100u, in_flight()[0].len);
    ASSERT_EQ(batch_size + 2, send(packets(0, batch_size + 2)));
    device().transmit(0);
    EXPECT_FALSE(is_freed);
    ASSERT_EQ(batch_size + 3, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_TRUE(is_freed);
    EXPECT_EQ(0u, then);
}

TEST_P(TxInFlightTest, ADroppedBufferIsLetGoBetweenLookups) {
    static std::vector<std::uint32_t> lookups;
    static std::vector<std::size_t> ahead;
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 63);
    ASSERT_NE(nullptr, foreign);
    map_pool(foreign);
    std::vector<rte_mbuf_ext_shared_info> infos(50);
    std::vector<rte_mbuf *> mbufs;

    // More than a batch of packets that cannot be sent, among others whose addresses are looked up.
    lookups.clear();
    ahead.clear();
    for (auto &info : infos) {
        mbufs.push_back(packet(foreign, static_cast<std::uint32_t>(mbufs.size())));
        mbufs.push_back(external(info, [](void *, void *) {
            lookups.push_back(queue().lookups);
            ahead.push_back(in_flight().size());
        }));
    }
    mbufs.push_back(packet(pool, 1));
    ASSERT_EQ(mbufs.size(), send(mbufs));
    EXPECT_EQ(infos.size(), lookups.size());
    for (std::size_t i = 0; i < lookups.size(); i++) {
        EXPECT_EQ(0u, lookups[i] % 2) << "the callback would wait for itself";
        EXPECT_GT(ahead[i], i) << "those before it are seen to be in flight";
    }
    EXPECT_EQ(infos.size(), stats().oerrors);
    EXPECT_EQ(infos.size() + 1, in_flight().size());
    EXPECT_EQ(infos.size() + 1, static_cast<std::size_t>(device().transmit(0)));
}

EVERY_VARIANT(TxInFlightTest);

} // namespace
