// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What burst functions leave behind, in a form that can be compared.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "variant.hpp"

namespace bench {

// All of a received mbuf but what differs from one mbuf to another: of one descriptor.
struct RxImage {
    std::array<unsigned char, sizeof(rte_mbuf)> bytes;
    bool own_port;   // mbuf->port is the port it came from.
    bool own_pool;   // mbuf->pool is the queue's.
    bool own_buffer; // It is the mbuf of the buffer that the device wrote to.
    bool own_place;  // It is the last of its packet where the descriptor is.
};

// A data descriptor of transmission: the command without RS and without the number of the context;
// of that context, wherever it stood, what the command makes the device look at; and whether the
// address is the segment's.
struct TxImage {
    Descriptor context;
    std::uint64_t command;
    bool own_address;
};

// What the device has received, a descriptor for each buffer: good packets of every type, with
// every flag and error that leaves a packet usable, of all lengths that the workload has; none if
// it receives nothing.
std::vector<Descriptor> make_traffic(const Workload &workload);

// Bursts of random sizes, some of them larger than what there is.
std::vector<RxImage> receive_all(Variant &variant, const std::vector<Descriptor> &traffic);

// Descriptors of packets of different lengths and data offsets, count or more, and with as many
// segments and as much to do for the device as the workload's, or less. None if it sends nothing.
std::vector<TxImage> send_all(Variant &variant, const Workload &workload, unsigned int count);

// Packets that differ, by the name of what differs in them.
struct Difference {
    std::uint64_t packets = 0;
    std::string example;
};
using Differences = std::map<std::string, Difference>;

void compare(const std::vector<Descriptor> &traffic, const std::vector<RxImage> &expected,
             const std::vector<RxImage> &actual, Differences &differences);
void compare(const std::vector<TxImage> &expected, const std::vector<TxImage> &actual,
             Differences &differences);

// Mbufs lost or given out twice in many rounds.
void check_buffers(Variant &variant, const Workload &workload, Differences &differences);

} // namespace bench
