// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// dpdk-iommufd-run --check: what stands between this machine and an application, line by line with
// the remedy.

#include <string>
#include <vector>

#include "host.hpp"

namespace run {

enum class Verdict : std::uint8_t {
    fine,
    note,    // an application runs, or may run, without it
    missing, // none does
};

struct Finding {
    std::string subject; // "kernel", "0000:01:00.0"
    Verdict verdict;
    std::string text;   // what is there, or is not
    std::string remedy; // a sentence without its full stop; empty where nothing is to be done
};

// What the caller may do, of which the answers depend.
struct Caller {
    bool may_open_devices = false; // CAP_SYS_RAWIO
    bool may_lock_memory = false;  // CAP_IPC_LOCK
};

std::vector<Finding> check(const Host &host, const Caller &caller,
                           const std::filesystem::path &sysfs = "/sys");

// Whether an application could start.
bool is_ready(const std::vector<Finding> &findings);

// One line a finding, its remedy on the next, and a last line that sums up.
std::string to_text(const std::vector<Finding> &findings);
// {"ready": bool, "findings": [...], "devices": [...], "hugepages": [...]}
std::string to_json(const std::vector<Finding> &findings, const Host &host);

// dpdk-iommufd-run --status: devices and who has them.
std::string status_text(const Host &host, const HostPaths &paths = {});
std::string status_json(const Host &host, const HostPaths &paths = {});

} // namespace run
