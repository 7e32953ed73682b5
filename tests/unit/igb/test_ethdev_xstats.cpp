// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Extended statistics: names as stock's, values as the registers'.

#include <map>

#include "ethdev/igb_ethdev.hpp"
#include "port_test.hpp"

namespace {

using namespace igb;
using test::bus;

class XstatsTest : public test::PortTest {
protected:
    void SetUp() override {
        PortTest::SetUp();
        bring_up();
    }

    static std::vector<std::string> names() {
        const int count = rte_eth_xstats_get_names(port_id, nullptr, 0);
        EXPECT_GT(count, 0);
        std::vector<rte_eth_xstat_name> all(static_cast<std::size_t>(count));
        EXPECT_EQ(count, rte_eth_xstats_get_names(port_id, all.data(), all.size()));
        std::vector<std::string> texts;
        for (const rte_eth_xstat_name &each : all)
            texts.emplace_back(each.name);
        return texts;
    }

    static std::map<std::string, std::uint64_t> values() {
        const std::vector<std::string> all = names();
        std::vector<rte_eth_xstat> read(all.size());
        EXPECT_EQ(all.size(),
                  static_cast<std::size_t>(rte_eth_xstats_get(port_id, read.data(), read.size())));
        std::map<std::string, std::uint64_t> found;
        for (const rte_eth_xstat &each : read)
            found[all.at(each.id)] = each.value;
        return found;
    }
};

// DPDK 22.11.11, drivers/net/e1000/igb_ethdev.c, rte_igb_stats_strings.
TEST_F(XstatsTest, NamesAreStocks) {
    const std::vector<std::string> stock = {"rx_crc_errors",
                                            "rx_align_errors",
                                            "rx_symbol_errors",
                                            "rx_missed_packets",
                                            "tx_single_collision_packets",
                                            "tx_multiple_collision_packets",
                                            "tx_excessive_collision_packets",
                                            "tx_late_collisions",
                                            "tx_total_collisions",
                                            "tx_deferred_packets",
                                            "tx_no_carrier_sense_packets",
                                            "rx_carrier_ext_errors",
                                            "rx_length_errors",
                                            "rx_xon_packets",
                                            "tx_xon_packets",
                                            "rx_xoff_packets",
                                            "tx_xoff_packets",
                                            "rx_flow_control_unsupported_packets",
                                            "rx_size_64_packets",
                                            "rx_size_65_to_127_packets",
                                            "rx_size_128_to_255_packets",
                                            "rx_size_256_to_511_packets",
                                            "rx_size_512_to_1023_packets",
                                            "rx_size_1024_to_max_packets",
                                            "rx_broadcast_packets",
                                            "rx_multicast_packets",
                                            "rx_undersize_errors",
                                            "rx_fragment_errors",
                                            "rx_oversize_errors",
                                            "rx_jabber_errors",
                                            "rx_management_packets",
                                            "rx_management_dropped",
                                            "tx_management_packets",
                                            "rx_total_packets",
                                            "tx_total_packets",
                                            "rx_total_bytes",
                                            "tx_total_bytes",
                                            "tx_size_64_packets",
                                            "tx_size_65_to_127_packets",
                                            "tx_size_128_to_255_packets",
                                            "tx_size_256_to_511_packets",
                                            "tx_size_512_to_1023_packets",
                                            "tx_size_1024_to_max_packets",
                                            "tx_multicast_packets",
                                            "tx_broadcast_packets",
                                            "tx_tso_packets",
                                            "tx_tso_errors",
                                            "rx_sent_to_host_packets",
                                            "tx_sent_by_host_packets",
                                            "rx_code_violation_packets",
                                            "interrupt_assert_count"};
    const std::vector<std::string> all = names();

    ASSERT_GT(all.size(), stock.size()) << "ethdev's own come first";
    EXPECT_EQ(stock, std::vector(all.end() - static_cast<std::ptrdiff_t>(stock.size()), all.end()));
}

TEST_F(XstatsTest, EachNameIsItsRegisterAndAddsUp) {
    ASSERT_EQ(0, rte_eth_xstats_reset(port_id));
    for (std::uint64_t round = 1; round <= 2; round++) {
        std::uint32_t number = 1000;
        for (const Counter &counter : counters)
            device().poke(counter.low, number++);
        stats(); // which clears the registers as well
        const auto read = values();
        number = 1000;
        for (const Counter &counter : counters) {
            const std::uint64_t crcs =
                counter.packets == 0 ? 0
                                     : round * 4 *
                                           read.at(counter.name[0] == 'r' ? "rx_total_packets"
                                                                          : "tx_total_packets") /
                                           round;
            EXPECT_EQ(round * number - crcs, read.at(counter.name)) << counter.name;
            number++;
        }
    }
    ASSERT_EQ(0, rte_eth_xstats_reset(port_id));
    for (const auto &[name, value] : values())
        EXPECT_EQ(0u, value) << name;
}

TEST_F(XstatsTest, OctetsHaveAHighHalf) {
    ASSERT_EQ(0, rte_eth_xstats_reset(port_id));
    device().poke(0x40C0, 0x10);
    device().poke(0x40C4, 3);
    device().poke(reg::TPR, 2);
    EXPECT_EQ((std::uint64_t{3} << 32) + 0x10 - 8, values().at("rx_total_bytes"));
    EXPECT_EQ((std::uint64_t{3} << 32) + 0x10 - 8, values().at("rx_total_bytes"))
        << "reading clears both";
}

TEST_F(XstatsTest, OneByNumber) {
    std::uint64_t id = 0;
    std::uint64_t value = 0;

    ASSERT_EQ(0, rte_eth_xstats_reset(port_id));
    device().poke(reg::CRCERRS, 5);
    ASSERT_EQ(0, rte_eth_xstats_get_id_by_name(port_id, "rx_crc_errors", &id));
    ASSERT_EQ(1, rte_eth_xstats_get_by_id(port_id, &id, &value, 1));
    EXPECT_EQ(5u, value);
    EXPECT_EQ(5u, stats().ierrors);
}

} // namespace
