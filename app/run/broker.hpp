// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The processes that stay behind while the command runs in the launcher's own:
//
//     launcher, then the command
//     janitor     waits for the broker, then removes what the user's commands shared
//       broker    answers the command's questions (core/broker/server.hpp)
//
// Neither is a child of the command's, so no wait(2) of its finds one. They have no terminal, no
// file of the caller's, and end by themselves: the broker with the last holder of the socket.

#include <initializer_list>

#include "core/broker/server.hpp"
#include "core/sys/result.hpp"
#include "user_folders.hpp"

namespace run {

// The command's end of the socket, which it inherits. folders: nullptr if there are none.
iommufd::Result<int> start_broker(const iommufd::broker::Policy &policy, UserFolders *folders);

// A copy of a descriptor for the command to inherit, under a number that programs do not take for
// granted.
iommufd::Result<int> inheritable(int fd);

// Closes everything but these, and puts /dev/null in the place of the first three. -1 is none.
bool keep_only(std::initializer_list<int> descriptors);

// For good: none but these, as far as the process has them, none to come, not dumpable. Numbers of
// linux/capability.h.
bool limit_capabilities(std::initializer_list<int> kept);

} // namespace run
