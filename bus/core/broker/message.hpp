// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Datagrams that carry a descriptor or none. A negative errno for failure, as Kernel's.

#include <cstddef>

#include <sys/types.h>

namespace iommufd::broker {

// fd: -1 for none; it stays the caller's. flags: of sendmsg(2); MSG_NOSIGNAL is added.
ssize_t send_message(int socket, const void *data, std::size_t length, int fd, int flags);

// The length of the message, 0 at the end. fd: the descriptor that came, the caller's now, or -1.
// A message that does not fit, or with more than one descriptor, is -EBADMSG.
ssize_t receive_message(int socket, void *data, std::size_t room, int *fd, int flags);

} // namespace iommufd::broker
