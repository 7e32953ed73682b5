// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Whether the command can run as it should: looks, and changes nothing.

#include <string>
#include <vector>

#include "mounts.hpp"
#include "options.hpp"
#include "user.hpp"

namespace run {

// What the command needs that belongs to somebody.
struct Ground {
    std::string program; // the file
    std::string library; // librte_iommufd_preload.so
    User user;
    std::vector<std::string> devices; // BDF
    std::vector<std::string> nodes;   // /dev/iommu and the devices' cdevs
    std::vector<HugetlbfsMount> hugetlbfs;
    std::string sanitizer;          // AddressSanitizer's library, if the program has it
    bool has_own_hugetlbfs = false; // the user is given one in the place of the system's
    bool is_wrapper = false;        // it is not known whether the program uses DPDK
};

// The first thing that is missing, as a sentence without its full stop; empty if nothing is.
std::string survey(const Options &options, Ground *ground);

// What may go wrong where nothing is missing, as a sentence without its full stop; empty if all is
// well.
std::string advise(const Options &options, const Ground &ground);

} // namespace run
