// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Transmit bursts: mbufs of every origin and shape.

#include <rte_ethdev.h>

#include "hw/igb_regs.hpp"
#include "rxtx/igb_desc.hpp"
#include "rxtx/igb_tx.hpp"
#include "rxtx/igb_tx_offload.hpp"
#include "tx_test.hpp"

namespace {

using namespace igb;

// An instance of its own: test suites of one name have one class.
class TxMbufTest : public test::TxTest {};

TEST_P(TxMbufTest, LengthsTheHardwareCannotSend) {
    rte_mempool *large = make_pool("large", "iommufd", 15, 10240);
    ASSERT_NE(nullptr, large);

    EXPECT_EQ(6, send({packet(pool, 1, tx_min_length - 1), packet(pool, 2, tx_min_length),
                       rte_pktmbuf_alloc(pool), packet(large, 3, tx_max_length + 1),
                       packet(large, 4, tx_max_length), packet(pool, 5)}));
    device().transmit(0);
    ASSERT_EQ(3u, device().sent.size());
    EXPECT_EQ(tx_min_length, device().sent[0].data.size());
    EXPECT_EQ(frame(4, tx_max_length), device().sent[1].data);
    EXPECT_EQ(frame(5), device().sent[2].data);
    EXPECT_EQ(3u, stats().oerrors);
}

TEST_P(TxMbufTest, ForeignPoolThatIsNotMapped) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 31);
    ASSERT_NE(nullptr, foreign);

    EXPECT_EQ(3, send({packet(pool, 1), packet(foreign, 2), packet(pool, 3)}));
    device().transmit(0);
    ASSERT_EQ(2u, device().sent.size());
    EXPECT_EQ(frame(3), device().sent[1].data);
    EXPECT_EQ(1u, stats().oerrors);
    EXPECT_EQ(0u, rte_mempool_in_use_count(foreign));
}

// Its ops are ours, but the addresses in its mbufs are void.
TEST_P(TxMbufTest, PoolThatIsNotForDevicesIsLookedUp) {
    rte_mempool *void_pool = make_pool("void", "iommufd", 31);
    ASSERT_NE(nullptr, void_pool);
    void_pool->flags |= RTE_MEMPOOL_F_NON_IO;
    rte_mbuf *mbuf = packet(void_pool, 2);
    mbuf->buf_iova = RTE_BAD_IOVA;

    test::bus().map(rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
    EXPECT_EQ(1, send({mbuf}));
    device().transmit(0);
    ASSERT_EQ(1u, device().sent.size());
    EXPECT_EQ(frame(2), device().sent[0].data);
}

TEST_P(TxMbufTest, ForeignPoolThatIsMapped) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 31);
    ASSERT_NE(nullptr, foreign);
    rte_mbuf *mbuf = packet(foreign, 2);

    test::bus().map(rte_pktmbuf_mtod(mbuf, void *), mbuf->data_len);
    EXPECT_EQ(2, send({mbuf, packet(pool, 3)}));
    device().transmit(0);
    ASSERT_EQ(2u, device().sent.size());
    EXPECT_EQ(frame(2), device().sent[0].data);
    EXPECT_EQ(0u, stats().oerrors);
}

TEST_P(TxMbufTest, DataThatIsNotAllMapped) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 31);
    ASSERT_NE(nullptr, foreign);
    rte_mbuf *mbuf = packet(foreign, 2);
    void *const own = mbuf->buf_addr;

    // The last byte is in the next page.
    alignas(4096) static char pages[2 * 4096];
    mbuf->buf_addr = pages;
    mbuf->data_off = static_cast<std::uint16_t>(4096 - mbuf->data_len + 1);
    test::bus().map(pages, 4096);
    EXPECT_EQ(1, send({mbuf}));
    EXPECT_EQ(0, device().transmit(0));
    EXPECT_EQ(1u, stats().oerrors);
    mbuf->buf_addr = own;
}

TEST_P(TxMbufTest, Clone) {
    rte_mempool *foreign = make_pool("foreign", "ring_mp_mc", 31);
    ASSERT_NE(nullptr, foreign);
    rte_mbuf *original = packet(pool, 4);

    // A clone made of a foreign pool's mbuf has its data in ours.
    rte_mbuf *clone = rte_pktmbuf_clone(original, foreign);
    ASSERT_NE(nullptr, clone);
    EXPECT_EQ(1, send({clone}));
    device().transmit(0);
    ASSERT_EQ(1u, device().sent.size());
    EXPECT_EQ(frame(4), device().sent[0].data);

    // And the other way round: ours by its pool, but the data is out of reach.
    rte_mbuf *unmapped = packet(foreign, 6);
    rte_mbuf *bad_clone = rte_pktmbuf_clone(unmapped, pool);
    ASSERT_NE(nullptr, bad_clone);
    EXPECT_EQ(2, send({packet(pool, 7), bad_clone}));
    device().transmit(0);
    EXPECT_EQ(2u, device().sent.size());
    EXPECT_EQ(1u, stats().oerrors);
    free_all({original, unmapped});
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(foreign));
}

