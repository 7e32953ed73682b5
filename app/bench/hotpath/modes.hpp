// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What bench_hotpath can do. Each prints JSON objects, one per line; devtools/bench/ makes
// one report of those of many processes.

#pragma once

#include "eal.hpp"
#include "selection.hpp"

namespace bench {

// {"dpdk", "memory", "two_cores"}
void list_machine(const Machine &machine);

// {"variant", "driver", "rx_mode", "tx_mode", "rx_offloads", "tx_offloads"}, {"absent", "reason"}
void list_variants(const Variants &variants);

// {"variant", "op", "burst", "cache", "cycles"}: TSC cycles per packet, median of the rounds.
void measure_cycles(const Variants &variants, const Selection &selection);

// {"variant", "op", "burst", "instructions", "doorbells", "write_backs"}, per packet. Counted
// while forwarding, if the workload has that: rx and tx are the parts of the two functions.
void count_instructions(const Variants &variants, const Selection &selection);

// {"variant", "packets", "differences": [{"field", "packets", "example"}]}, against stock.
// Returns whether all but the peers are equal to stock.
bool check_output(const Variants &variants, const Workload &workload);

// {"variant", "mpps"}: forwarding plain packets with the device on another core, best window of 1
// ms of all turns.
void measure_two_cores(const Variants &variants, const Machine &machine,
                       const Selection &selection);

// {"ops", "single", "cache", "bulk", "window", "threads", "cycles"}: TSC cycles to get and put
// one object, median. Needs no variants.
void measure_mempools(const Machine &machine);

// Rounds without a meter, each call through bench_plain_call() (repeat.cpp), for callgrind.
void repeat_rounds(const Variants &variants, const Selection &selection);

} // namespace bench
