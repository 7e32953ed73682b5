// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Which functions of which DPDK are looked for, and what is said of one that is not known.

#include <set>
#include <string>

#include <gtest/gtest.h>

#include "preload/eal_api.hpp"

namespace iommufd::test {
namespace {

using preload::EalApi;
using preload::is_known_version;

const char *version = "DPDK 25.11.0";
std::set<std::string> missing; // beginnings of names
std::set<std::string> asked;

const char *tell_version() {
    return version;
}

void anything() {}

// A DPDK that has every function but those.
void *look_up(const char *name) {
    asked.insert(name);
    for (const std::string &one : missing)
        if (std::string(name).starts_with(one))
            return nullptr;
    return std::string(name) == "rte_version" ? reinterpret_cast<void *>(&tell_version)
                                              : reinterpret_cast<void *>(&anything);
}

class EalApiTest : public testing::Test {
protected:
    std::string find(const char *of, std::set<std::string> without) {
        version = of;
        missing = std::move(without);
        asked.clear();
        api = EalApi();
        const auto ok = api.find(look_up);
        return ok ? "" : ok.error().message();
    }

    EalApi api;
};

TEST_F(EalApiTest, VersionsOfDpdk) {
    for (const char *known : {"DPDK 22.11.0", "DPDK 22.11.11", "DPDK 24.11.4", "DPDK 25.11.2",
                              "DPDK 26.07.0", "DPDK 26.11.0", "DPDK 26.11.0-rc1"})
        EXPECT_TRUE(is_known_version(known)) << known;
    for (const char *other : {"DPDK 21.11.0", "DPDK 27.03.0", "DPDK 27.03.0-rc0", "", "25.11"})
        EXPECT_FALSE(is_known_version(other)) << other;
}

TEST_F(EalApiTest, PublicNamesUntil2607) {
    for (const char *dpdk : {"DPDK 22.11.0", "DPDK 26.07.0", "DPDK 26.11.0-rc0"}) {
        EXPECT_EQ(find(dpdk, {"dev_vfio"}), "") << dpdk;
        EXPECT_NE(api.rte_vfio_setup_device, nullptr);
        EXPECT_NE(api.rte_vfio_container_dma_map, nullptr);
        EXPECT_EQ(api.dev_vfio_setup_device, nullptr);
    }
}

TEST_F(EalApiTest, InternalNamesOf2611) {
    EXPECT_EQ(find("DPDK 26.11.0", {"rte_vfio"}), "");
    EXPECT_EQ(api.rte_vfio_setup_device, nullptr);
    const std::set<std::string> wanted = {
        "dev_vfio_container_create", "dev_vfio_container_dma_map", "dev_vfio_container_dma_unmap",
        "dev_vfio_enable",           "dev_vfio_get_device_info",   "dev_vfio_get_iova_mode",
        "dev_vfio_is_enabled",       "dev_vfio_release_device",    "dev_vfio_setup_device"};
    std::set<std::string> found;
    for (const std::string &name : asked)
        if (name.starts_with("dev_vfio"))
            found.insert(name);
    EXPECT_EQ(found, wanted);
    EXPECT_NE(api.dev_vfio_setup_device, nullptr);
    EXPECT_NE(api.dev_vfio_container_create, nullptr);
    // The token of virtual functions is experimental, and may go.
    EXPECT_EQ(find("DPDK 26.11.0", {"rte_vfio", "rte_eal_vfio"}), "");
    EXPECT_EQ(api.vf_token, nullptr);
}

TEST_F(EalApiTest, WhatIsNotKnownIsOneSentence) {
    EXPECT_EQ(find("DPDK 27.03.0", {}),
              "the application runs on DPDK 27.03.0, and this library knows DPDK 22.11 to 26.11: "
              "run it on one of those, or without this library");
    // One in between that has neither all of the old names nor all of the new.
    EXPECT_NE(find("DPDK 26.11.0-rc0", {"rte_vfio", "dev_vfio_get_iova_mode"})
                  .find("has no shared function dev_vfio_get_iova_mode: link it"),
              std::string::npos);
    EXPECT_NE(find("DPDK 25.11.0", {"rte_vfio_container_create", "dev_vfio"})
                  .find("has no shared function rte_vfio_container_create"),
              std::string::npos);
    EXPECT_NE(
        find("DPDK 25.11.0", {"rte_mem_virt2phy"}).find("has no shared function rte_mem_virt2phy"),
        std::string::npos);
    // A program without DPDK, or with a static one.
    EXPECT_NE(find("", {""}).find("has no shared function rte_version: link it"),
              std::string::npos);
}

} // namespace
} // namespace iommufd::test
