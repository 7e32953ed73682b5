// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A port with flow rules over the device model.

#include <vector>

#include <rte_errno.h>

#include "flow_test.hpp"
#include "hw/igb_filter_regs.hpp"
#include "port_test.hpp"

namespace test {

class FlowPortTest : public PortTest {
protected:
    rte_flow_error error{};

    rte_flow *create(Rule rule) {
        return rte_flow_create(port_id, &rule.attr, rule.items(), rule.actions(), &error);
    }

    int validate(Rule rule) {
        return rte_flow_validate(port_id, &rule.attr, rule.items(), rule.actions(), &error);
    }

    // The errno that a rule is not made with; 0 if it is made.
    int refused(const Rule &rule) {
        error = {};
        return create(rule) != nullptr ? 0 : rte_errno;
    }

    int destroy(rte_flow *flow) { return rte_flow_destroy(port_id, flow, &error); }

    int restart() {
        rte_eth_link link;
        const int ret = start();

        return ret != 0 ? ret : rte_eth_link_get(port_id, &link);
    }

    // The queue that receives a frame from the wire; -1 if none or several do.
    int arrives_at(const std::vector<std::uint8_t> &data) {
        rte_eth_dev_info info;
        int queue = -1;
        int count = 0;

        EXPECT_EQ(model::Received::Delivered, device().arrive(data));
        EXPECT_EQ(0, rte_eth_dev_info_get(port_id, &info));
        for (std::uint16_t i = 0; i < info.nb_rx_queues; i++) {
            for (rte_mbuf *mbuf : receive(32, i)) {
                EXPECT_EQ(data, contents(mbuf));
                rte_pktmbuf_free(mbuf);
                queue = i;
                count++;
            }
        }
        return count == 1 ? queue : -1;
    }

    // On a port of four queues: 88B5h to 1, UDP port 80 to 2, SYN first to 3, RSS over 2 and 3.
    void create_one_of_each() {
        const std::uint16_t queues[] = {2, 3};
        rte_flow_action_rss rss{};

        rss.queue = queues;
        rss.queue_num = 2;
        if (!port_exists())
            bring_up(4);
        ASSERT_NE(nullptr, create(Rule().ether(0x88B5).queue(1)));
        ASSERT_NE(nullptr, create(Rule().ipv4_protocol(IPPROTO_UDP).udp_to(80).queue(2)));
        ASSERT_NE(nullptr, create(Rule().priority(UINT32_MAX).tcp_flags(2, 2).queue(3)));
        ASSERT_NE(nullptr, create(Rule().rss(rss)));
    }

    // All that rules are told the device by.
    std::vector<std::uint32_t> filter_registers() {
        std::vector<std::uint32_t> values;
        const auto add = [&](std::uint32_t offset) { values.push_back(device().peek(offset)); };

        for (std::uint16_t i = 0; i < igb::nb_ethertype_filters; i++)
            add(igb::reg::ETQF(i));
        for (std::uint16_t i = 0; i < igb::nb_tuple_filters; i++)
            for (const std::uint32_t offset :
                 {igb::reg::FTQF(i), igb::reg::SAQF(i), igb::reg::DAQF(i), igb::reg::SPQF(i),
                  igb::reg::IMIR(i), igb::reg::IMIREXT(i)})
                add(offset);
        add(igb::reg::SYNQF);
        values.push_back(device().peek(igb::reg::RFCTL) & igb::rfctl::SYNQFP);
        add(igb::reg::MRQC);
        if (device().peek(igb::reg::MRQC) != 0)
            for (std::uint32_t i = 0; i < igb::reta_size; i += 4)
                add(igb::reg::RETA + i);
        return values;
    }
};

} // namespace test
