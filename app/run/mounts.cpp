// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "mounts.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include <linux/magic.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

namespace run {
namespace {

bool is_octal(char c) {
    return c >= '0' && c <= '7';
}

// The page size of the uppermost of what is mounted there; 0 if it is of no use.
std::uint64_t usable_page(const std::string &folder) {
    struct statfs fs {};
    const bool is_usable = statfs(folder.c_str(), &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC &&
                           (static_cast<unsigned long>(fs.f_flags) & ST_RDONLY) == 0;
    return is_usable ? static_cast<std::uint64_t>(fs.f_bsize) : 0;
}

} // namespace

std::string unescape(std::string_view word) {
    std::string text;
    while (!word.empty()) {
        const bool escaped = word.size() >= 4 && word[0] == '\\' && is_octal(word[1]) &&
                             is_octal(word[2]) && is_octal(word[3]);
        text +=
            escaped
                ? static_cast<char>((word[1] - '0') * 64 + (word[2] - '0') * 8 + (word[3] - '0'))
                : word[0];
        word.remove_prefix(escaped ? 4 : 1);
    }
    return text;
}

std::vector<HugetlbfsMount> hugetlbfs_mounts(const std::string &table) {
    std::vector<HugetlbfsMount> found;
    std::ifstream mounts(table);
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string device;
        std::string folder;
        std::string type;
        words >> device >> folder >> type;
        folder = unescape(folder);
        const bool is_known = std::any_of(found.begin(), found.end(),
                                          [&](const auto &one) { return one.path == folder; });
        const std::uint64_t page = type == "hugetlbfs" && !is_known ? usable_page(folder) : 0;
        if (page != 0)
            found.push_back({folder, page});
    }
    return found;
}

} // namespace run
