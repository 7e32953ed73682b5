// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Which PCI functions are this application's, by EAL's -a and -b:
//
//     -a BDF ...       those
//     -b BDF ...       all others
//     neither          all
//     --no-pci         none
//     -a iommufd:BDF   not that one: the iommufd bus plugin has it, whatever else is said

#include <string>
#include <vector>

#include "../vfio/bdf.hpp"

namespace iommufd::preload {

struct EalApi;

struct Allowed {
    bool pci = true;                  // not --no-pci
    bool has_allowed = false;         // -a was given
    std::vector<std::string> named;   // by -a or by -b
    std::vector<std::string> plugins; // by -a iommufd:

    [[nodiscard]] bool is_plugins(const std::string &bdf) const;
    [[nodiscard]] bool allows(const std::string &bdf) const;
};

// From EAL's arguments, as they stand now.
Allowed read_allowed(const EalApi &api);

} // namespace iommufd::preload
