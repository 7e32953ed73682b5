// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/eal_api.hpp"

#include <cstdio>
#include <string>

#include <dlfcn.h>

namespace iommufd::preload {
namespace {

template <class F>
bool take(F **function, EalApi::LookUp look_up, const char *name) {
    *function = reinterpret_cast<F *>(look_up(name));
    return *function != nullptr;
}

tl::unexpected<Error> no_function(const char *name) {
    return failure(0, std::string("the application's DPDK has no shared function ") + name,
                   "link it with DPDK 22.11 to 26.11 as a shared library that is loaded at start");
}

// What the application would call without this library.
void *next(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

} // namespace

bool is_known_version(const char *version) {
    unsigned int year = 0;
    unsigned int month = 0;
    if (std::sscanf(version, "DPDK %u.%u", &year, &month) != 2)
        return false;
    const unsigned int release = year * 100 + month;
    return release >= 2211 && release <= 2611;
}

Result<void> EalApi::find(LookUp look_up) {
#define X(function)                                                                                \
    if (!take(&(function), look_up, #function))                                                    \
        return no_function(#function);
    X(rte_version)
    if (!is_known_version(rte_version()))
        return failure(0,
                       std::string("the application runs on ") + rte_version() +
                           ", and this library knows DPDK 22.11 to 26.11",
                       "run it on one of those, or without this library");
    IOMMUFD_PRELOAD_EAL_FUNCTIONS(X)
#undef X
    (void)take(&vf_token, look_up, "rte_eal_vfio_get_vf_token");
    return find_vfio(look_up);
}

// By name, not by version: 26.11-rc0 has still the old ones.
Result<void> EalApi::find_vfio(LookUp look_up) {
#define X(function)                                                                                \
    if (!take(&(function), look_up, #function))                                                    \
        return no_function(#function);
    if (look_up("dev_vfio_setup_device") == nullptr) {
        IOMMUFD_PRELOAD_VFIO_FUNCTIONS(X)
        return {};
    }
#undef X
#define X(function, form)                                                                          \
    if (!take(&(function), look_up, #function))                                                    \
        return no_function(#function);
    IOMMUFD_PRELOAD_DEV_VFIO_FUNCTIONS(X)
#undef X
    return {};
}

const EalApi *eal() {
    static const EalApi *found = [] {
        auto *api = new EalApi;
        if (const auto found_all = api->find(next); !found_all) {
            (void)std::fprintf(stderr, "iommufd: %s\n", found_all.error().message().c_str());
            delete api;
            api = nullptr;
        }
        return api;
    }();
    return found;
}

} // namespace iommufd::preload
