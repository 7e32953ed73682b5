// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "iommufd/log.hpp"

#include <cstdarg>
#include <cstdio>

RTE_LOG_REGISTER(iommufd_logtype, bus.iommufd, NOTICE)

namespace iommufd::eal {

void log(unsigned int level, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)std::vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    rte_log(level, static_cast<unsigned int>(iommufd_logtype), "iommufd: %s\n", line);
}

int log_error(const char *who, const Error &error) {
    log(RTE_LOG_ERR, "%s: %s", who, error.message().c_str());
    return -error.code;
}

} // namespace iommufd::eal
