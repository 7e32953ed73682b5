// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/eal_api.hpp"

#include <cstdio>

#include <dlfcn.h>

namespace iommufd::preload {

bool is_known_version(const char *version) {
    unsigned int year = 0;
    unsigned int month = 0;
    if (std::sscanf(version, "DPDK %u.%u", &year, &month) != 2)
        return false;
    const unsigned int release = year * 100 + month;
    return release >= 2211 && release <= 2607;
}

std::string EalApi::find() {
    // RTLD_NEXT: what the application would call without this library.
#define X(function)                                                                                \
    function = reinterpret_cast<decltype(function)>(dlsym(RTLD_NEXT, #function));                  \
    if (function == nullptr)                                                                       \
        return "the application's DPDK has no shared function " #function                          \
               ": link it with DPDK 22.11 to 26.07 as a shared library that is loaded at start";
    IOMMUFD_PRELOAD_EAL_FUNCTIONS(X)
#undef X
    vf_token = reinterpret_cast<decltype(vf_token)>(dlsym(RTLD_NEXT, "rte_eal_vfio_get_vf_token"));
    if (!is_known_version(rte_version()))
        return std::string("the application runs on ") + rte_version() +
               ", and this library knows DPDK 22.11 to 26.07: run it on one of those, or without "
               "this library";
    return {};
}

const EalApi *eal() {
    static const EalApi *found = [] {
        auto *api = new EalApi;
        if (const std::string problem = api->find(); !problem.empty()) {
            (void)std::fprintf(stderr, "iommufd: %s\n", problem.c_str());
            delete api;
            api = nullptr;
        }
        return api;
    }();
    return found;
}

} // namespace iommufd::preload
