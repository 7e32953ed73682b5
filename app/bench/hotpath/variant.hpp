// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What is compared: burst functions in one configuration, on a device of their own.

#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "device.hpp"
#include "workload.hpp"

namespace bench {

inline constexpr unsigned int pool_size = 2047;
inline constexpr unsigned int pool_cache = 256;

// eth_rx_burst_t and eth_tx_burst_t have one type.
using Burst = std::uint16_t (*)(void *queue, rte_mbuf **packets, std::uint16_t count);

struct Path {
    Burst burst = nullptr;
    void *queue = nullptr;
    std::string mode;           // As the driver reports it; empty if it does not.
    std::uint64_t offloads = 0; // As configured.
};

struct Variant {
    std::string name;
    std::string driver; // Name and shared object, for the reader.
    std::unique_ptr<Device> device;
    Path rx;
    Path tx;
    rte_mempool *pool = nullptr;
    std::uint16_t port = 0;
    // Buffers come from the pool and are freed into it; else the variant keeps its own.
    bool uses_pool = true;
    // A checksum that nobody has checked is unknown; with stock it is good.
    bool unchecked_is_unknown = false;
    // Smallest number of packets it can be asked for.
    unsigned int smallest_burst = 1;
};

// A variant that this machine or build does not have, and why.
struct Absent {
    std::string name;
    std::string reason;
};

struct Variants {
    std::vector<std::unique_ptr<Variant>> present;
    std::vector<Absent> absent;
};

// All variants that can do the workload, their ports started. EAL must be up, delays replaced.
// Throws if the stock driver does not work: it is what everything is compared with.
Variants make_variants(const Workload &workload);

// Name of the one that all are compared with. It comes first.
inline constexpr const char *stock_name = "stock";

} // namespace bench
