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

#include "core/broker/server.hpp"
#include "core/sys/result.hpp"
#include "user_folders.hpp"

namespace run {

// The command's end of the socket, which it inherits. folders: nullptr if there are none.
iommufd::Result<int> start_broker(const iommufd::broker::Policy &policy, UserFolders *folders);

} // namespace run
