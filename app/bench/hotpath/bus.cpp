// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the two stand-ins for a bus share.

#include "bus_internal.hpp"

#include <cstdint>
#include <dlfcn.h>
#include <stdexcept>

#include <rte_errno.h>
#include <rte_ethdev.h>

namespace bench {

std::string object_of(const void *address) {
    Dl_info info;

    return dladdr(address, &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : "";
}

std::uint16_t port_of(const std::string &driver, const std::string &name, int probed) {
    std::uint16_t port;

    if (probed != 0)
        throw std::runtime_error(
            driver + " does not take its device: " + rte_strerror(probed < 0 ? -probed : probed));
    if (rte_eth_dev_get_port_by_name(name.c_str(), &port) != 0)
        throw std::runtime_error(driver + " made no port " + name);
    return port;
}

} // namespace bench
