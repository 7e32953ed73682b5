// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The model's choice of a queue, against values that nobody here has made up, and its objections.

#include <gtest/gtest.h>

#include "frames.hpp"
#include "hw/igb_filter_regs.hpp"
#include "hw/igb_hw.hpp"
#include "igb_model.hpp"

namespace {

using namespace igb;
using test::ipv4_frame;

class SteeringTest : public testing::Test {
protected:
    model::DmaMap memory;
    model::Igb device{memory};
    Hw hw{device.registers()};
};

// Two rows of the table by which Microsoft has RSS verified (66.9.149.187:2794 to
// 161.142.100.80:1766, and 199.92.111.2:14230 to 65.69.140.83:4739), as DPDK 22.11 has them too
// (app/test/test_thash.c).
TEST_F(SteeringTest, HashesAsTheVerificationSuite) {
    const test::FrameFields one{.protocol = IPPROTO_TCP,
                                .source = 0x420995BB,
                                .destination = 0xA18E6450,
                                .source_port = 2794,
                                .destination_port = 1766};
    const test::FrameFields other{.protocol = IPPROTO_TCP,
                                  .source = 0xC75C6F02,
                                  .destination = 0x41458C53,
                                  .source_port = 14230,
                                  .destination_port = 4739};
    Rss rss{.fields = mrqc::IPV4, .key = {}, .reta = {}};

    rss.key = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
               0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
               0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
    EXPECT_FALSE(device.rss_hash(ipv4_frame(one))) << "RSS is off";
    hw.apply_rss(rss);
    EXPECT_EQ(0x323E8FC2u, device.rss_hash(ipv4_frame(one)));
    EXPECT_EQ(0xD718262Au, device.rss_hash(ipv4_frame(other)));
    EXPECT_FALSE(device.rss_hash(test::ipv6_frame(one)));
    rss.fields = mrqc::IPV4_TCP;
    hw.apply_rss(rss);
    EXPECT_EQ(0x51CCC178u, device.rss_hash(ipv4_frame(one)));
    EXPECT_EQ(0xC626B0EAu, device.rss_hash(ipv4_frame(other)));
    EXPECT_FALSE(device.rss_hash(ipv4_frame({}))) << "UDP";
}

TEST_F(SteeringTest, WithoutFiltersAllGoesToQueueZero) {
    EXPECT_EQ(0, device.queue_for(ipv4_frame({})));
    EXPECT_EQ(0, device.queue_for(test::ether_frame(0x88B5)));
}

TEST_F(SteeringTest, AFilterThatIsNotEnabledDoesNothing) {
    device.write(reg::ETQF(0), etqf::FILTER_ENABLE | 5u << etqf::QUEUE_SHIFT | 0x88B5);
    EXPECT_EQ(0, device.queue_for(test::ether_frame(0x88B5))) << "a timestamp's alone";
    device.write(reg::ETQF(0), device.peek(reg::ETQF(0)) | etqf::QUEUE_ENABLE);
    EXPECT_EQ(5, device.queue_for(test::ether_frame(0x88B5)));
    device.write(reg::FTQF(0), ftqf::OFF | 5u << ftqf::QUEUE_SHIFT);
    EXPECT_EQ(0, device.queue_for(ipv4_frame({})));
}

TEST_F(SteeringTest, ChangingAFilterThatIsOnIsAViolation) {
    const TupleFilter filter{.on = true, .compared = tuple::PROTOCOL, .protocol = IPPROTO_UDP};

    hw.apply_tuple(2, filter);
    hw.apply_tuple(2, filter);
    EXPECT_TRUE(device.violations().empty());
    device.write(reg::IMIR(2), 0);
    EXPECT_EQ(1u, device.violations().size());
}

} // namespace
