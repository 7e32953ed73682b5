// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/allow.hpp"

#include <algorithm>
#include <sstream>

#include "preload/eal_api.hpp"

namespace iommufd::preload {
namespace {

bool contains(const std::vector<std::string> &all, const std::string &one) {
    return std::find(all.begin(), all.end(), one) != all.end();
}

} // namespace

bool Allowed::is_plugins(const std::string &bdf) const {
    return contains(plugins, bdf);
}

bool Allowed::allows(const std::string &bdf) const {
    if (!pci || is_plugins(bdf))
        return false;
    return given.empty() ? contains(named, bdf) == has_allowed : contains(given, bdf);
}

bool Allowed::may_probe(const std::string &bdf) const {
    return given.empty() || contains(given, bdf);
}

Allowed read_allowed(const EalApi &api, const char *given) {
    Allowed allowed;
    std::istringstream words(given == nullptr ? "" : given);
    for (std::string word; words >> word;)
        if (auto bdf = normal_bdf(word))
            allowed.given.push_back(*bdf);
    allowed.pci = api.rte_eal_has_pci() != 0;
    rte_devargs *devargs = nullptr;
    while ((devargs = api.rte_devargs_next("iommufd", devargs)) != nullptr) {
        std::string_view name = devargs->name;
        name.remove_prefix(name.starts_with("iommufd:") ? sizeof("iommufd:") - 1 : 0);
        if (auto bdf = normal_bdf(name); bdf && devargs->policy == RTE_DEV_ALLOWED)
            allowed.plugins.push_back(*bdf);
    }
    while ((devargs = api.rte_devargs_next("pci", devargs)) != nullptr) {
        allowed.has_allowed = devargs->policy == RTE_DEV_ALLOWED;
        if (auto bdf = normal_bdf(devargs->name))
            allowed.named.push_back(*bdf);
    }
    return allowed;
}

} // namespace iommufd::preload
