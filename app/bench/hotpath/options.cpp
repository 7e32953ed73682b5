// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "options.hpp"

#include <cstdio>
#include <cstdlib>
#include <getopt.h>
#include <stdexcept>

namespace bench {

namespace {

constexpr const char *usage_text = R"(usage: bench_hotpath MODE [OPTION...]

Drives the burst functions of stock net_e1000_igb (as packaged, and built with our options), of
net_ixgbe (vector), of a floor and of net_iommufd_igb on models of the hardware in this process.
Prints JSON, an object per line.

modes
  list              what there is: drivers, burst modes, offloads
  cycles            TSC cycles per packet, warm and flushed
  instructions      per packet, exact; doorbells and descriptor write-backs
  check             every field of mbufs and descriptors against stock's
  two-core          packets per microsecond with the device on another core
  mempool           cycles to get and put an object, by mempool ops
  repeat            rounds without a meter, for callgrind --toggle-collect=bench_plain_call

options (each may be repeated)
  --plugin FILE     shared object for EAL to load first
  --variant NAME    of those in `list`
  --workload NAME   plain (as if not given), chains2, chains4, tso32k, csum_vlan, rx_scattered
  --op rx|tx|fwd
  --burst PACKETS
  --rounds N        how long: slices of cycles, rounds of instructions and of two-core
  --small-pages     no hugepages (valgrind cannot have them)
  --verbose         what the drivers log
)";

unsigned int number(const char *text, unsigned int limit) {
    char *end = nullptr;
    const unsigned long value = std::strtoul(text, &end, 10);

    if (end == text || *end != '\0' || value == 0 || value > limit)
        refuse(std::string("not a number from 1 to ") + std::to_string(limit) + ": " + text);
    return static_cast<unsigned int>(value);
}

Op operation(const std::string &name) {
    for (const Op op : {Op::rx, Op::tx, Op::fwd})
        if (name == name_of(op))
            return op;
    refuse("no such operation: " + name);
}

const Workload &workload_named(const std::string &name) {
    for (const Workload &each : workloads())
        if (name == each.name)
            return each;
    refuse("no such workload: " + name);
}

// What was not asked for is as the workload has it.
void complete(Options &options) {
    Selection &selection = options.selection;

    if (selection.ops.empty())
        selection.ops = selection.workload->ops;
    if (selection.bursts.empty())
        selection.bursts = selection.workload->bursts;
    for (const Op op : selection.ops)
        if (!selection.workload->has(op))
            refuse(std::string(selection.workload->name) + " has no " + name_of(op));
    if (options.mode == "two-core" && !selection.workload->is_plain())
        refuse("two-core is of the plain workload");
}

} // namespace

void refuse(const std::string &what) {
    throw std::invalid_argument(what + " (bench_hotpath --help)");
}

Options parse_options(int argc, char **argv) {
    enum { plugin = 1, variant, work, op, burst, rounds, small_pages, verbose, help };
    static const option known[] = {
        {"plugin", required_argument, nullptr, plugin},
        {"variant", required_argument, nullptr, variant},
        {"workload", required_argument, nullptr, work},
        {"op", required_argument, nullptr, op},
        {"burst", required_argument, nullptr, burst},
        {"rounds", required_argument, nullptr, rounds},
        {"small-pages", no_argument, nullptr, small_pages},
        {"verbose", no_argument, nullptr, verbose},
        {"help", no_argument, nullptr, help},
        {},
    };
    Options options;

    for (int c; (c = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
        switch (c) {
        case plugin:
            options.eal.plugins.emplace_back(optarg);
            break;
        case variant:
            options.selection.variants.emplace_back(optarg);
            break;
        case work:
            options.selection.workload = &workload_named(optarg);
            break;
        case op:
            options.selection.ops.push_back(operation(optarg));
            break;
        case burst:
            options.selection.bursts.push_back(number(optarg, round_descs));
            break;
        case rounds:
            options.selection.rounds = number(optarg, 1'000'000);
            break;
        case small_pages:
            options.eal.small_pages = true;
            break;
        case verbose:
            options.eal.verbose = true;
            break;
        case help:
            std::fputs(usage_text, stdout);
            std::exit(0);
        default:
            refuse("wrong option");
        }
    }
    if (argc - optind != 1)
        refuse("one mode is needed");
    options.mode = argv[optind];
    complete(options);
    return options;
}

} // namespace bench
