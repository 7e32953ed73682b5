// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What kind of program a command is: LD_PRELOAD reaches a dynamically linked one without special
// rights only, and helps one only whose DPDK is a shared library.

#include <string>

namespace run {

// The file that execvp() would start; empty if there is none.
std::string find_program(const std::string &command);

enum class Kind {
    uses_shared_dpdk,
    other,       // a wrapper (taskset, gdb), a script: what it starts is not known
    static_dpdk, // dynamically linked, but with DPDK's drivers inside
    static_elf,
    set_id,
    file_capabilities,
    unreadable,
};

Kind kind_of(const std::string &path);

// Why the command cannot be run this way, as a sentence without its full stop; empty if it can.
std::string explain(Kind kind, const std::string &path);

} // namespace run
