// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Packets of several segments.

#include <algorithm>
#include <vector>

#include "rxtx/igb_tx.hpp"
#include "tx_test.hpp"

namespace {

using namespace igb;

class TxChainTest : public test::TxTest {
protected:
    using Bytes = std::vector<std::uint8_t>;

    // A chain of segments of these lengths, of pools in turn; what is in it.
    rte_mbuf *chain(std::uint32_t id, const std::vector<std::uint16_t> &lengths,
                    const std::vector<rte_mempool *> &from, Bytes *data = nullptr) {
        rte_mbuf *head = nullptr;

        for (std::size_t i = 0; i < lengths.size(); i++) {
            rte_mbuf *segment = rte_pktmbuf_alloc(from[i % from.size()]);
            EXPECT_NE(nullptr, segment);
            auto bytes = frame(id * 64 + static_cast<std::uint32_t>(i),
                               std::max<std::size_t>(lengths[i], 60));
            bytes.resize(lengths[i]);
            std::copy(bytes.begin(), bytes.end(),
                      reinterpret_cast<std::uint8_t *>(rte_pktmbuf_append(segment, lengths[i])));
            if (data != nullptr)
                data->insert(data->end(), bytes.begin(), bytes.end());
            if (head == nullptr)
                head = segment;
            else
                EXPECT_EQ(0, rte_pktmbuf_chain(head, segment));
        }
        return head;
    }

    void expect_nothing_held() {
        rte_eth_tx_done_cleanup(port_id, 0, 0);
        EXPECT_EQ(0u, held());
        ASSERT_EQ(0, rte_eth_dev_stop(port_id));
        expect_whole(pool);
    }
};

TEST_P(TxChainTest, AreSentWhole) {
    rte_mempool *other = make_pool("other", "iommufd", 63);
    Bytes two;
    Bytes five;
    ASSERT_NE(nullptr, other);

    EXPECT_EQ(4, send({packet(pool, 1), chain(2, {100, 200}, {pool}, &two),
                       chain(3, {60, 1, 0, 700, 2}, {pool, other}, &five), packet(pool, 4)}));
    EXPECT_EQ(1 + 2 + 4 + 1, device().transmit(0)) << "an empty segment takes no descriptor";
    ASSERT_EQ(4u, device().sent.size());
    EXPECT_EQ(frame(1), device().sent[0].data);
    EXPECT_EQ(two, device().sent[1].data);
    EXPECT_EQ(five, device().sent[2].data);
    EXPECT_EQ(frame(4), device().sent[3].data);
    EXPECT_EQ(4u, stats().opackets);
    EXPECT_EQ(60u + 300 + 763 + 60, stats().q_obytes[0]);
    EXPECT_EQ(0u, stats().oerrors);
    expect_nothing_held();
    expect_whole(other);
}

// Chains lie across the ends of batches and of the ring, at every place of both.
TEST_P(TxChainTest, AnywhereInTheRing) {
    std::uint32_t plain = 0;

    for (std::uint32_t lap = 0; lap < 150; lap++) {
        Bytes data;
        std::vector<rte_mbuf *> mbufs = packets(plain, lap % 5);
        mbufs.push_back(chain(lap, std::vector<std::uint16_t>(1 + lap % 12, 50), {pool}, &data));
        const auto after = packets(plain + lap % 5, lap % 3);
        mbufs.insert(mbufs.end(), after.begin(), after.end());
        device().sent.clear();
        ASSERT_EQ(mbufs.size(), send(mbufs)) << lap;
        device().transmit(0);
        ASSERT_EQ(mbufs.size(), device().sent.size());
        for (std::uint32_t i = 0; i < mbufs.size(); i++) {
            if (i == lap % 5)
                ASSERT_EQ(data, device().sent[i].data);
            else
                ASSERT_EQ(sent_frame(plain++), device().sent[i].data);
        }
    }
    expect_nothing_held();
}

TEST_P(TxChainTest, AsManySegmentsAsAreAllowed) {
    Bytes data;
    rte_eth_dev_info info;

    ASSERT_EQ(0, rte_eth_dev_info_get(port_id, &info));
    ASSERT_EQ(tx_max_segments, info.tx_desc_lim.nb_seg_max);
    for (int i = 0; i < 20; i++) { // the ring is never too full for one when all is sent
        data.clear();
        device().sent.clear();
        ASSERT_EQ(1,
                  send({chain(1, std::vector<std::uint16_t>(tx_max_segments, 20), {pool}, &data)}));
        device().transmit(0);
        ASSERT_EQ(1u, device().sent.size());
        EXPECT_EQ(data, device().sent[0].data);
    }
    EXPECT_EQ(1, send({chain(1, std::vector<std::uint16_t>(tx_max_segments + 1, 20), {pool})}));
    EXPECT_EQ(1u, stats().oerrors);
    device().transmit(0);
    expect_nothing_held();
}

TEST_P(TxChainTest, WhatCannotBeSentIsDropped) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 31); // not mapped
    ASSERT_NE(nullptr, foreign);
    rte_mbuf *shorter = chain(1, {60, 60}, {pool});
    rte_mbuf *longer = chain(1, {60, 60}, {pool});
    shorter->pkt_len--;
    longer->pkt_len++;
    rte_mbuf *more = chain(1, {60, 60, 60}, {pool});
    more->nb_segs = 2;
    more->pkt_len = 120;

    EXPECT_EQ(6, send({shorter, longer, more, chain(1, {60, 60, 60}, {pool, pool, foreign}),
                       chain(1, {8, 8}, {pool}), packet(pool, 7)}));
    EXPECT_EQ(1, device().transmit(0)) << "nothing in part";
    ASSERT_EQ(1u, device().sent.size());
    EXPECT_EQ(frame(7), device().sent[0].data);
    EXPECT_EQ(5u, stats().oerrors);
    EXPECT_EQ(0u, rte_mempool_in_use_count(foreign));
    expect_nothing_held();
}

