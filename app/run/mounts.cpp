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

// The uppermost of what is mounted there.
bool is_usable(const std::string &folder) {
    struct statfs fs {};
    return statfs(folder.c_str(), &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC &&
           (static_cast<unsigned long>(fs.f_flags) & ST_RDONLY) == 0;
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

std::vector<std::string> hugetlbfs_mounts(const std::string &table) {
    std::vector<std::string> found;
    std::ifstream mounts(table);
    for (std::string line; std::getline(mounts, line);) {
        std::istringstream words(line);
        std::string device;
        std::string folder;
        std::string type;
        words >> device >> folder >> type;
        folder = unescape(folder);
        if (type == "hugetlbfs" && is_usable(folder) &&
            std::find(found.begin(), found.end(), folder) == found.end())
            found.push_back(folder);
    }
    return found;
}

} // namespace run
