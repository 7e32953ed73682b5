// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive from pools whose mbufs do not carry their DMA addresses: what is believed, what is not
// received into, and pinned external buffers. test_rx.cpp runs with such a pool too.

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "port_test.hpp"
#include "rxtx/igb_desc.hpp"
#include "variants.hpp"

namespace {

using namespace igb;
using model::Received;
using test::bus;

std::size_t times(const std::string &text, const std::string &part) {
    std::size_t found = 0;

    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        found++;
    return found;
}

class RxLookupTest : public test::PortTest {
protected:
    std::string rx_mode() const {
        rte_eth_burst_mode mode{};

        EXPECT_EQ(0, rte_eth_rx_burst_mode_get(port_id, 0, &mode));
        return mode.info;
    }

    void arrive(std::uint32_t id, std::uint16_t queue = 0) {
        ASSERT_EQ(Received::Delivered, device().receive(queue, frame(id)));
    }

    // count frames in and out, whatever buffers they take.
    void pass(std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; i++) {
            arrive(i);
            const auto mbufs = receive();
            ASSERT_EQ(1u, mbufs.size());
            ASSERT_EQ(frame(i), contents(mbufs[0]));
            free_all(mbufs);
        }
    }

    // A pool whose mbufs lie one behind the other, whatever pages that is in.
    rte_mempool *make_packed_pool(const char *name, unsigned int size) {
        rte_mempool *made = rte_mempool_create_empty(
            name, size, sizeof(rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE, 0,
            sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY, RTE_MEMPOOL_F_NO_IOVA_CONTIG);

        EXPECT_NE(nullptr, made);
        EXPECT_EQ(0, rte_mempool_set_ops_byname(made, "ring_mp_mc", nullptr));
        rte_pktmbuf_pool_init(made, nullptr);
        EXPECT_EQ(static_cast<int>(size), rte_mempool_populate_default(made));
        made->flags &= ~static_cast<unsigned int>(RTE_MEMPOOL_F_NON_IO); // for want of IOVAs
        rte_mempool_obj_iter(made, rte_pktmbuf_init, nullptr);
        pools.push_back(made);
        return made;
    }

    // A pool of which nb_split buffers, spread over all of it, lie in pages that are no neighbours
    // for the device.
    rte_mempool *make_split_pool(unsigned int size, unsigned int nb_split) {
        constexpr std::uintptr_t page = 4096;
        std::vector<std::uintptr_t> buffers;
        std::vector<std::uintptr_t> borders; // of pages, within a buffer
        rte_mempool *made = make_packed_pool("split", size);

        rte_mempool_obj_iter(
            made,
            [](rte_mempool *, void *all, void *object, unsigned int) {
                static_cast<std::vector<std::uintptr_t> *>(all)->push_back(
                    reinterpret_cast<std::uintptr_t>(static_cast<rte_mbuf *>(object)->buf_addr));
            },
            &buffers);
        std::sort(buffers.begin(), buffers.end());
        for (const std::uintptr_t buffer : buffers)
            if (const auto border = (buffer / page + 1) * page;
                border < buffer + RTE_MBUF_DEFAULT_BUF_SIZE)
                borders.push_back(border);
        EXPECT_GE(borders.size(), nb_split);

        // The first and the last run are where other memory is, with which they share a page.
        constexpr std::uint64_t elsewhere = std::uint64_t{1} << 40;
        std::uintptr_t start = buffers.front() / page * page;
        std::uint64_t skew = 0;
        const auto map_to = [&](std::uintptr_t end) {
            bus().map(reinterpret_cast<const void *>(start), end - start, skew);
            start = end;
            skew = skew == 0 ? elsewhere : skew + page;
        };
        for (std::size_t i = 0; i < borders.size(); i++)
            if (i * nb_split / borders.size() != (i + 1) * nb_split / borders.size())
                map_to(borders[i]);
        skew = 0;
        map_to(buffers.back() + RTE_MBUF_DEFAULT_BUF_SIZE);
        return made;
    }

    // Mbufs with buffers in memory_, whose addresses are lies.
    rte_mempool *make_pinned_pool() {
        const rte_pktmbuf_extmem memory = {.buf_ptr = memory_,
                                           .buf_iova = decoy_dma(),
                                           .buf_len = sizeof(memory_),
                                           .elt_size = RTE_MBUF_DEFAULT_BUF_SIZE};
        rte_mempool *made = rte_pktmbuf_pool_create_extbuf(
            "pinned", pinned_flag, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, &memory, 1);

        EXPECT_NE(nullptr, made);
        pools.push_back(made);
        return made;
    }

    // As the library wants them in their pool.
    static void expect_pinned(rte_mempool *pinned) {
        rte_mempool_obj_iter(
            pinned,
            [](rte_mempool *, void *, void *object, unsigned int) {
                const auto *mbuf = static_cast<const rte_mbuf *>(object);
                EXPECT_EQ(RTE_MBUF_F_EXTERNAL, mbuf->ol_flags & RTE_MBUF_F_EXTERNAL);
                EXPECT_EQ(1, rte_mbuf_ext_refcnt_read(mbuf->shinfo));
                EXPECT_GE(mbuf->buf_addr, static_cast<void *>(memory_));
                EXPECT_LT(mbuf->buf_addr, static_cast<void *>(memory_ + sizeof(memory_)));
            },
            nullptr);
    }

    static constexpr unsigned int pinned_flag = 150;
    alignas(4096) static inline char memory_[pinned_flag * RTE_MBUF_DEFAULT_BUF_SIZE];
};

// What test_rx.cpp would find with mbufs that lie, if they were believed.
TEST_F(RxLookupTest, NegativeControl) {
    pool = make_pool("believed", "iommufd", pool_size);
    const rte_mempool *lying = make_lying_pool(31); // maps the decoy
    ASSERT_NE(nullptr, lying);
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool *, void *, void *object, unsigned int) {
            static_cast<rte_mbuf *>(object)->buf_iova = decoy_dma();
        },
        nullptr);
    bring_up();
    arrive(1);
    const auto mbufs = receive();
    ASSERT_EQ(1u, mbufs.size());
    EXPECT_NE(frame(1), contents(mbufs[0]));
    free_all(mbufs);
}

