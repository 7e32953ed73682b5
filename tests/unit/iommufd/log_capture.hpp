// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

#include <rte_log.h>

namespace iommufd::test {

// What EAL's log gets while it lives.
class LogCapture {
public:
    LogCapture() : stream_(open_memstream(&text_, &size_)) { (void)rte_openlog_stream(stream_); }
    LogCapture(const LogCapture &) = delete;
    LogCapture &operator=(const LogCapture &) = delete;
    ~LogCapture() {
        (void)rte_openlog_stream(nullptr); // stderr
        (void)std::fclose(stream_);
        std::free(text_);
    }

    [[nodiscard]] std::string text() const {
        (void)std::fflush(stream_);
        return {text_, size_};
    }

private:
    char *text_ = nullptr;
    std::size_t size_ = 0;
    std::FILE *stream_;
};

} // namespace iommufd::test