TEST_P(TxChainTest, AChainThatDoesNotFitWaits) {
    Bytes data;

    ASSERT_EQ(60, send(packets(0, 60)));
    rte_mbuf *mbuf = chain(1, {60, 60, 60, 60}, {pool}, &data);
    EXPECT_EQ(0, send({mbuf})) << "three descriptors are free";
    device().transmit(0);
    device().sent.clear();
    ASSERT_EQ(1, send({mbuf}));
    device().transmit(0);
    ASSERT_EQ(1u, device().sent.size());
    EXPECT_EQ(data, device().sent[0].data);
    expect_nothing_held();
}

// Of a ring that is full of what is sent a burst has as many descriptors as it takes, though it has
// fewer packets: nothing is refused that could be sent.
TEST_P(TxChainTest, AsMuchIsCompletedAsTheChainsTake) {
    constexpr std::uint32_t nb_desc = 256;
    constexpr std::uint32_t nb_chains = 30;
    constexpr std::uint32_t nb_after = 60;
    std::vector<rte_mbuf *> mbufs;
    std::vector<Bytes> data(nb_chains);

    ASSERT_EQ(0, rte_eth_dev_tx_queue_stop(port_id, 0));
    ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, 0, nb_desc, 0, nullptr));
    ASSERT_EQ(0, rte_eth_dev_tx_queue_start(port_id, 0));
    constexpr std::uint32_t nb_plain = nb_desc - 1 - batch_size; // free: tx_free_thresh
    ASSERT_EQ(nb_plain, send(packets(0, nb_plain)));
    ASSERT_EQ(nb_plain, device().transmit(0));
    device().sent.clear();

    for (std::uint32_t i = 0; i < nb_chains; i++)
        mbufs.push_back(chain(i, {60, 50, 40, 30, 20}, {pool}, &data[i]));
    for (std::uint32_t i = 0; i < nb_after; i++)
        mbufs.push_back(packet(pool, i));
    EXPECT_EQ(nb_chains + nb_after, send(mbufs));
    EXPECT_EQ(5 * nb_chains + nb_after, device().transmit(0));
    ASSERT_EQ(nb_chains + nb_after, device().sent.size());
    for (std::uint32_t i = 0; i < nb_chains; i++)
        EXPECT_EQ(data[i], device().sent[i].data) << i;
    for (std::uint32_t i = 0; i < nb_after; i++)
        EXPECT_EQ(frame(i), device().sent[nb_chains + i].data) << i;
    EXPECT_EQ(nb_plain + nb_chains + nb_after, stats().opackets);
    expect_nothing_held();
}