TEST_F(RxLookupTest, OnlyWhereItIsNeeded) {
    rte_mempool *const carrying = pool;

    pool = make_lying_pool(pool_size);
    bring_up();
    EXPECT_EQ(test::looked_up_mode, rx_mode());
    pass(3);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    pool = carrying;
    bring_up();
    EXPECT_NE(test::looked_up_mode, rx_mode());
    device().sleep_us(model::Igb::autoneg_us);
    pass(3);
}

TEST_F(RxLookupTest, QueuesOfBothKinds) {
    rte_eth_conf conf{};
    rte_mempool *lying = make_lying_pool(pool_size);

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 2, 2, &conf));
    for (std::uint16_t queue = 0; queue < 2; queue++) {
        ASSERT_EQ(0, rte_eth_rx_queue_setup(port_id, queue, ring_size, 0, nullptr,
                                            queue == 0 ? pool : lying));
        ASSERT_EQ(0, rte_eth_tx_queue_setup(port_id, queue, ring_size, 0, nullptr));
    }
    ASSERT_EQ(0, start());
    EXPECT_EQ(test::looked_up_mode, rx_mode());
    device().sleep_us(model::Igb::autoneg_us);
    for (std::uint32_t i = 0; i < 3u * ring_size; i++) {
        const auto queue = static_cast<std::uint16_t>(i % 2);
        arrive(i, queue);
        const auto mbufs = receive(32, queue);
        ASSERT_EQ(1u, mbufs.size());
        EXPECT_EQ(queue == 0 ? pool : lying, mbufs[0]->pool);
        EXPECT_EQ(frame(i), contents(mbufs[0]));
        free_all(mbufs);
    }
}

// The model faults if a device is told to write across the cut.
TEST_F(RxLookupTest, BuffersInTwoPiecesAreNotReceivedInto) {
    constexpr unsigned int split = pool_size / 4;
    std::set<rte_mbuf *> seen;

    pool = make_split_pool(pool_size, split);
    {
        test::LogCapture log;
        bring_up();
        EXPECT_EQ(1u,
                  times(log.text(), std::to_string(split) + " of the 500 buffers of pool split "
                                                            "lie in pages that are no neighbours"))
            << log.text();
    }
    test::LogCapture log;
    // The application keeps all it gets, until there is nothing left to receive into.
    for (std::uint32_t i = 0; device().receive(0, frame(i)) == Received::Delivered; i++)
        for (rte_mbuf *mbuf : receive()) {
            ASSERT_EQ(frame(i), contents(mbuf));
            ASSERT_TRUE(seen.insert(mbuf).second);
        }
    EXPECT_LE(seen.size(), pool_size - split);
    EXPECT_GT(seen.size(), pool_size - split - 2 * 32);
    EXPECT_GT(stats().rx_nombuf, 0u);
    EXPECT_EQ("", log.text()) << "nothing unexpected is out of reach";

    free_all({seen.begin(), seen.end()});
    EXPECT_TRUE(receive().empty()); // refills
    pass(3 * pool_size);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool)) << "they go back when the queue stops";
    bring_up();
    device().sleep_us(model::Igb::autoneg_us);
    pass(pool_size);
}

