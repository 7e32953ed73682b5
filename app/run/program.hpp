// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What kind of program a command is: LD_PRELOAD reaches a dynamically linked one without special
// rights only, and helps one only whose DPDK is a shared library.
//
// The file is the user's, and may be made to mislead or to hang: a child process looks at it that
// has become him, without any capability and with limits on its time and memory, and reports three
// numbers. It reads; nothing of the file is run.

#include <string>

#include "core/sys/result.hpp"
#include "user.hpp"

namespace run {

enum class Kind {
    uses_shared_dpdk,
    other,       // a wrapper (taskset, gdb), a script: what it starts is not known
    static_dpdk, // dynamically linked, but with DPDK's drivers inside
    static_elf,
    set_id,
    file_capabilities,
    unreadable,
    missing, // there is no such program
    unknown, // the child has not answered, or not in time
};

struct Program {
    std::string path; // the file that execvp() would start
    Kind kind = Kind::unknown;
    std::string sanitizer; // "libasan.so.8" if it needs that first of all libraries
};

// As the user sees it.
Program examine(const User &user, const std::string &command);

// The error says why the command cannot be run this way.
iommufd::Result<void> check_kind(const Program &program, const std::string &command);

} // namespace run