// Somebody else holds the chain: he finds it as it was.
TEST_P(TxChainTest, ASharedChainIsLeftAlone) {
    rte_mbuf *head = chain(1, {60, 70}, {pool});
    rte_mbuf *tail = head->next;

    rte_mbuf_refcnt_update(head, 1);
    rte_mbuf_refcnt_update(tail, 1);
    ASSERT_EQ(1, send({head}));
    device().transmit(0);
    ASSERT_EQ(1, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(2u, held());
    EXPECT_EQ(tail, head->next);
    EXPECT_EQ(2, head->nb_segs);
    rte_pktmbuf_free(head);
    expect_nothing_held();
}

// A part of the chain is shared: none of it is taken apart.
TEST_P(TxChainTest, ASharedSegmentIsLeftAlone) {
    rte_mbuf *head = chain(1, {60, 70, 80}, {pool});
    rte_mbuf *shared = head->next;
    rte_mbuf *tail = shared->next;

    rte_mbuf_refcnt_update(shared, 1);
    ASSERT_EQ(1, send({head}));
    EXPECT_EQ(tail, shared->next) << "somebody else's mbuf";
    device().transmit(0);
    ASSERT_EQ(1, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(1u, held());
    rte_pktmbuf_free_seg(shared);
    expect_nothing_held();
}

// The device may read a chain until its last descriptor is done: a batch that ends amid one is not
// done before.
TEST_P(TxChainTest, ABatchWaitsForTheEndOfAChain) {
    for (std::uint32_t before = 29; before < 32;
         before++) { // with three, two and one of four in it
        SCOPED_TRACE(before);
        ASSERT_EQ(before, send(packets(0, before)));
        ASSERT_EQ(1, send({chain(1, {60, 61, 62, 63}, {pool})}));
        device().transmit(0, batch_size);
        const auto more = packets(100, 32);
        const std::uint32_t free = ring_size - 1 - before - 4;
        EXPECT_EQ(free, send(more)) << "no more than was free";
        EXPECT_EQ(before + 4 + 32, held());
        device().transmit(0, static_cast<std::uint16_t>(before + 4 - batch_size));
        EXPECT_EQ(32 - free, send({more.begin() + free, more.end()}));
        EXPECT_EQ(before + 4, held());
        // To the start of a batch again.
        device().transmit(0);
        const std::uint32_t rest = 2 * ring_size - before - 4 - 32;
        for (std::uint32_t sent = 0; sent < rest; sent++) {
            ASSERT_EQ(1, send(packets(sent, 1)));
            device().transmit(0);
        }
        rte_eth_tx_done_cleanup(port_id, 0, 0);
        ASSERT_EQ(0u, held());
    }
    expect_nothing_held();
}

// As tx_done_cleanup() counts them, anywhere in the ring.
TEST_P(TxChainTest, CleanupCountsPackets) {
    for (std::uint32_t lap = 0; lap < 40; lap++) {
        ASSERT_EQ(4, send({chain(1, {60, 61, 62}, {pool}), chain(2, {60, 61}, {pool}),
                           packet(pool, 3), chain(4, {60, 61, 62, 63, 64}, {pool})}));
        device().transmit(0);
        EXPECT_EQ(1, rte_eth_tx_done_cleanup(port_id, 0, 1));
        EXPECT_EQ(8u, held());
        EXPECT_EQ(2, rte_eth_tx_done_cleanup(port_id, 0, 2));
        EXPECT_EQ(5u, held());
        EXPECT_EQ(1, rte_eth_tx_done_cleanup(port_id, 0, 0));
        ASSERT_EQ(0u, held());
    }
    expect_nothing_held();
}

EVERY_VARIANT(TxChainTest);

} // namespace
