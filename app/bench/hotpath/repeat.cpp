// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Rounds for another program to look at (callgrind, perf).

#include "modes.hpp"

#include <cstdint>

// std::uint16_t bench_plain_call(void *queue, rte_mbuf **packets, std::uint16_t count, Burst burst)
// calls burst. It starts with one instruction of its own and ends with two.
asm(R"(
    .text
    .globl bench_plain_call
    .type bench_plain_call, @function
bench_plain_call:
    subq $8, %rsp
    call *%rcx
    addq $8, %rsp
    ret
    .size bench_plain_call, . - bench_plain_call
)");

extern "C" std::uint16_t bench_plain_call(void *queue, rte_mbuf **packets, std::uint16_t count,
                                          bench::Burst burst);

namespace bench {

namespace {

struct NamedCalls {
    void start() {}
    void stop() {}
    static std::uint16_t call(Burst burst, void *queue, rte_mbuf **packets, std::uint16_t count) {
        return bench_plain_call(queue, packets, count, burst);
    }
};

void repeat(Variant &variant, const Workload &workload, Op op, unsigned int burst,
            unsigned int rounds) {
    Round round(variant, workload, op, burst, Cache::warm);
    NamedCalls calls;

    for (unsigned int i = 0; i < rounds; i++)
        round.run(calls);
}

} // namespace

void repeat_rounds(const Variants &variants, const Selection &selection) {
    const Workload &workload = *selection.workload;
    const unsigned int rounds = selection.rounds != 0 ? selection.rounds : lap_rounds(workload);

    for (const auto &variant : variants.present)
        for (const Op op : selection.ops)
            for (const unsigned int burst : selection.bursts)
                if (supports_burst(*variant, burst))
                    repeat(*variant, workload, op, burst, rounds);
}

} // namespace bench
