// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the bus does before EAL is up.

#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>
#include <rte_bus.h>
#include <rte_version.h>
#include <unistd.h>

#include "iommufd/bus.hpp"
#include "iommufd/physical_addresses.hpp"
#include "log_capture.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

TEST(BusName, TakesItsPrefixAndAnAddress) {
    for (const char *name : {"iommufd:0000:01:00.0", "iommufd:01:00.0"}) {
        rte_pci_addr addr{};
        ASSERT_TRUE(eal::parse_name(name, &addr)) << name;
        EXPECT_EQ(addr.domain, 0U);
        EXPECT_EQ(addr.bus, 1);
        EXPECT_EQ(addr.devid, 0);
        EXPECT_EQ(addr.function, 0);
    }
    rte_pci_addr addr{};
    ASSERT_TRUE(eal::parse_name("iommufd:10000:fe:1f.7", &addr));
    EXPECT_EQ(addr.domain, 0x10000U);
    EXPECT_EQ(addr.bus, 0xfe);
    EXPECT_EQ(addr.devid, 0x1f);
    EXPECT_EQ(addr.function, 7);
}

TEST(BusName, RefusesEverythingElse) {
    for (const char *name : {"0000:01:00.0",
                             "01:00.0",
                             "pci:0000:01:00.0",
                             "vdev:iommufd:01:00.0",
                             "",
                             "iommufd",
                             "iommufd:",
                             "iommufd: 0000:01:00.0",
                             "iommufd:0000:01:00",
                             "iommufd:0000:01:00.",
                             "iommufd:0000:01:00.0x",
                             "iommufd:0000:01:00.0 ",
                             "iommufd:0000:01:00.0,x=1",
                             "iommufd:0000:1ff:00.0",
                             "iommufd:-1:01:00.0",
                             "iommufd:zz:00.0",
                             "iommufd:net_igb0",
                             "IOMMUFD:0000:01:00.0",
                             "iommufd=0000:01:00.0",
                             "net_null0"}) {
        rte_pci_addr addr{};
        EXPECT_FALSE(eal::parse_name(name, &addr)) << "'" << name << "'";
    }
}

TEST(Bus, IsRegistered) {
    EXPECT_NE(rte_bus_find_by_name("iommufd"), nullptr);
}

TEST(Bus, HasNoAddressBeforeAnyDevice) {
    const int local = 0;
    EXPECT_EQ(rte_iommufd_virt2dma(&local), RTE_BAD_IOVA);
    EXPECT_EQ(rte_iommufd_virt2dma(nullptr), RTE_BAD_IOVA);
    EXPECT_EQ(rte_iommufd_dma_contiguous(&local, sizeof(local)), 0U);
    EXPECT_EQ(rte_iommufd_dma_contiguous(&local, 0), 0U);
}

TEST(DpdkVersion, OfTheBuildIsTaken) {
    const LogCapture log;
    EXPECT_TRUE(rte_iommufd_check_dpdk_version("net_x", RTE_VER_YEAR, RTE_VER_MONTH));
    EXPECT_EQ(log.text(), "");
}

TEST(DpdkVersion, OfAnotherBuildIsRefused) {
    for (const auto &[year, month] :
         {std::pair{RTE_VER_YEAR, RTE_VER_MONTH + 1}, std::pair{RTE_VER_YEAR + 1, RTE_VER_MONTH},
          std::pair{26, 3}, std::pair{0, 0}}) {
        const LogCapture log;
        EXPECT_FALSE(rte_iommufd_check_dpdk_version("net_x", static_cast<unsigned>(year),
                                                    static_cast<unsigned>(month)));
        char version[16];
        (void)std::snprintf(version, sizeof(version), "%u.%02u", static_cast<unsigned>(year),
                            static_cast<unsigned>(month));
        EXPECT_TRUE(
            contains(log.text(), std::string("iommufd: plugin 'net_x' was built for DPDK ") +
                                     version + " and stays out of this one, " + rte_version() +
                                     "; build it against the installed"));
    }
}

class CommandLine : public ::testing::Test {
protected:
    ~CommandLine() override { std::filesystem::remove(path); }

    bool asks(const std::vector<std::string> &arguments) {
        std::ofstream file(path, std::ios::binary | std::ios::trunc);
        for (const std::string &argument : arguments)
            file << argument << '\0';
        file.close();
        return eal::pa_mode_asked_for(path.c_str());
    }

    const std::string path =
        std::filesystem::temp_directory_path() / ("iommufd-cmdline-" + std::to_string(getpid()));
};

TEST_F(CommandLine, WithPaMode) {
    EXPECT_TRUE(asks({"testpmd", "--iova-mode=pa"}));
    EXPECT_TRUE(asks({"testpmd", "--iova-mode", "pa"}));
    EXPECT_TRUE(asks({"testpmd", "-l", "0-1", "", "--iova-mode=pa", "--", "-i"}));
    EXPECT_TRUE(asks({"testpmd", "--iova-mode=va", "--iova-mode=pa"}));
}

TEST_F(CommandLine, WithoutPaMode) {
    EXPECT_FALSE(asks({"testpmd"}));
    EXPECT_FALSE(asks({}));
    EXPECT_FALSE(asks({"testpmd", "--iova-mode=va"}));
    EXPECT_FALSE(asks({"testpmd", "--iova-mode", "va"}));
    EXPECT_FALSE(asks({"testpmd", "--iova-mode=par"}));
    EXPECT_FALSE(asks({"testpmd", "pa", "--iova-mode"}));
    EXPECT_FALSE(asks({"testpmd", "--", "--iova-mode=pa"})) << "that is the application's";
    EXPECT_FALSE(asks({"testpmd", "--iova-mode=va", "--", "--iova-mode", "pa"}));
}

TEST_F(CommandLine, ThatCannotBeRead) {
    EXPECT_FALSE(eal::pa_mode_asked_for("/nonexistent/cmdline"));
    std::ofstream(path, std::ios::binary) << "testpmd" << '\0' << "--iova-mode=pa"; // cut off
    EXPECT_TRUE(eal::pa_mode_asked_for(path.c_str()));
}

} // namespace
} // namespace iommufd::test
