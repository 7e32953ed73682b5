// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a port does when its device, its bus or memory fails.

#include <rte_memzone.h>

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"

namespace {

using namespace igb;
using test::bus;

class EthdevFaultTest : public test::PortTest {
protected:
    void expect_probe_fails(int error, const char *message) {
        test::LogCapture log;

        EXPECT_EQ(error, probe());
        EXPECT_FALSE(port_exists());
        EXPECT_NE(std::string::npos, log.text().find(message)) << log.text();
        EXPECT_NE(std::string::npos, log.text().find("iommufd:0000:01:00.0")) << log.text();
        EXPECT_FALSE(device().bus_master);
    }
};

TEST_F(EthdevFaultTest, ProbeWithoutRegisters) {
    bus_device.bars[0].length = 4096;
    expect_probe_fails(-ENODEV, "BAR 0");
    bus_device.bars[0] = {};
    expect_probe_fails(-ENODEV, "BAR 0");
}

TEST_F(EthdevFaultTest, ProbeOfADeadDevice) {
    device().faults.absent = true;
    expect_probe_fails(-ENODEV, "does not answer");
}

TEST_F(EthdevFaultTest, ProbeResetHangs) {
    device().faults.reset_hangs = true;
    expect_probe_fails(-ETIMEDOUT, "CTRL bit 26");
}

TEST_F(EthdevFaultTest, ProbeBadChecksum) {
    device().nvm[20] ^= 1;
    expect_probe_fails(-EBADMSG, "checksum");
}

TEST_F(EthdevFaultTest, ProbeNoMac) {
    device().set_mac({});
    device().power_on();
    expect_probe_fails(-EADDRNOTAVAIL, "MAC address");
}

TEST_F(EthdevFaultTest, ProbeNoPhy) {
    device().faults.no_phy = true;
    expect_probe_fails(-ENODEV, "PHY");
}

TEST_F(EthdevFaultTest, ProbeAsQemuDoes) {
    device().faults.no_auto_read = true;
    EXPECT_EQ(0, probe());
}

TEST_F(EthdevFaultTest, NoRingMemory) {
    rte_eth_conf conf{};

    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, rte_eth_dev_configure(port_id, 1, 1, &conf));
    bus().zones_left = 0;
    EXPECT_EQ(-ENOMEM, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
    EXPECT_EQ(-ENOMEM, rte_eth_tx_queue_setup(port_id, 0, ring_size, 0, nullptr));
    bus().zones_left = -1;
    EXPECT_EQ(0, rte_eth_rx_queue_setup(port_id, 0, ring_size, 0, nullptr, pool));
}

TEST_F(EthdevFaultTest, StartWithTooFewMbufs) {
    pool = make_pool("few", "iommufd", ring_size - 1);
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    test::LogCapture log;
    EXPECT_EQ(-ENOMEM, start());
    EXPECT_NE(std::string::npos, log.text().find("pool few has fewer than 64 mbufs")) << log.text();
    EXPECT_FALSE(device().bus_master);
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

TEST_F(EthdevFaultTest, StartWithoutBusMaster) {
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure());
    bus().bus_master_on_error = -EIO;
    EXPECT_EQ(-EIO, start());
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    bus().bus_master_on_error = 0;
    EXPECT_EQ(0, start());
}

TEST_F(EthdevFaultTest, StartWithAQueueThatStaysOff) {
    ASSERT_EQ(0, probe());
    ASSERT_EQ(0, configure(4));
    for (std::uint16_t queue = 0; queue < 4; queue++) {
        device().faults.enable_rx_hangs = 1u << queue;
        EXPECT_EQ(-ETIMEDOUT, start());
        EXPECT_FALSE(device().bus_master);
        EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
        device().faults = {};
        device().faults.enable_tx_hangs = 1u << queue;
        EXPECT_EQ(-ETIMEDOUT, start());
        EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
        device().faults = {};
    }
    EXPECT_EQ(0, start());
}

TEST_F(EthdevFaultTest, StartResetOrPhyHangs) {
    bring_up();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    device().faults.reset_hangs = true;
    EXPECT_EQ(-ETIMEDOUT, start());
    device().faults = {};
    device().power_on();
    device().faults.mdic_hangs = true;
    EXPECT_EQ(-ETIMEDOUT, start());
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    EXPECT_FALSE(device().bus_master);
    device().faults = {};
    EXPECT_EQ(0, start());
}

TEST_F(EthdevFaultTest, StopWithAQueueThatStaysOn) {
    bring_up();
    const std::uint64_t resets = device().resets();
    device().faults.disable_rx_hangs = 1;
    device().faults.disable_tx_hangs = 1;
    EXPECT_EQ(0, rte_eth_dev_stop(port_id)) << "the bus master bit and a reset have ended it";
    EXPECT_EQ(resets + 1, device().resets());
    EXPECT_FALSE(device().bus_master);
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

TEST_F(EthdevFaultTest, StopOfADeviceThatHasGone) {
    bring_up();
    device().faults.absent = true;
    const std::uint64_t before = device().now_us();
    test::LogCapture log;
    EXPECT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_LT(device().now_us() - before, 200'000u) << "nobody waits for semaphores of a PHY";
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    EXPECT_NE(std::string::npos, log.text().find("the device does not answer")) << log.text();
    EXPECT_EQ(-ENODEV, rte_eth_dev_set_link_up(port_id));
    EXPECT_LT(device().now_us() - before, 200'000u);
}

TEST_F(EthdevFaultTest, StopWithoutBusMasterOff) {
    bring_up();
    bus().bus_master_off_error = -EIO;
    const std::uint64_t resets = device().resets();
    EXPECT_EQ(0, rte_eth_dev_stop(port_id)) << "a reset ends DMA as well";
    EXPECT_EQ(resets + 1, device().resets());
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    bus().bus_master_off_error = 0;
}

TEST_F(EthdevFaultTest, StartAfterAStartThatCouldNotBeUndone) {
    bring_up();
    ASSERT_EQ(0, rte_eth_dev_stop(port_id));
    device().faults.enable_rx_hangs = 1;
    device().faults.resets_until_hang = 1;
    bus().bus_master_off_error = -EIO;
    EXPECT_EQ(-ETIMEDOUT, start());
    EXPECT_EQ(unsigned{ring_size}, rte_mempool_in_use_count(pool)) << "DMA may go on";
    device().faults = {};
    device().power_on();
    bus().bus_master_off_error = 0;
    EXPECT_EQ(0, start());
    EXPECT_EQ(unsigned{ring_size}, rte_mempool_in_use_count(pool)) << "the old ones are back";
}

// Nothing stops the device: what it can reach is nobody else's.
class LiveDmaTest : public EthdevFaultTest {
protected:
    void SetUp() override {
        EthdevFaultTest::SetUp();
        bring_up();
        in_rings = rte_mempool_in_use_count(pool);
        bus().bus_master_off_error = -EIO;
        device().faults.reset_hangs = true;
        test::LogCapture log;
        EXPECT_EQ(-EIO, rte_eth_dev_stop(port_id));
        EXPECT_NE(std::string::npos, log.text().find("kept from use")) << log.text();
        EXPECT_EQ(in_rings, rte_mempool_in_use_count(pool));
        EXPECT_GT(in_rings, 0u);
    }

    // The device has been cured.
    void cure() {
        bus().bus_master_off_error = 0;
        bus().reset_error = 0;
        device().faults = {};
        device().power_on();
    }

    unsigned int in_rings = 0;
};

TEST_F(LiveDmaTest, SecondStop) {
    cure();
    EXPECT_EQ(0, rte_eth_dev_stop(port_id));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
}

TEST_F(LiveDmaTest, RemoveEndsItByReset) {
    EXPECT_EQ(0, bus().driver->remove(&bus_device));
    EXPECT_EQ(0u, rte_mempool_in_use_count(pool));
    EXPECT_EQ(nullptr, rte_memzone_lookup("igb_rx_0_0"));
}

TEST_F(LiveDmaTest, RemoveWithoutAnyCureKeepsTheMemory) {
    kept_holds = 1;
    kept_watched = 1;
    bus().reset_error = -EIO;
    EXPECT_NE(0, bus().driver->remove(&bus_device));
    EXPECT_EQ(in_rings, rte_mempool_in_use_count(pool));
    EXPECT_NE(nullptr, rte_memzone_lookup("igb_rx_0_0"));

    // Only so that the test leaves nothing behind.
    rte_memzone_free(rte_memzone_lookup("igb_rx_0_0"));
    rte_memzone_free(rte_memzone_lookup("igb_tx_0_0"));
    pools.erase(pools.begin());
    rte_mempool_free(pool);
    cure();
}

} // namespace
