// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

#include <string>

namespace bench {

// A JSON string of printable text.
inline std::string quote(const std::string &text) {
    std::string quoted = "\"";

    for (const char c : text) {
        if (c == '"' || c == '\\')
            quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

} // namespace bench
