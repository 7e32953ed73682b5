// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The side that has CAP_SYS_RAWIO. It trusts nothing of what it is sent: a message is of a known
// kind and of exactly its length, or its channel is closed; a device is one it was started with;
// the only ioctl it calls is GET_PA, on what is an iommufd.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/broker/protocol.hpp"
#include "core/sys/fd.hpp"

namespace iommufd::broker {

struct Policy {
    std::vector<std::string> devices; // BDF
    uid_t client = 0;                 // whose processes may connect; 0 is everybody
    std::function<bool(int fd)> is_iommufd;
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
