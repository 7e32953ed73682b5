// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "log_capture.hpp"

#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <rte_log.h>

namespace bench {

LogCapture::LogCapture(const char *type)
    : type_(type), previous_(rte_log_get_stream()), stream_(open_memstream(&buffer_, &size_)) {
    if (stream_ == nullptr)
        throw std::runtime_error("no memory for a log");
    rte_openlog_stream(stream_);
    rte_log_set_level_pattern(type_, RTE_LOG_DEBUG);
}

LogCapture::~LogCapture() {
    rte_log_set_level_pattern(type_, RTE_LOG_CRIT);
    rte_openlog_stream(previous_ == stderr ? nullptr : previous_);
    std::fclose(stream_);
    std::free(buffer_);
}

bool LogCapture::contains(const char *text) {
    return std::fflush(stream_) == 0 && std::strstr(buffer_, text) != nullptr;
}

} // namespace bench
