// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/log.hpp"

#include <cstdarg>
#include <cstdio>

#include "preload/eal_api.hpp"

namespace iommufd::preload {

void log(unsigned int level, const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    (void)std::vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    const EalApi *api = eal();
    if (api == nullptr) // it has said why
        return;
    static const int type =
        api->rte_log_register_type_and_pick_level("iommufd.preload", RTE_LOG_NOTICE);
    api->rte_log(level, static_cast<unsigned int>(type < 0 ? RTE_LOGTYPE_EAL : type),
                 "iommufd: %s\n", line);
}

int log_error(const char *who, const Error &error) {
    log(RTE_LOG_ERR, "%s: %s", who, error.message().c_str());
    return -1;
}

} // namespace iommufd::preload
