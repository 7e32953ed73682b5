// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// EAL's test for physical addresses is answered once per process, so each case runs in a child
// (a death test of the threadsafe style starts the program anew).

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "iommufd/physical_addresses.hpp"

namespace iommufd::test {
namespace {

struct Segment {
    std::string line; // of /proc/self/maps: addresses and protection
    std::vector<char> content;
};

// The parts of librte_eal that its code does not write: the PLT's slots are among them where it
// is linked with -z relro -z now.
std::vector<Segment> read_only_parts() {
    std::vector<Segment> found;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::uint64_t start = 0;
        std::uint64_t end = 0;
        char mode[5] = {};
        if (line.find("/librte_eal.so") == std::string::npos ||
            std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %4s", &start, &end, mode) != 3 ||
            mode[0] != 'r' || mode[1] != '-')
            continue;
        const auto *from = reinterpret_cast<const char *>(start);
        found.push_back({line, {from, from + (end - start)}});
    }
    return found;
}

[[noreturn]] void report(const std::string &result) {
    (void)std::fprintf(stderr, "%s\n", result.c_str());
    std::_Exit(0);
}

[[noreturn]] void answer_and_report() {
    const auto before = read_only_parts();
    eal::answer_pagemap_test();
    const int available = rte_eal_using_phys_addrs();
    const auto after = read_only_parts();
    bool same = before.size() == after.size() && !before.empty();
    for (std::size_t i = 0; same && i < before.size(); ++i)
        same = before[i].line == after[i].line && before[i].content == after[i].content;
    report(std::string("available ") + std::to_string(available) +
           (same ? ", librte_eal as before" : ", librte_eal changed"));
}

// EAL remembers the answer: rte_mem_virt2phy() reads no frame numbers from then on.
[[noreturn]] void translate_and_report() {
    static int variable;
    eal::answer_pagemap_test();
    report(rte_mem_virt2phy(&variable) == RTE_BAD_IOVA ? "translates nothing" : "translates");
}

[[noreturn]] void ask_and_report() {
    report("available " + std::to_string(rte_eal_using_phys_addrs()));
}

[[noreturn]] void late_answer_and_report() {
    const int before = rte_eal_using_phys_addrs();
    eal::answer_pagemap_test();
    report(before == rte_eal_using_phys_addrs() ? "the first answer stays" : "the answer changed");
}

class PagemapTest : public ::testing::Test {
protected:
    PagemapTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(PagemapTest, IsAnsweredWithNotAvailable) {
    EXPECT_EXIT(answer_and_report(), ::testing::ExitedWithCode(0),
                "available 0, librte_eal as before");
}

// Without the answer EAL finds physical addresses, where this process may see them at all.
TEST_F(PagemapTest, NegativeControl) {
    static int variable;
    const bool visible = rte_mem_virt2phy(&variable) != RTE_BAD_IOVA;
    EXPECT_EXIT(ask_and_report(), ::testing::ExitedWithCode(0),
                visible ? "available 1" : "available 0");
    if (!visible)
        GTEST_SKIP() << "this process sees no frame numbers in /proc/self/pagemap";
}

TEST_F(PagemapTest, IsAnsweredForGood) {
    EXPECT_EXIT(translate_and_report(), ::testing::ExitedWithCode(0), "translates nothing");
}

TEST_F(PagemapTest, ComesTooLateWithoutHarm) {
    EXPECT_EXIT(late_answer_and_report(), ::testing::ExitedWithCode(0), "the first answer stays");
}

} // namespace
} // namespace iommufd::test
