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

// All of a received mbuf but what differs from one mbuf to another.
struct RxImage {
    std::array<unsigned char, sizeof(rte_mbuf)> bytes;
    bool own_port;   // mbuf->port is the port it came from.
    bool own_pool;   // mbuf->pool is the queue's.
    bool own_buffer; // It is the mbuf of the buffer that the device wrote to.
};

// A transmit descriptor: the command without RS, and whether the address is the packet's.
struct TxImage {
    std::uint64_t command;
    bool own_address;
};

// Good packets of every type, with every flag and error that leaves a packet usable.
std::vector<Descriptor> make_traffic();

// Bursts of random sizes, some of them larger than what there is.
std::vector<RxImage> receive_all(Variant &variant, const std::vector<Descriptor> &traffic);

// count packets of different lengths and data offsets.
std::vector<TxImage> send_all(Variant &variant, unsigned int count);

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
void check_buffers(Variant &variant, Differences &differences);

} // namespace bench
