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
//
// What dpdk-iommufd-run --device names comes before all of these: it is the whole choice for the
// device that addresses are resolved with, and no other function is ever bound.

#include <string>
#include <string_view>
#include <vector>

#include "core/vfio/bdf.hpp"

namespace iommufd::preload {

struct EalApi;

struct Allowed {
    bool pci = true;                  // not --no-pci
    bool has_allowed = false;         // -a was given
    std::vector<std::string> given;   // by dpdk-iommufd-run --device
    std::vector<std::string> named;   // by -a or by -b
    std::vector<std::string> plugins; // by -a iommufd:

    [[nodiscard]] bool is_plugins(const std::string &bdf) const;
    // Whether it may be bound to resolve addresses with, though the application has not probed it.
    [[nodiscard]] bool allows(const std::string &bdf) const;
    // Whether it may be bound when the application probes it.
    [[nodiscard]] bool may_probe(const std::string &bdf) const;
};

// The variable in which dpdk-iommufd-run passes on --device: PCI addresses, blanks between them.
inline constexpr const char *given_variable = "DPDK_IOMMUFD_DEVICES";

// From EAL's arguments, as they stand now, and from the value of that variable, nullptr if it is
// not set. EAL takes a device that is detached out of its list, so who wants to know what was said
// at start asks then.
Allowed read_allowed(const EalApi &api, const char *given);

} // namespace iommufd::preload
