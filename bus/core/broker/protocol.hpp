// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What needs CAP_SYS_RAWIO is done by a broker, so that the application needs no capability:
//
//     dpdk-iommufd-run ──┬── broker: CAP_SYS_RAWIO, opens nodes, calls GET_PA
//                        │      │ socket pair
//                        └── command ── application ── the library: maps, attaches
//
//     dpdk-iommufd-run --serve SOCKET ──┬── broker of client 1 ── connection
//                                       └── broker of client 2 ── connection
//
// The socket that the command inherits, or has made by a connection to SOCKET, is one-way: a
// process that wants to ask makes a pair of its own and sends one end over it (connect), so
// processes that share the socket never read each other's answers. But for the one reply of type
// connect that a broker of SOCKET begins with: an error there is why it serves this client not.
//
// On its own channel a process asks one thing at a time:
//
//     connect       the new channel's end (SCM_RIGHTS)       no answer
//     list_devices                                           the broker's devices
//     open_iommu                                             /dev/iommu (SCM_RIGHTS)
//     open_device   name of the cdev                         it is this client's from now on
//     bind_device   the same, an iommufd (SCM_RIGHTS), token the cdev, bound to it (SCM_RIGHTS)
//     close_device  name of the cdev                         it is nobody's any more
//     get_pa        an iommufd (SCM_RIGHTS), IOAS id, IOVAs  addresses
//
// The broker binds, as a cdev that is not bound could be kept beyond the client's end and bound
// when another client is to have the device. A bound one is the only one: while it is open anywhere
// the kernel binds no other, and its last close stops and resets the device.
//
// Messages are SOCK_SEQPACKET datagrams in the machine's byte order: both ends are on it. The
// iommufd comes with each question: who holds it is its owner, IOAS ids mean nothing without it,
// the broker keeps nothing of a client, and what a primary process has lent to a secondary one
// works with the secondary's own broker.

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace iommufd::broker {

inline constexpr std::uint32_t magic = 0x4d4d4f49; // "IOMM"
inline constexpr std::uint16_t version = 2;
inline constexpr std::uint32_t max_queries = 256;
inline constexpr std::size_t max_name = 64;
inline constexpr std::size_t token_size = 16;
inline constexpr std::uint32_t bind_with_token = 1; // VFIO_DEVICE_BIND_FLAG_TOKEN
// A question about more is answered for as much: the kernel looks 4 KiB at a time.
inline constexpr std::uint64_t max_look = 16 << 20;

enum class Type : std::uint16_t {
    connect = 1,
    open_iommu,
    open_device,
    get_pa,
    bind_device,
    close_device,
    list_devices
};

struct Request {
    std::uint32_t magic;
    std::uint16_t version;
    std::uint16_t type;
    std::uint32_t ioas;             // of get_pa
    std::uint32_t count;            // of queries that follow, in get_pa
    char device[max_name];          // of ..._device: "noiommu-vfio0", with a zero at the end
    std::uint8_t token[token_size]; // of bind_device: of a virtual function, if flags say so
    std::uint32_t flags;            // of bind_device: 0 or bind_with_token
    std::uint32_t reserved;
};
static_assert(sizeof(Request) == 104 && std::is_trivially_copyable_v<Request>);

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

// In the place of answers, of list_devices.
struct Listed {
    char bdf[20];           // with a zero at the end
    std::uint32_t is_taken; // by another client
};
static_assert(sizeof(Listed) == sizeof(Answer));

inline constexpr std::size_t max_request = sizeof(Request) + max_queries * sizeof(Query);
inline constexpr std::size_t max_reply = sizeof(Reply) + max_queries * sizeof(Answer);

// In the environment of the command: the number of the inherited descriptor, or SOCKET's path,
// which begins with a slash.
inline constexpr const char *socket_variable = "DPDK_IOMMUFD_BROKER";

} // namespace iommufd::broker
