// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The command line of dpdk-iommufd-run.

#include <cstdint>
#include <string>
#include <vector>

#include "core/sys/result.hpp"

namespace run {

// What is asked for instead of running a command.
enum class Action : std::uint8_t { run, help, version, check, status, bind, unbind, serve };

struct Options {
    Action action = Action::run;
    std::string function;                  // of --bind and --unbind: its PCI address
    bool json = false;                     // of --check and --status
    std::string user;                      // name or number; empty: the caller
    std::string socket;                    // of --serve and --connect
    bool connect = false;                  // the command's broker is behind it
    std::vector<std::string> served_users; // of --serve, as are groups: names or numbers
    std::vector<std::string> served_groups;
    std::vector<std::string> devices;
    std::vector<int> kept_capabilities; // numbers of linux/capability.h
    std::vector<std::string> command;
    bool dry_run = false;
};

// The error says what is wrong with the words.
iommufd::Result<Options> parse(int argc, char *const argv[]);

extern const char *const usage;

} // namespace run
