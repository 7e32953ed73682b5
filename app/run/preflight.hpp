// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Whether the command can run as it should: looks, and changes nothing.

#include <string>
#include <vector>

#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"
#include "mounts.hpp"
#include "options.hpp"
#include "user.hpp"

namespace run {

// What the command needs that belongs to somebody.
struct Preflight {
    std::string program; // the file
    std::string library; // librte_iommufd_preload.so
    User user;
    std::vector<std::string> devices; // BDF
    std::vector<std::string> nodes;   // /dev/iommu and the devices' cdevs
    std::vector<HugetlbfsMount> hugetlbfs;
    iommufd::Fd connection;         // to another's broker, with --connect
    std::string sanitizer;          // AddressSanitizer's library, if the program has it
    bool has_own_hugetlbfs = false; // the user is given one in the place of the system's
    bool has_free_device = true;    // with --connect: another client has all of them otherwise
    bool is_wrapper = false;        // it is not known whether the program uses DPDK
};

// For a command, by a broker of its own or with --connect; the error is the first thing that is
// missing.
iommufd::Result<Preflight> run_preflight(const Options &options);

// For --serve: devices and nodes.
iommufd::Result<Preflight> run_server_preflight(const Options &options);

// What may go wrong where nothing is missing, as a sentence without its full stop; empty if all is
// well.
std::string advise(const Options &options, const Preflight &preflight);

} // namespace run
