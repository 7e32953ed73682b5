// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a driver logs while it does something; for one that tells its choices only there.

#pragma once

#include <cstdio>
#include <string>

namespace bench {

// Everything of a log type, from construction to destruction, and nothing on stderr.
class LogCapture {
public:
    // type: of the driver, as in --log-level.
    explicit LogCapture(const char *type);
    ~LogCapture();
    LogCapture(const LogCapture &) = delete;
    LogCapture &operator=(const LogCapture &) = delete;

    bool contains(const char *text);

private:
    const char *type_;
    FILE *previous_;
    FILE *stream_;
    char *buffer_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace bench