TEST_F(RxLookupTest, TooFewInOnePiece) {
    rte_eth_conf conf{};

    pool = make_split_pool(100, 40);
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    test::LogCapture log;
    EXPECT_EQ(-ENOMEM, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
    EXPECT_NE(std::string::npos,
              log.text().find("60 of the 100 buffers of pool split are in one piece for a device, "
                              "and the ring has 64"))
        << log.text();
    EXPECT_EQ(0, bus().holds);
}

// Enough at set-up, but the application has taken them by the start.
TEST_F(RxLookupTest, TooFewLeft) {
    std::vector<rte_mbuf *> taken(100);

    pool = make_split_pool(200, 80);
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    ASSERT_EQ(0, rte_pktmbuf_alloc_bulk(pool, taken.data(), 100));
    test::LogCapture log;
    EXPECT_EQ(-ENOMEM, start());
    EXPECT_NE(std::string::npos,
              log.text().find("fewer than 64 mbufs left that are in one piece for a device"));
    EXPECT_EQ(100u, rte_mempool_in_use_count(pool)) << "nothing is kept";
    free_all(taken);
    EXPECT_EQ(0, start());
}

// An application that moves a buffer, or frees its memory, under a running queue.
TEST_F(RxLookupTest, OutOfReachWhileRunning) {
    static char nowhere[RTE_MBUF_DEFAULT_BUF_SIZE];
    constexpr std::uint32_t count = 3;
    std::vector<std::pair<rte_mbuf *, void *>> moved;

    pool = make_lying_pool(pool_size);
    bring_up();
    for (std::uint32_t i = 0; i < count; i++) {
        moved.emplace_back(rte_pktmbuf_alloc(pool), nullptr);
        moved[i].second = std::exchange(moved[i].first->buf_addr, nowhere);
    }
    for (const auto &each : moved)
        rte_mempool_put(pool, each.first);

    test::LogCapture log;
    pass(3 * pool_size);
    EXPECT_EQ(1u, times(log.text(), "Rx queue 0: a buffer of pool lying is out of reach"))
        << log.text();
    EXPECT_TRUE(std::all_of(std::begin(nowhere), std::end(nowhere), [](char c) { return c == 0; }));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    for (const auto &each : moved)
        each.first->buf_addr = each.second;
}

TEST_F(RxLookupTest, PinnedBuffersAreReceivedInto) {
    bus().map(memory_, sizeof(memory_));
    pool = make_pinned_pool();
    (void)make_lying_pool(31); // maps the decoy
    bring_up();
    EXPECT_EQ(test::looked_up_mode, rx_mode());
    arrive(1);
    const auto mbufs = receive();
    ASSERT_EQ(1u, mbufs.size());
    const rte_mbuf &mbuf = *mbufs[0];
    EXPECT_EQ(frame(1), contents(&mbuf));
    EXPECT_EQ(std::uint64_t{RTE_MBUF_F_EXTERNAL}, mbuf.ol_flags);
    EXPECT_EQ(RTE_PKTMBUF_HEADROOM, mbuf.data_off);
    const char *reason = nullptr;
    EXPECT_EQ(0, rte_mbuf_check(&mbuf, 1, &reason)) << reason;
    free_all(mbufs);
    pass(3 * pinned_flag);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    expect_pinned(pool);
}

TEST_F(RxLookupTest, PinnedBuffersOutliveTheirMbufsInClones) {
    rte_mempool *clones = make_pool("clones", "ring_mp_mc", 31);

    bus().map(memory_, sizeof(memory_));
    pool = make_pinned_pool();
    bring_up();
    arrive(5);
    const auto mbufs = receive();
    ASSERT_EQ(1u, mbufs.size());
    rte_mbuf *clone = rte_pktmbuf_clone(mbufs[0], clones);
    ASSERT_NE(nullptr, clone);
    free_all(mbufs);
    pass(3 * pinned_flag); // the buffer is not used again while the clone shows it
    EXPECT_EQ(frame(5), contents(clone));
    rte_pktmbuf_free(clone);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    expect_pinned(pool);
}

TEST_F(RxLookupTest, PinnedBuffersAreForwarded) {
    bus().map(memory_, sizeof(memory_));
    pool = make_pinned_pool();
    bring_up();
    for (std::uint32_t i = 0; i < 4 * pinned_flag; i++) {
        arrive(i);
        auto mbufs = receive();
        ASSERT_EQ(1u, mbufs.size());
        ASSERT_EQ(1, rte_eth_tx_burst(port_id, 0, mbufs.data(), 1));
        ASSERT_EQ(1, device().transmit(0));
        ASSERT_EQ(frame(i), device().sent.back().data);
    }
    EXPECT_EQ(0u, stats().oerrors);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    expect_pinned(pool);
}

TEST_F(RxLookupTest, PinnedBuffersOutOfReachAreRefused) {
    rte_eth_conf conf{};

    bus().map(memory_, sizeof(memory_) - 1);
    pool = make_pinned_pool();
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    test::LogCapture log;
    EXPECT_EQ(-EFAULT, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
    EXPECT_NE(std::string::npos, log.text().find("rte_dev_dma_map()")) << log.text();
    bus().map(memory_, sizeof(memory_));
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
}

} // namespace
