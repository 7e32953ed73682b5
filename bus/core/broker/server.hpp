// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The side that has CAP_SYS_RAWIO, for one client: the processes that share a socket. It trusts
// nothing of what it is sent: a message is of a known kind and of exactly its length, or its
// channel is closed; a device is one it was started with and that no other client has; the only
// ioctls it calls are GET_PA, on what is an iommufd, and BIND, on what it has opened.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/broker/leases.hpp"
#include "core/broker/protocol.hpp"
#include "core/sys/fd.hpp"

namespace iommufd::broker {

// Whose processes may connect: those of one of the users or groups; everybody's if none is named.
struct Clients {
    std::vector<uid_t> users;
    std::vector<gid_t> groups;
};

// By what the kernel says of the process that has made the other end of a socket.
bool may_connect(const Clients &clients, int socket);

struct Policy {
    std::vector<std::string> devices; // BDF; max_queries at most
    Clients clients;
    std::function<bool(int fd)> is_iommufd;
    const Leases *leases = nullptr; // shared with the brokers of other clients; none: no others
    std::function<void(int channel)> on_connect; // of each process of the client's
    int patience_ms = 2000; // for an ended process of an earlier client's to close a device
    std::filesystem::path sysfs = "/sys";
};

// For Policy: a device node with the number of /dev/iommu. Nothing if there is no such node.
std::function<bool(int fd)> iommufd_check();

struct Outcome {
    std::vector<std::uint8_t> reply; // empty: the message is no request, close the channel
    Fd fd;                           // goes with the reply
};

// lent: the descriptor that came with it, or -1.
Outcome answer(Kernel &kernel, const Policy &policy, std::span<const std::uint8_t> message,
               int lent);

// Serves until nobody holds the other end of the socket, nor of a channel that came over it.
void serve(Kernel &kernel, const Policy &policy, int socket);

} // namespace iommufd::broker
