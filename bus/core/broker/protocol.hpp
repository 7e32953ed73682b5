// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What needs CAP_SYS_RAWIO is done by a broker, so that the application needs no capability:
//
//     dpdk-iommufd-run ──┬── broker: CAP_SYS_RAWIO, opens nodes, calls GET_PA
//                        │      │ socket pair
//                        └── command ── application ── the library: binds, maps, attaches
//
// The socket that the command inherits is one-way: a process that wants to ask makes a pair of its
// own and sends one end over it (connect), so processes that share the inherited one never read
// each other's answers. On its own channel a process asks one thing at a time:
//
//     connect       the new channel's end (SCM_RIGHTS)       no answer
//     open_iommu                                             /dev/iommu (SCM_RIGHTS)
//     open_device   name of the cdev                         the cdev (SCM_RIGHTS)
//     get_pa        an iommufd (SCM_RIGHTS), IOAS id, IOVAs  addresses
//
// Messages are SOCK_SEQPACKET datagrams in the machine's byte order: both ends are on it. The
// iommufd comes with each question, so the broker keeps nothing of a client, and what a primary
// process has lent to a secondary one works with the secondary's own broker.

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace iommufd::broker {

inline constexpr std::uint32_t magic = 0x4d4d4f49; // "IOMM"
inline constexpr std::uint16_t version = 1;
inline constexpr std::uint32_t max_queries = 256;
inline constexpr std::size_t max_name = 64;

enum class Type : std::uint16_t { connect = 1, open_iommu, open_device, get_pa };

struct Request {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t type;
    std::uint32_t ioas;    // of get_pa
    std::uint32_t count;   // of queries that follow, in get_pa
    char device[max_name]; // of open_device: "noiommu-vfio0", with a zero at the end
};
static_assert(sizeof(Request) == 80 && std::is_trivially_copyable_v<Request>);

struct Query {
    std::uint64_t iova;
    std::uint64_t length; // how far to look
};
static_assert(sizeof(Query) == 16);

struct Reply {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t type;
    std::int32_t error;  // negative errno of the whole, 0 for none
    std::uint32_t count; // of answers that follow
};
static_assert(sizeof(Reply) == 16);

struct Answer {
    std::uint64_t pa;
    std::uint64_t length; // contiguous bytes
    std::int32_t error;   // negative errno
    std::uint32_t reserved;
};
static_assert(sizeof(Answer) == 24);

inline constexpr std::size_t max_request = sizeof(Request) + max_queries * sizeof(Query);
inline constexpr std::size_t max_reply = sizeof(Reply) + max_queries * sizeof(Answer);

// In the environment of the command: the number of the inherited descriptor.
inline constexpr const char *socket_variable = "DPDK_IOMMUFD_BROKER";

} // namespace iommufd::broker
