// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What an mbuf says of a received packet, and the offloads behind it.

#include <vector>

#include "hw/igb_regs.hpp"
#include "rx_test.hpp"

namespace {

using namespace igb;

class RxFieldsTest : public test::RxTest {
protected:
    // Receives what was written back for expected_, compares and empties it.
    void check_fields() {
        const auto mbufs = receive();

        ASSERT_EQ(expected_.size(), mbufs.size());
        for (std::size_t i = 0; i < mbufs.size(); i++) {
            const Written &written = expected_[i];
            const rte_mbuf &mbuf = *mbufs[i];
            EXPECT_EQ(ptype(written.info), mbuf.packet_type) << written.info;
            EXPECT_EQ(flags(written), mbuf.ol_flags) << written.info << ' ' << written.status;
            EXPECT_EQ(written.length, mbuf.pkt_len);
            EXPECT_EQ(written.length, mbuf.data_len);
            EXPECT_EQ(written.vlan, mbuf.vlan_tci);
            EXPECT_EQ(written.hash, mbuf.hash.rss);
            EXPECT_EQ(RTE_PKTMBUF_HEADROOM, mbuf.data_off);
            EXPECT_EQ(port_id, mbuf.port);
        }
        free_all(mbufs);
        expected_.clear();
    }

    struct Written {
        std::uint32_t status;
        std::uint32_t info;
        std::uint16_t length;
        std::uint16_t vlan;
        std::uint32_t hash;
    };

    static std::uint64_t flags(const Written &written) {
        std::uint64_t all = written.info & 0xF ? RTE_MBUF_F_RX_RSS_HASH : 0;

        if (written.status & 1u << 3)
            all |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
        if (written.status & 1u << 6)
            all |= written.status & 1u << 30 ? RTE_MBUF_F_RX_IP_CKSUM_BAD
                                             : RTE_MBUF_F_RX_IP_CKSUM_GOOD;
        if (written.status & (1u << 5 | 1u << 4))
            all |= written.status & 1u << 29 ? RTE_MBUF_F_RX_L4_CKSUM_BAD
                                             : RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        return all;
    }

    // By the bits, where the driver has a table.
    static std::uint32_t ptype(std::uint32_t info) {
        static constexpr std::uint32_t l3[16] = {
            0,
            RTE_PTYPE_L3_IPV4,
            0,
            RTE_PTYPE_L3_IPV4_EXT,
            RTE_PTYPE_L3_IPV6,
            RTE_PTYPE_L3_IPV4 | RTE_PTYPE_TUNNEL_IP | RTE_PTYPE_INNER_L3_IPV6,
            0,
            0,
            0,
            0,
            0,
            0,
            RTE_PTYPE_L3_IPV6_EXT,
            RTE_PTYPE_L3_IPV4 | RTE_PTYPE_TUNNEL_IP | RTE_PTYPE_INNER_L3_IPV6_EXT,
            0,
            0,
        };
        const std::uint32_t network = l3[info >> 4 & 0xF];
        const std::uint32_t transport = info >> 8 & 7; // 1 TCP, 2 UDP, 4 SCTP
        const bool tunnel = (network & RTE_PTYPE_TUNNEL_MASK) != 0;
        const bool ipv6 = (info >> 4 & 0x4) != 0;
        const bool options = network == RTE_PTYPE_L3_IPV4_EXT;

        if (info & 1u << 15 || network == 0)
            return 0;
        switch (transport) {
        case 0:
            return RTE_PTYPE_L2_ETHER | network;
        case 1:
        case 2:
            if (options)
                return 0;
            if (transport == 1)
                return RTE_PTYPE_L2_ETHER | network |
                       (tunnel ? RTE_PTYPE_INNER_L4_TCP : RTE_PTYPE_L4_TCP);
            return RTE_PTYPE_L2_ETHER | network |
                   (tunnel ? RTE_PTYPE_INNER_L4_UDP : RTE_PTYPE_L4_UDP);
        case 4:
            return ipv6 ? 0 : RTE_PTYPE_L2_ETHER | network | RTE_PTYPE_L4_SCTP;
        default:
            return 0;
        }
    }

    std::vector<Written> expected_;
};

TEST_P(RxFieldsTest, OffloadFieldsOfEveryType) {
    // Every packet type with every combination of the flags that are reported, eight
    // different ones in a turn of a vector function.
    std::uint32_t number = 0;

    for (std::uint32_t info = 0; info < 1u << 16; info += 7, number++) {
        const std::uint32_t status =
            good_status | (number & 1 ? rx_status::VP : 0) | (number & 2 ? rx_status::L4E : 0) |
            (number & 4 ? rx_status::IPE : 0) | (number & 8 ? rx_status::IPCS : 0) |
            (number & 16 ? rx_status::TCPCS : 0) | (number & 32 ? rx_status::UDPCS : 0);
        const auto length = static_cast<std::uint16_t>(1 + number % 2048);
        const auto vlan = static_cast<std::uint16_t>(number * 31);
        const std::uint32_t hash = number * 0x9E3779B9u;
        ASSERT_TRUE(device().write_back(
            0, rx_desc_written(status, length, hash, static_cast<std::uint16_t>(info), vlan)));
        expected_.push_back(
            {.status = status, .info = info, .length = length, .vlan = vlan, .hash = hash});
        if (expected_.size() == 32)
            check_fields();
    }
    check_fields();
}

EVERY_VARIANT(RxFieldsTest);

using RxOffloadTest = test::PortTest;

TEST_F(RxOffloadTest, RxOffloadsReachTheHardware) {
    constexpr std::uint32_t checksums = rxcsum::IPOFL | rxcsum::TUOFL;
    rte_eth_conf conf{};

    bring_up();
    EXPECT_EQ(0u, device().peek(reg::RXCSUM) & checksums);
    EXPECT_EQ(0u, device().peek(reg::CTRL) & ctrl::VME);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    conf.rxmode.offloads = RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
    bring_up(1, conf);
    EXPECT_EQ(checksums, device().peek(reg::RXCSUM) & checksums);
    EXPECT_EQ(ctrl::VME, device().peek(reg::CTRL) & ctrl::VME);
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, 0));
    EXPECT_EQ(0u, device().peek(reg::CTRL) & ctrl::VME);
    ASSERT_EQ(0, rte_eth_dev_set_vlan_offload(port_id, RTE_ETH_VLAN_STRIP_OFFLOAD));
    EXPECT_EQ(ctrl::VME, device().peek(reg::CTRL) & ctrl::VME);
}

TEST_F(RxOffloadTest, SupportedPtypes) {
    std::uint32_t types[16];

    bring_up();
    EXPECT_EQ(1, rte_eth_dev_get_supported_ptypes(port_id, RTE_PTYPE_L2_MASK, types, 16));
    EXPECT_EQ(13, rte_eth_dev_get_supported_ptypes(port_id, RTE_PTYPE_ALL_MASK, types, 16));
}

} // namespace
