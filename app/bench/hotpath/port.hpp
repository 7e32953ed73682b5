// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Set-up of an ethdev port for the benchmark.

#pragma once

#include <cstdint>
#include <string>

#include "variant.hpp"

namespace bench {

// Mbufs of which every byte a driver has to set, or to leave alone, is known (mbuf.hpp).
//
// ops: name of the mempool ops, or nullptr for DPDK's default.
rte_mempool *make_pool(const std::string &name, const char *ops);

// Configure one queue each way with the Rx offloads that a driver of this hardware is asked
// for, start the port, and fill in variant.rx and variant.tx. Throws if the driver refuses.
//
// simd_bits: the widest vector the driver may use from now on; tx_offloads: taken as far as the
// driver has them. It must have the workload's.
void start_port(Variant &variant, const Workload &workload, std::uint16_t simd_bits,
                std::uint64_t tx_offloads);

} // namespace bench
