// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

inline constexpr std::uint16_t vendor_intel = 0x8086;

// Path of the shared object that holds address.
std::string object_of(const void *address);

// The port that a probe has made; probed is the probe's result. Throws on failure.
std::uint16_t port_of(const std::string &driver, const std::string &name, int probed);

// Drivers by name; the first one registered wins, as EAL loads -d plugins first.
template <typename Driver>
Driver *find_driver(const std::vector<Driver *> &drivers, const std::string &name) {
    const auto found = std::find_if(drivers.begin(), drivers.end(), [&](const Driver *driver) {
        return name == driver->driver.name;
    });
    return found == drivers.end() ? nullptr : *found;
}

template <typename Driver>
Driver &get_driver(const std::vector<Driver *> &drivers, const std::string &name) {
    Driver *driver = find_driver(drivers, name);

    if (driver == nullptr)
        throw std::runtime_error("driver " + name + " is not there");
    return *driver;
}

} // namespace bench
