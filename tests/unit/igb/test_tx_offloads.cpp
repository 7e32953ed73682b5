// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Offloads of transmission: what the device is told. What it does of it is seen in the lab.

#include <vector>

#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#include "rxtx/igb_desc.hpp"
#include "rxtx/igb_tx_offload.hpp"
#include "tx_test.hpp"

namespace {

using namespace igb;

class TxOffloadTest : public test::TxTest {
protected:
    rte_mbuf *with(std::uint64_t flags, std::uint16_t vlan = 0, std::uint16_t length = 200) {
        rte_mbuf *mbuf = packet(pool, 1, length);

        mbuf->ol_flags |= flags;
        mbuf->l2_len = 14;
        mbuf->l3_len = 20;
        mbuf->l4_len = 20;
        mbuf->vlan_tci = vlan;
        return mbuf;
    }

    // What the device was given with one packet.
    model::Sent sent(rte_mbuf *mbuf) {
        device().sent.clear();
        EXPECT_EQ(1, send({mbuf}));
        device().transmit(0);
        EXPECT_EQ(1u, device().sent.size());
        return device().sent.empty() ? model::Sent{} : device().sent.back();
    }

    static constexpr std::uint64_t context = tx_cmd::DTYP_CONTEXT | tx_cmd::DEXT;
    static constexpr std::uint64_t tcp4 =
        RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_TCP_CKSUM;
};

// The numbers are the fields of DPDK's union e1000_adv_tx_desc and e1000_adv_tx_context_desc.
TEST_P(TxOffloadTest, Checksums) {
    const struct {
        std::uint64_t flags;
        std::uint64_t popts;
        std::uint64_t type;
        std::uint64_t l4_length;
    } cases[] = {
        {RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM, 0x100, 0x400 | 0x1800, 0},
        {tcp4, 0x300, 0x400 | 0x800, 20},
        {RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM, 0x300, 0x400, 8},
        {RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM, 0x200, 0x800, 20},
        {RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_SCTP_CKSUM, 0x200, 0x1000, 12},
    };

    for (const auto &each : cases) {
        const model::Sent got = sent(with(each.flags));
        EXPECT_EQ(tx_desc_command(200) | tx_report_status | each.popts << 32, got.desc.command);
        EXPECT_EQ(std::uint64_t{14} << 9 | 20, got.context.address);
        EXPECT_EQ(context | each.type | each.l4_length << 40, got.context.command);
    }
}

TEST_P(TxOffloadTest, VlanTag) {
    const model::Sent got = sent(with(RTE_MBUF_F_TX_VLAN, 0xA123));

    EXPECT_EQ(tx_desc_command(200) | tx_report_status | 0x40000000, got.desc.command);
    EXPECT_EQ(std::uint64_t{0xA123} << 16, got.context.address);
}

TEST_P(TxOffloadTest, Segmentation) {
    rte_mbuf *mbuf = with(tcp4 | RTE_MBUF_F_TX_TCP_SEG, 0, 1500);
    rte_mbuf *more = packet(pool, 2, 1500);

    mbuf->tso_segsz = 700;
    ASSERT_EQ(0, rte_pktmbuf_chain(mbuf, more));
    const model::Sent got = sent(mbuf);
    EXPECT_EQ(2u, got.nb_descs);
    EXPECT_EQ(3000u - 54, got.desc.command >> tx_paylen_shift) << "without the header";
    EXPECT_EQ(0x80000000u, got.desc.command & 0xC0000000) << "TSE";
    EXPECT_EQ(3u, got.desc.command >> 40 & 3) << "both checksums";
    EXPECT_EQ(context | 0x400 | 0x800 | std::uint64_t{20} << 40 | std::uint64_t{700} << 48,
              got.context.command);
}

TEST_P(TxOffloadTest, AContextLastsUntilItChanges) {
    std::vector<rte_mbuf *> mbufs;

    for (int i = 0; i < 3; i++) {
        mbufs.push_back(with(RTE_MBUF_F_TX_VLAN, 5));
        mbufs.push_back(packet(pool, 1)); // plain packets in between need none
    }
    ASSERT_EQ(6, send(mbufs));
    EXPECT_EQ(7, device().transmit(0));
    EXPECT_EQ(1u, device().tx_contexts);
    sent(with(RTE_MBUF_F_TX_VLAN, 5));
    EXPECT_EQ(1u, device().tx_contexts) << "from burst to burst too";
    sent(with(RTE_MBUF_F_TX_VLAN, 6));
    EXPECT_EQ(2u, device().tx_contexts);

    // The device forgets it when it is reset.
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    const model::Sent got = sent(with(RTE_MBUF_F_TX_VLAN, 6));
    EXPECT_EQ(3u, device().tx_contexts);
    EXPECT_EQ(std::uint64_t{6} << 16, got.context.address);
}

// There was room for its context, but not for the packet.
TEST_P(TxOffloadTest, AContextOfAPacketThatWaitsIsGivenWithIt) {
    rte_mbuf *mbuf = with(RTE_MBUF_F_TX_VLAN, 5);

    ASSERT_EQ(ring_size - 2, send(packets(0, ring_size - 2)));
    EXPECT_EQ(0, send({mbuf}));
    device().transmit(0);
    EXPECT_EQ(0u, device().tx_contexts);
    EXPECT_EQ(std::uint64_t{5} << 16, sent(mbuf).context.address);
    EXPECT_EQ(1u, device().tx_contexts);
    // And what is asked for next is not the same.
    rte_mbuf *other = with(RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4, 5);
    other->l2_len = 14;
    other->l3_len = 20;
    EXPECT_EQ(std::uint64_t{5} << 16 | 14 << 9 | 20, sent(other).context.address);
    rte_mbuf *longer = with(RTE_MBUF_F_TX_VLAN | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4, 5);
    longer->l2_len = 14;
    longer->l3_len = 24;
    EXPECT_EQ(std::uint64_t{5} << 16 | 14 << 9 | 24, sent(longer).context.address);
    EXPECT_EQ(3u, device().tx_contexts);
}

// A context is not written back: where it is the last of a batch the next descriptor reports.
TEST_P(TxOffloadTest, AContextAtTheEndOfABatch) {
    for (std::uint32_t lap = 0; lap < 6; lap++) {
        ASSERT_EQ(31, send(packets(0, 31)));
        device().transmit(0);
        device().sent.clear();
        ASSERT_EQ(1, send({with(RTE_MBUF_F_TX_VLAN, static_cast<std::uint16_t>(lap))}));
        ASSERT_EQ(2, device().transmit(0));
        EXPECT_EQ(0u, device().sent[0].index % 32) << "else nothing is shown";
        ASSERT_EQ(31, send(packets(0, 31)));
        device().transmit(0);
    }
    // More than the ring has was sent, with nothing but the bursts' own completion.
    rte_eth_tx_done_cleanup(port_id, 0, 0);
    EXPECT_EQ(0u, held());
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    expect_whole(pool);
}

TEST_P(TxOffloadTest, PrepareRefusesWhatTheDeviceCannotDo) {
    const struct {
        const char *what;
        void (*spoil)(rte_mbuf *);
        int error;
    } cases[] = {
        {"nothing", [](rte_mbuf *) {}, 0},
        {"outer checksum", [](rte_mbuf *m) { m->ol_flags |= RTE_MBUF_F_TX_OUTER_IP_CKSUM; },
         ENOTSUP},
        {"no MSS", [](rte_mbuf *m) { m->tso_segsz = 0; }, EINVAL},
        {"large MSS", [](rte_mbuf *m) { m->tso_segsz = tx_max_mss + 1; }, EINVAL},
        {"no TCP header", [](rte_mbuf *m) { m->l4_len = 0; }, EINVAL},
        {"nothing but a header", [](rte_mbuf *m) { m->l3_len = 200; }, EINVAL},
        {"no IP header", [](rte_mbuf *m) { m->l3_len = 0; }, EINVAL},
        {"no segments", [](rte_mbuf *m) { m->nb_segs = 0; }, EINVAL},
        {"too many segments", [](rte_mbuf *m) { m->nb_segs = tx_max_segments + 1; }, EINVAL},
    };

    for (const auto &each : cases) {
        rte_mbuf *mbufs[] = {packet(pool, 1), with(tcp4 | RTE_MBUF_F_TX_TCP_SEG)};
        mbufs[1]->tso_segsz = 100;
        each.spoil(mbufs[1]);
        rte_errno = 0;
        EXPECT_EQ(each.error == 0 ? 2 : 1, rte_eth_tx_prepare(port_id, 0, mbufs, 2)) << each.what;
        EXPECT_EQ(each.error, rte_errno) << each.what;
        // A burst that was not prepared drops and counts it.
        const std::uint64_t errors = stats().oerrors;
        EXPECT_EQ(2, rte_eth_tx_burst(port_id, 0, mbufs, 2));
        device().transmit(0);
        EXPECT_EQ(each.error == 0 ? 0u : 1u, stats().oerrors - errors) << each.what;
    }
    rte_eth_tx_done_cleanup(port_id, 0, 0);
}

TEST_P(TxOffloadTest, PrepareWritesThePseudoHeaderChecksum) {
    rte_mbuf *mbuf = with(tcp4);
    auto *ip = rte_pktmbuf_mtod_offset(mbuf, rte_ipv4_hdr *, 14);
    auto *tcp = rte_pktmbuf_mtod_offset(mbuf, rte_tcp_hdr *, 34);

    ip->hdr_checksum = 0x1234;
    ASSERT_EQ(1, rte_eth_tx_prepare(port_id, 0, &mbuf, 1));
    EXPECT_EQ(0, ip->hdr_checksum);
    EXPECT_EQ(rte_ipv4_phdr_cksum(ip, mbuf->ol_flags), tcp->cksum);
    rte_pktmbuf_free(mbuf);
}

EVERY_VARIANT(TxOffloadTest);

} // namespace
