// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Log type "bus.iommufd", and the way from an Error to a log line and a negative errno.

#include <rte_log.h>

#include "core/sys/guarded.hpp"
#include "core/sys/result.hpp"

namespace iommufd::eal {

// One line, "iommufd: " in front and a newline behind. level: RTE_LOG_ERR and so on.
[[gnu::format(printf, 2, 3)]] void log(unsigned int level, const char *format, ...);

// "who: message of the error"; the errno, negative.
int log_error(const char *who, const Error &error);

// Run a callback that C code calls: nothing is thrown across. f returns an int.
template <class F>
int guarded(F &&f) noexcept {
    return catch_all(f, [](int code, const char *text) {
        log(RTE_LOG_ERR, "unexpected: %s", text);
        return -code;
    });
}

} // namespace iommufd::eal