TEST_P(TxMbufTest, ExternalBuffer) {
    static std::uint8_t memory[256];
    static bool freed;
    rte_mbuf_ext_shared_info info{};
    rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

    freed = false;
    info.free_cb = [](void *, void *) { freed = true; };
    rte_mbuf_ext_refcnt_set(&info, 1);
    // The IOVA that the application gives is not believed.
    rte_pktmbuf_attach_extbuf(mbuf, memory, 0xDEAD000, sizeof(memory), &info);
    ASSERT_NE(nullptr, rte_pktmbuf_append(mbuf, 100));
    EXPECT_EQ(1, send({mbuf}));
    EXPECT_EQ(0, device().transmit(0));
    EXPECT_EQ(1u, stats().oerrors);
    EXPECT_TRUE(freed);

    freed = false;
    rte_mbuf_ext_refcnt_set(&info, 1);
    mbuf = rte_pktmbuf_alloc(pool);
    rte_pktmbuf_attach_extbuf(mbuf, memory, 0xDEAD000, sizeof(memory), &info);
    ASSERT_NE(nullptr, rte_pktmbuf_append(mbuf, 100));
    test::bus().map(memory, sizeof(memory));
    EXPECT_EQ(1, send({mbuf}));
    EXPECT_EQ(1, device().transmit(0));
    EXPECT_FALSE(freed);
    ASSERT_EQ(31, send(packets(0, 31)));
    device().transmit(0);
    rte_eth_tx_done_cleanup(port_id, 0, 0);
    EXPECT_TRUE(freed);
    EXPECT_EQ(0u, held());
}

