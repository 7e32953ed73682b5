// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The command line of dpdk-iommufd-run.

#include <string>
#include <vector>

namespace run {

struct Options {
    std::string user; // name or number; empty: the caller
    std::vector<std::string> devices;
    std::vector<int> kept_capabilities; // numbers of linux/capability.h
    std::vector<std::string> command;
    bool dry_run = false;
    bool help = false;
};

// What is wrong, as a sentence without its full stop; empty if nothing is.
std::string parse(int argc, char *const argv[], Options *options);

extern const char *const usage;

} // namespace run
