// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Which devices are the application's.

#include <gtest/gtest.h>

#include "fake_eal.hpp"
#include "preload/allow.hpp"

namespace iommufd::test {

using preload::read_allowed;

TEST(Allow, BdfInEveryForm) {
    EXPECT_EQ(normal_bdf("0000:01:00.0"), "0000:01:00.0");
    EXPECT_EQ(normal_bdf("01:00.0"), "0000:01:00.0");
    EXPECT_EQ(normal_bdf("0:A:1f.7"), "0000:0a:1f.7");
    EXPECT_EQ(normal_bdf("10000:0a:00.0"), "10000:0a:00.0");
    for (const char *wrong : {"", "01", "01:00", "01:00.8", "01:20.0", "100:00.0", "01:00.0,x=1",
                              "01:00.0 ", "net_null0", "0:0:01:00.0", "-1:00.0", "+1:00.0"})
        EXPECT_FALSE(normal_bdf(wrong)) << wrong;
}

TEST(Allow, NothingSaidIsAll) {
    const FakeEal eal;
    EXPECT_TRUE(read_allowed(eal.api, nullptr).allows("0000:01:00.0"));
}

TEST(Allow, NoPciIsNone) {
    FakeEal eal;
    eal.has_pci = false;
    EXPECT_FALSE(read_allowed(eal.api, nullptr).allows("0000:01:00.0"));
}

TEST(Allow, NamedOnly) {
    FakeEal eal;
    eal.add_devargs("pci", "02:00.0", RTE_DEV_ALLOWED);
    EXPECT_FALSE(read_allowed(eal.api, nullptr).allows("0000:01:00.0"));
    EXPECT_TRUE(read_allowed(eal.api, nullptr).allows("0000:02:00.0"));
}

TEST(Allow, AllButBlocked) {
    FakeEal eal;
    eal.add_devargs("pci", "0000:02:00.0", RTE_DEV_BLOCKED);
    EXPECT_TRUE(read_allowed(eal.api, nullptr).allows("0000:01:00.0"));
    EXPECT_FALSE(read_allowed(eal.api, nullptr).allows("0000:02:00.0"));
}

TEST(Allow, ThePluginsAreTheirs) {
    FakeEal eal;
    eal.add_devargs("iommufd", "iommufd:0000:02:00.0", RTE_DEV_ALLOWED);
    EXPECT_TRUE(read_allowed(eal.api, nullptr).allows("0000:01:00.0"));
    EXPECT_FALSE(read_allowed(eal.api, nullptr).allows("0000:02:00.0"));
    eal.add_devargs("pci", "0000:02:00.0", RTE_DEV_ALLOWED);
    EXPECT_FALSE(read_allowed(eal.api, nullptr).allows("0000:02:00.0")) << "named twice";
}

TEST(Allow, WhatTheLauncherNamesComesFirst) {
    FakeEal eal;
    eal.add_devargs("pci", "0000:02:00.0", RTE_DEV_ALLOWED);
    const auto allowed = read_allowed(eal.api, "0000:01:00.0  03:00.0 nonsense");
    EXPECT_TRUE(allowed.allows("0000:01:00.0"));
    EXPECT_FALSE(allowed.allows("0000:02:00.0"));
    EXPECT_TRUE(allowed.may_probe("0000:03:00.0"));
    EXPECT_FALSE(allowed.may_probe("0000:02:00.0"));
    eal.has_pci = false;
    EXPECT_FALSE(read_allowed(eal.api, "0000:01:00.0").allows("0000:01:00.0"));
}

} // namespace iommufd::test
