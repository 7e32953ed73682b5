// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Instructions, doorbells and write-backs per packet.

#include <cstdint>
#include <cstdio>

#include "modes.hpp"
#include "step.hpp"

namespace bench {

namespace {

void print(const Variant &variant, Op op, unsigned int burst, const Counts &counts,
           std::uint64_t write_backs, double packets) {
    std::printf("{\"variant\": \"%s\", \"op\": \"%s\", \"burst\": %u, \"instructions\": %.2f, "
                "\"doorbells\": %.4f, \"write_backs\": %.4f}\n",
                variant.name.c_str(), name_of(op), burst,
                static_cast<double>(counts.instructions) / packets,
                static_cast<double>(counts.doorbells) / packets,
                static_cast<double>(write_backs) / packets);
}

// Prints the counts of what is asked for. Forwarding counts rx and tx as well, its parts.
void count(Variant &variant, Op counted, unsigned int burst, const Selection &selection) {
    const Workload &workload = *selection.workload;
    const unsigned int rounds = selection.rounds != 0 ? selection.rounds : lap_rounds(workload);
    const double packets = rounds * workload.packets;
    Round round(variant, workload, counted, burst, Cache::warm);
    Stepper stepper(variant);
    Unmetered unmetered;

    for (unsigned int i = 0; i < warm_up_rounds; i++)
        round.run(unmetered);
    const std::uint64_t before = variant.device->tx_write_backs();
    for (unsigned int i = 0; i < rounds; i++)
        round.run(stepper);
    const std::uint64_t write_backs = variant.device->tx_write_backs() - before;
    const Counts both{.instructions = stepper.rx().instructions + stepper.tx().instructions,
                      .doorbells = stepper.rx().doorbells + stepper.tx().doorbells};
    for (const Op op : selection.ops) {
        if (counted != Op::fwd && op != counted)
            continue;
        const Counts &counts = op == Op::rx ? stepper.rx() : op == Op::tx ? stepper.tx() : both;
        print(variant, op, burst, counts, op == Op::rx ? 0 : write_backs, packets);
    }
}

} // namespace

void count_instructions(const Variants &variants, const Selection &selection) {
    const std::vector<Op> counted =
        selection.workload->has(Op::fwd) ? std::vector{Op::fwd} : selection.ops;

    for (const auto &variant : variants.present)
        for (const unsigned int burst : selection.bursts)
            for (const Op op : counted)
                if (supports_burst(*variant, burst))
                    count(*variant, op, burst, selection);
}

} // namespace bench
