// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The hugetlbfs mounts that are to be seen here.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace run {

// A word of /proc/self/mounts: blanks, tabs, newlines and backslashes are "\040" and so on there
// (Linux 7.3, fs/proc_namespace.c, mangle()).
std::string unescape(std::string_view word);

struct HugetlbfsMount {
    std::string path;
    std::uint64_t page; // size in bytes
};

// Mount points where a hugetlbfs is what is seen, and can be written to.
std::vector<HugetlbfsMount> hugetlbfs_mounts(const std::string &table = "/proc/self/mounts");

} // namespace run
