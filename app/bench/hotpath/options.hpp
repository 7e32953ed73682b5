// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The command line of bench_hotpath.

#pragma once

#include <string>

#include "eal.hpp"
#include "selection.hpp"

namespace bench {

struct Options {
    std::string mode;
    EalOptions eal;
    Selection selection;
};

// Throws std::invalid_argument if they make no sense; --help ends the process.
Options parse_options(int argc, char **argv);

// Throws std::invalid_argument, with where help is.
[[noreturn]] void refuse(const std::string &what);

} // namespace bench
