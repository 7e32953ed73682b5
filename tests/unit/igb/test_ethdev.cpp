// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Life of a port and its control operations.

#include <algorithm>

#include <rte_malloc.h>
#include <rte_memzone.h>

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"
#include "rxtx/igb_desc.hpp"

namespace {

using namespace igb;
using model::Received;
using test::bus;

class EthdevTest : public test::PortTest {
protected:
    static constexpr std::size_t never = SIZE_MAX;

    // Index of the first access after from that matches.
    std::size_t access(std::uint32_t offset, std::uint32_t mask, std::uint32_t value,
                       std::size_t from = 0, bool write = true) {
        for (std::size_t i = from; i < device().log.size(); i++) {
            const model::Access &a = device().log[i];
            if (a.write == write && a.offset == offset && (a.value & mask) == value)
                return i;
        }
        ADD_FAILURE() << "no access to " << std::hex << offset;
        return never;
    }
};

TEST_F(EthdevTest, ProbeMakesAPort) {
    rte_eth_dev_info info;
    rte_ether_addr mac;
    std::uint16_t port = 99;

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_get_port_by_name("iommufd:0000:01:00.0", &port));
    EXPECT_EQ(port_id, port);
    ASSERT_EQ(0, rte_eth_dev_info_get(port_id, &info));
    EXPECT_STREQ("net_iommufd_igb", info.driver_name);
    EXPECT_EQ(16, info.max_rx_queues);
    EXPECT_EQ(16, info.max_tx_queues);
    EXPECT_EQ(8, info.rx_desc_lim.nb_align);
    EXPECT_EQ(32, info.rx_desc_lim.nb_min);
    EXPECT_EQ(9702, info.max_mtu);
    EXPECT_EQ(128, info.reta_size);
    ASSERT_EQ(0, rte_eth_macaddr_get(port_id, &mac));
    const rte_ether_addr expected = {{0x52, 0x54, 0x00, 0x12, 0x34, 0x56}};
    EXPECT_TRUE(rte_is_same_ether_addr(&expected, &mac));
    EXPECT_EQ(1u, device().resets());
    EXPECT_FALSE(device().bus_master) << "not before there are rings";
}

TEST_F(EthdevTest, IdTable) {
    const rte_pci_id *id = bus().driver->id_table;

    EXPECT_EQ(0x8086, id[0].vendor_id);
    EXPECT_EQ(0x10C9, id[0].device_id);
    EXPECT_EQ(0, id[1].vendor_id);
    EXPECT_STREQ("net_iommufd_igb", bus().driver->driver.name);
    EXPECT_EQ(nullptr, bus().driver->valid_devargs);
}

TEST_F(EthdevTest, TheFirstStartKeepsTheLinkThatProbingBegan) {
    ASSERT_EQ(0, probe());
    EXPECT_NE(never, access(reg::CTRL, ctrl::SLU, ctrl::SLU));
    ASSERT_EQ(0, configure());
    const std::uint64_t resets = device().resets();
    ASSERT_EQ(0, start());
    EXPECT_EQ(resets, device().resets());

    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    const std::size_t from = device().log.size();
    ASSERT_EQ(0, start());
    EXPECT_EQ(resets + 1, device().resets()) << "what traffic left behind goes";
    EXPECT_NE(never, access(reg::CTRL, ctrl::SLU, ctrl::SLU, from));
}

TEST_F(EthdevTest, StartOrder) {
    bring_up();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    const std::size_t from = device().log.size();
    ASSERT_EQ(0, start());

    const std::size_t reset = access(reg::CTRL, ctrl::RST, ctrl::RST, from);
    const std::size_t rx_base = access(reg::RDBAL(0), 0, 0, from);
    const std::size_t tx_base = access(reg::TDBAL(0), 0, 0, from);
    const std::size_t tx_on = access(reg::TXDCTL(0), xdctl::ENABLE, xdctl::ENABLE, from);
    const std::size_t rx_on = access(reg::RXDCTL(0), xdctl::ENABLE, xdctl::ENABLE, from);
    const std::size_t tail = access(reg::RDT(0), 0xFFFF, ring_size - 1, from);
    const std::size_t receiver = access(reg::RCTL, rctl::EN, rctl::EN, from);
    const std::size_t master = bus().when("bus_master_on", 1); // of the second start

    EXPECT_LT(reset, rx_base);
    EXPECT_LT(rx_base, master);
    EXPECT_LT(tx_base, master);
    EXPECT_LE(master, tx_on) << "queues fetch descriptors as soon as they are on";
    EXPECT_LE(master, rx_on);
    EXPECT_LT(rx_on, tail);
    EXPECT_LT(tail, receiver);
}

