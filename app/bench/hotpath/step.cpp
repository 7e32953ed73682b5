// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "step.hpp"

#include <csignal>
#include <cstdint>
#include <stdexcept>

// std::uint16_t bench_stepped_call(void *queue, rte_mbuf **packets, std::uint16_t count, Burst
// burst) calls burst with TF set. Traps come after call, each instruction of burst, pushfq, andl
// and popfq.
asm(R"(
    .text
    .globl bench_stepped_call
    .type bench_stepped_call, @function
bench_stepped_call:
    subq $8, %rsp
    pushfq
    orl $0x100, (%rsp)
    popfq
    call *%rcx
    pushfq
    andl $0xfffffeff, (%rsp)
    popfq
    addq $8, %rsp
    ret
    .size bench_stepped_call, . - bench_stepped_call

    .type bench_empty, @function
bench_empty:
    ret
    .size bench_empty, . - bench_empty
)");

extern "C" {
std::uint16_t bench_stepped_call(void *queue, rte_mbuf **packets, std::uint16_t count,
                                 bench::Burst burst);
std::uint16_t bench_empty(void *queue, rte_mbuf **packets, std::uint16_t count);
}

namespace bench {

namespace {

// A tail register: no ring is so long.
constexpr std::uint32_t untouched_value = 0xFFFFFFFF;

struct Tail {
    volatile std::uint32_t *address;
    std::uint32_t value;
};

// Of the call that is being stepped. The handler runs on the same thread, between two
// instructions of it.
volatile std::uint64_t steps;
std::uint64_t doorbells;
Tail tails[2];
struct sigaction before;

void on_step(int) {
    steps = steps + 1;
    for (Tail &tail : tails) {
        const std::uint32_t value = *tail.address;
        if (value != untouched_value) {
            doorbells++;
            tail.value = value;
            *tail.address = untouched_value;
        }
    }
}

// Steps that are not the burst function's.
std::uint64_t overhead() {
    steps = 0;
    bench_stepped_call(nullptr, nullptr, 0, bench_empty);
    return steps - 1; // bench_empty is one
}

} // namespace

Stepper::Stepper(Variant &variant) : variant_(variant) {
    struct sigaction action = {};

    action.sa_handler = on_step;
    if (sigaction(SIGTRAP, &action, &before) != 0)
        throw std::runtime_error("no SIGTRAP handler");
}

Stepper::~Stepper() {
    sigaction(SIGTRAP, &before, nullptr);
}

std::uint16_t Stepper::call(Burst burst, void *queue, rte_mbuf **packets, std::uint16_t count) {
    Device &device = *variant_.device;
    Counts &counts = burst == variant_.rx.burst ? rx_ : tx_;

    tails[0] = {.address = &device.rx_tail(), .value = device.rx_tail()};
    tails[1] = {.address = &device.tx_tail(), .value = device.tx_tail()};
    for (Tail &tail : tails)
        *tail.address = untouched_value;

    static const std::uint64_t extra = overhead();
    steps = 0;
    doorbells = 0;
    const std::uint16_t done = bench_stepped_call(queue, packets, count, burst);
    counts.instructions += steps - extra;
    counts.doorbells += doorbells;

    for (const Tail &tail : tails)
        *tail.address = tail.value;
    return done;
}

} // namespace bench