TEST_P(TxMbufTest, SecondReferenceSurvives) {
    auto mbufs = packets(0, 32);

    rte_mbuf_refcnt_update(mbufs[7], 1);
    ASSERT_EQ(32, send(mbufs));
    device().transmit(0);
    ASSERT_EQ(32, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(1u, held());
    EXPECT_EQ(1, rte_mbuf_refcnt_read(mbufs[7]));
    EXPECT_EQ(sent_frame(7), contents(mbufs[7]));
    rte_pktmbuf_free(mbufs[7]);
}

TEST_P(TxMbufTest, EachPoolGetsItsOwnBack) {
    rte_mempool *second = make_pool("second", "iommufd", 63);
    ASSERT_NE(nullptr, second);
    std::vector<rte_mbuf *> mbufs;

    for (std::uint32_t i = 0; i < 32; i++)
        mbufs.push_back(packet(i % 3 ? pool : second, i));
    ASSERT_EQ(32, send(mbufs));
    device().transmit(0);
    ASSERT_EQ(32, rte_eth_tx_done_cleanup(port_id, 0, 0));
    EXPECT_EQ(0u, held());
    EXPECT_EQ(0u, rte_mempool_in_use_count(second));
    EXPECT_EQ(32u, device().sent.size());
}

TEST_P(TxMbufTest, PoolMadeInTheSamePlaceIsNotTrusted) {
    rte_mempool *first = make_pool("same", "iommufd", 63);
    ASSERT_NE(nullptr, first);
    for (std::uint32_t i = 0; i < 32; i++)
        ASSERT_EQ(1, send({packet(first, i)}));
    device().transmit(0);
    ASSERT_EQ(32, rte_eth_tx_done_cleanup(port_id, 0, 0));
    pools.pop_back();
    rte_mempool_free(first);

    rte_mempool *second = make_pool("same", "ring_mp_mc", 63);
    ASSERT_NE(nullptr, second);
    if (second != first)
        GTEST_SKIP() << "the allocator took another place";
    device().sent.clear();
    test::bus().unmap_all();
    EXPECT_EQ(1, send({packet(second, 1)}));
    EXPECT_EQ(1u, stats().oerrors);
}

// What makes a packet worth a closer look.
struct Oddity {
    const char *name;
    void (*make)(rte_mbuf *mbuf);
    bool sent; // Or dropped.
};

rte_mbuf_ext_shared_info someone_elses;

void set_length(rte_mbuf *mbuf, std::uint16_t length) {
    mbuf->data_len = length;
    mbuf->pkt_len = length;
}

constexpr Oddity oddities[] = {
    {"second reference", [](rte_mbuf *mbuf) { rte_mbuf_refcnt_update(mbuf, 1); }, true},
    {"a segment that is not there", [](rte_mbuf *mbuf) { mbuf->nb_segs = 2; }, false},
    {"too short", [](rte_mbuf *mbuf) { set_length(mbuf, tx_min_length - 1); }, false},
    {"empty", [](rte_mbuf *mbuf) { set_length(mbuf, 0); }, false},
    {"too long", [](rte_mbuf *mbuf) { set_length(mbuf, tx_max_length + 1); }, false},
    {"longest number", [](rte_mbuf *mbuf) { set_length(mbuf, UINT16_MAX); }, false},
    {"an offload that the device has not",
     [](rte_mbuf *mbuf) { mbuf->ol_flags |= RTE_MBUF_F_TX_OUTER_IP_CKSUM; }, false},
    {"the last flag of offloads", [](rte_mbuf *mbuf) { mbuf->ol_flags |= RTE_MBUF_F_TX_MACSEC; },
     false},
    {"address of an application",
     [](rte_mbuf *mbuf) {
         rte_mbuf_ext_refcnt_set(&someone_elses, 2);
         mbuf->ol_flags |= RTE_MBUF_F_EXTERNAL;
         mbuf->shinfo = &someone_elses;
         mbuf->buf_addr = &someone_elses;
         mbuf->buf_iova = 0xDEAD000;
     },
     false},
    {"what a plain packet may have",
     [](rte_mbuf *mbuf) {
         mbuf->ol_flags = ~(RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL | tx_offload_flags);
         mbuf->port = UINT16_MAX;
         mbuf->packet_type = UINT32_MAX;
         mbuf->hash.rss = UINT32_MAX;
         mbuf->vlan_tci = UINT16_MAX;
     },
     true},
};

// A vector function looks at several packets at once: wherever the odd one is, it alone is
// treated in another way.
TEST_P(TxMbufTest, AnOddOneAnywhereInATurn) {
    constexpr std::uint32_t count = 21;

    for (const Oddity &oddity : oddities) {
        for (std::uint32_t odd = 0; odd < count; odd++) {
            SCOPED_TRACE(testing::Message() << oddity.name << " at " << odd);
            const std::vector<rte_mbuf *> mbufs = packets(0, count);
            const std::uint64_t errors = stats().oerrors;

            oddity.make(mbufs[odd]);
            device().sent.clear();
            ASSERT_EQ(count, send(mbufs));
            ASSERT_EQ(oddity.sent ? count : count - 1, device().transmit(0));
            EXPECT_EQ(oddity.sent ? 0u : 1u, stats().oerrors - errors);
            if (rte_mbuf_refcnt_read(mbufs[odd]) == 2)
                rte_mbuf_refcnt_update(mbufs[odd], -1);
            auto sent = device().sent.begin();
            for (std::uint32_t i = 0; i < count; i++) {
                if (i == odd && !oddity.sent)
                    continue;
                ASSERT_EQ(sent_frame(i), sent->data);
                ASSERT_EQ(tx_desc_command(static_cast<std::uint16_t>(60 + i)),
                          sent->desc.command & ~tx_report_status);
                ++sent;
            }
        }
    }
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

EVERY_VARIANT(TxMbufTest);

// As for a DPDK whose mbufs carry no addresses: here they do, and are wrong.
class TxLookedUpTest : public test::PortTest {
protected:
    // What a burst function sends of an mbuf that carries another page's address.
    std::vector<std::uint8_t> sent_by(eth_tx_burst_t burst) {
        rte_mbuf *mbuf = packet(pool, 7);
        const rte_iova_t carried = rte_mbuf_iova_get(mbuf);

        rte_mbuf_iova_set(mbuf, reinterpret_cast<std::uint64_t>(other_page) + test::dma_offset);
        rte_eth_fp_ops[port_id].tx_pkt_burst = burst;
        device().sent.clear();
        EXPECT_EQ(1, rte_eth_tx_burst(port_id, 0, &mbuf, 1));
        device().transmit(0);
        rte_mbuf_iova_set(mbuf, carried);
        return device().sent.empty() ? std::vector<std::uint8_t>{} : device().sent.front().data;
    }

    alignas(4096) static inline std::uint8_t other_page[4096];
};

TEST_F(TxLookedUpTest, TheTableIsBelievedAndNotTheMbuf) {
    bring_up(1, {});
    map_pool(pool);
    test::bus().map(other_page, sizeof(other_page));
    EXPECT_EQ(frame(7), sent_by(tx_burst_lookup));
    EXPECT_EQ(std::vector<std::uint8_t>(60), sent_by(tx_burst_scalar)) << "negative control";
}

} // namespace