TEST_F(EthdevTest, StopAndCloseOrder) {
    bring_up();
    const std::size_t from = device().log.size();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, rte_eth_dev_close(port_id));

    const std::size_t receiver = access(reg::RCTL, rctl::EN, 0, from);
    const std::size_t rx_off = access(reg::RXDCTL(0), xdctl::ENABLE, 0, from);
    const std::size_t tx_off = access(reg::TXDCTL(0), xdctl::ENABLE, 0, from);
    const std::size_t gio =
        access(reg::CTRL, ctrl::GIO_MASTER_DISABLE, ctrl::GIO_MASTER_DISABLE, from);
    const std::size_t master = bus().when("bus_master_off");
    const std::size_t reset = bus().when("reset_device");

    EXPECT_LT(receiver, rx_off);
    EXPECT_LT(rx_off, gio);
    EXPECT_LT(tx_off, gio);
    EXPECT_LT(gio, master);
    EXPECT_LE(master, reset);
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    EXPECT_EQ(nullptr, rte_memzone_lookup("igb_rx_0_0"));
    EXPECT_EQ(nullptr, rte_memzone_lookup("igb_tx_0_0"));
}

TEST_F(EthdevTest, HundredCyclesLeaveNothing) {
    rte_malloc_socket_stats before;
    rte_malloc_socket_stats after;

    bring_up(2); // ethdev and EAL make their own allocations the first time
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, rte_eth_dev_close(port_id));
    device().log.clear();
    ASSERT_EQ(0, rte_malloc_get_socket_stats(0, &before));
    for (int cycle = 0; cycle < 100; cycle++) {
        bring_up(2);
        ASSERT_EQ(Received::Delivered, device().receive(0, frame(1)));
        free_all(receive());
        ASSERT_EQ(0, rte_eth_dev_stop(port_id));
        ASSERT_EQ(0, start());
        ASSERT_EQ(0, rte_eth_dev_stop(port_id));
        ASSERT_EQ(0, rte_eth_dev_close(port_id));
        ASSERT_FALSE(port_exists());
        ASSERT_EQ(0u, rte_mempool_in_use_count(pool));
        device().log.clear();
    }
    ASSERT_EQ(0, rte_malloc_get_socket_stats(0, &after));
    EXPECT_EQ(before.alloc_count, after.alloc_count);
    EXPECT_EQ(before.heap_allocsz_bytes, after.heap_allocsz_bytes);
}

TEST_F(EthdevTest, RemoveAfterClose) {
    bring_up();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, rte_eth_dev_close(port_id));
    EXPECT_EQ(0, bus().driver->remove(&bus_device));
}

TEST_F(EthdevTest, RemoveWhileRunning) {
    bring_up();
    EXPECT_EQ(0, bus().driver->remove(&bus_device));
    EXPECT_FALSE(port_exists());
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    EXPECT_EQ(nullptr, rte_memzone_lookup("igb_rx_0_0"));
    EXPECT_LE(bus().when("bus_master_off"), bus().when("reset_device"));
    EXPECT_FALSE(device().bus_master);
}

