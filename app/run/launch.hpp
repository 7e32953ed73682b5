// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Starts the command with its two capabilities and the library, and stands by until it ends.

#include "ground.hpp"

namespace run {

// The exit status for the shell. runtime: XDG_RUNTIME_DIR for the command; empty: leave it.
int launch(const Options &options, const Ground &ground, const std::string &runtime);

} // namespace run
