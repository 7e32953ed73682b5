// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What a Kernel that asks dpdk-iommufd-run's broker (core/broker/client.hpp) answers beyond the
// kernel's own errnos, and what to do about it.

#include <cerrno>
#include <string>

namespace iommufd {

// As a sentence without its full stop; empty if it is none of the broker's.
inline std::string broker_remedy(int ret) {
    switch (-ret) {
    case EOWNERDEAD:
        return "the broker that dpdk-iommufd-run started has ended: what is mapped stays so, but "
               "nothing new can be; start the application again";
    case ETIMEDOUT:
        return "the broker that dpdk-iommufd-run started does not answer";
    case ENOTSOCK:
        return "the broker's socket, which DPDK_IOMMUFD_BROKER names, was closed by a program "
               "between dpdk-iommufd-run and this one";
    case ECONNREFUSED:
        return "no broker serves the socket that DPDK_IOMMUFD_BROKER names, or not this user: is "
               "'dpdk-iommufd-run --serve' running, and its socket mounted into this container?";
    case EBUSY:
        return "another client of the broker has the device";
    case ENXIO:
        return "dpdk-iommufd-run was started without it: name it with --device";
    case EPROTONOSUPPORT:
    case EBADMSG:
        return "dpdk-iommufd-run and this library are of different versions";
    default:
        return {};
    }
}

} // namespace iommufd
