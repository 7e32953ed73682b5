// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Log type "iommufd.preload", through the running DPDK's log.

#include <rte_log.h>

#include "core/sys/guarded.hpp"
#include "core/sys/result.hpp"

namespace iommufd::preload {

// One line, "iommufd: " in front and a newline behind. level: RTE_LOG_ERR and so on.
[[gnu::format(printf, 2, 3)]] void log(unsigned int level, const char *format, ...);

// "who: message of the error"; -1, which is what DPDK's vfio functions return.
int log_error(const char *who, const Error &error);

// Run what C code has called: nothing is thrown across. failed is returned instead.
template <class T, class F>
T guarded(T failed, F &&f) noexcept {
    return catch_all(f, [=](int, const char *text) {
        log(RTE_LOG_ERR, "unexpected: %s", text);
        return failed;
    });
}

} // namespace iommufd::preload