TEST_F(EthdevTest, Reset) {
    bring_up();
    ASSERT_EQ(0, rte_eth_dev_reset(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    bring_up();
    ASSERT_EQ(Received::Delivered, device().receive(0, frame(3)));
    const auto mbufs = receive();
    EXPECT_EQ(1u, mbufs.size());
    free_all(mbufs);
}

TEST_F(EthdevTest, SeveralQueues) {
    rte_eth_conf conf{};

    pool = make_pool("many", "iommufd", 2047);
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP;
    bring_up(16, conf);
    EXPECT_EQ(mrqc::ENABLE_RSS | mrqc::IPV4 | mrqc::IPV4_TCP, device().peek(reg::MRQC));
    EXPECT_EQ(0x07060504u, device().peek(reg::RETA + 4));
    EXPECT_EQ(0xDA565A6Du, device().peek(reg::RSSRK));
    for (std::uint16_t queue = 0; queue < 16; queue++) {
        EXPECT_TRUE(device().peek(reg::SRRCTL(queue)) & srrctl::DROP_EN);
        ASSERT_EQ(Received::Delivered, device().receive(queue, frame(queue)));
        rte_mbuf *mbuf = packet(pool, 100u + queue);
        ASSERT_EQ(1, rte_eth_tx_burst(port_id, queue, &mbuf, 1));
        ASSERT_EQ(1, device().transmit(queue));
        EXPECT_EQ(frame(100u + queue), device().sent.back().data);
    }
    for (std::uint16_t queue = 0; queue < 16; queue++) {
        const auto mbufs = receive(32, queue);
        ASSERT_EQ(1u, mbufs.size());
        EXPECT_EQ(frame(queue), contents(mbufs[0]));
        free_all(mbufs);
        EXPECT_EQ(1u, stats().q_ipackets[queue]);
        EXPECT_EQ(1u, stats().q_opackets[queue]);
    }
    EXPECT_EQ(16u, stats().ipackets);

    // A queue that nobody reads loses its packets; the others do not notice.
    while (device().receive(3, frame(1)) == Received::Delivered)
        ;
    EXPECT_EQ(Received::Delivered, device().receive(4, frame(1)));
    EXPECT_EQ(1u, stats().imissed);
}

TEST_F(EthdevTest, FiltersSurviveARestart) {
    constexpr std::uint32_t upe_mpe = rctl::UPE | rctl::MPE;

    bring_up();
    EXPECT_EQ(0u, device().peek(reg::RCTL) & upe_mpe);
    EXPECT_EQ(0, rte_eth_allmulticast_enable(port_id));
    EXPECT_EQ(rctl::MPE, device().peek(reg::RCTL) & upe_mpe);
    EXPECT_EQ(0, rte_eth_promiscuous_enable(port_id));
    EXPECT_EQ(upe_mpe, device().peek(reg::RCTL) & upe_mpe);
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    ASSERT_EQ(0, start());
    EXPECT_EQ(upe_mpe, device().peek(reg::RCTL) & upe_mpe);
    EXPECT_EQ(0, rte_eth_promiscuous_disable(port_id));
    EXPECT_EQ(rctl::MPE, device().peek(reg::RCTL) & upe_mpe) << "allmulticast is still asked for";
    EXPECT_EQ(0, rte_eth_allmulticast_disable(port_id));
    EXPECT_EQ(0u, device().peek(reg::RCTL) & upe_mpe);
    EXPECT_TRUE(device().peek(reg::RCTL) & rctl::EN);
}

TEST_F(EthdevTest, MacAddress) {
    rte_ether_addr mac = {{0x02, 1, 2, 3, 4, 5}};

    bring_up();
    ASSERT_EQ(0, rte_eth_dev_default_mac_addr_set(port_id, &mac));
    EXPECT_EQ(0x03020102u, device().peek(reg::RAL0));
    EXPECT_EQ(0x80000504u, device().peek(reg::RAH0));
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    const std::size_t from = device().log.size();
    ASSERT_EQ(0, start());
    EXPECT_EQ(0x03020102u, device().peek(reg::RAL0));
    EXPECT_LT(access(reg::RAL0, 0xFFFFFFFF, 0x03020102, from),
              access(reg::RCTL, rctl::EN, rctl::EN, from))
        << "no packet for the factory address in between";
}

TEST_F(EthdevTest, LocksOfAProcessThatWasKilledAreBroken) {
    device().poke(reg::SWSM, swsm::SMBI | swsm::SWESMBI);
    device().poke(reg::SW_FW_SYNC, sw_fw::EEPROM);
    test::LogCapture log;
    bring_up();
    EXPECT_NE(std::string::npos, log.text().find("free again: SWSM EEPROM"));
}

} // namespace
