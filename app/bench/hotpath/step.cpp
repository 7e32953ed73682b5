/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

#include "step.hpp"

#include <csignal>
#include <cstdio>
#include <stdexcept>

#include "modes.hpp"

// uint16_t bench_stepped_call(void *queue, rte_mbuf **packets, uint16_t count, Burst burst)
// calls burst with TF set. Traps come after call, each instruction of burst, pushfq, andl and
// popfq.
//
// bench_plain_call() is the same without TF. It starts with one instruction of its own and
// ends with two.
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

    .globl bench_plain_call
    .type bench_plain_call, @function
bench_plain_call:
    subq $8, %rsp
    call *%rcx
    addq $8, %rsp
    ret
    .size bench_plain_call, . - bench_plain_call

    .type bench_empty, @function
bench_empty:
    ret
    .size bench_empty, . - bench_empty
)");

extern "C" {
uint16_t bench_stepped_call(void *queue, rte_mbuf **packets, uint16_t count, bench::Burst burst);
uint16_t bench_plain_call(void *queue, rte_mbuf **packets, uint16_t count, bench::Burst burst);
uint16_t bench_empty(void *queue, rte_mbuf **packets, uint16_t count);
}

namespace bench {

namespace {

/** A tail register: no ring is so long. */
constexpr uint32_t kUntouched = 0xFFFFFFFF;

struct Tail {
    volatile uint32_t *address;
    uint32_t value;
};

// Of the call that is being stepped. The handler runs on the same thread, between two
// instructions of it.
volatile uint64_t steps;
uint64_t doorbells;
Tail tails[2];
struct sigaction before;

void on_step(int) {
    steps = steps + 1;
    for (Tail &tail : tails) {
        const uint32_t value = *tail.address;
        if (value != kUntouched) {
            doorbells++;
            tail.value = value;
            *tail.address = kUntouched;
        }
    }
}

/** Steps that are not the burst function's. */
uint64_t overhead() {
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

uint16_t Stepper::call(Burst burst, void *queue, rte_mbuf **packets, uint16_t count) {
    Device &device = *variant_.device;
    Counts &counts = burst == variant_.rx.burst ? rx_ : tx_;

    tails[0] = {.address = &device.rx_tail(), .value = device.rx_tail()};
    tails[1] = {.address = &device.tx_tail(), .value = device.tx_tail()};
    for (Tail &tail : tails)
        *tail.address = kUntouched;

    static const uint64_t extra = overhead();
    steps = 0;
    doorbells = 0;
    const uint16_t done = bench_stepped_call(queue, packets, count, burst);
    counts.instructions += steps - extra;
    counts.doorbells += doorbells;

    for (const Tail &tail : tails)
        *tail.address = tail.value;
    return done;
}

namespace {

/** Calls as they are. */
struct NoMeter {
    void start() {}
    void stop() {}
    static uint16_t call(Burst burst, void *queue, rte_mbuf **packets, uint16_t count) {
        return bench_plain_call(queue, packets, count, burst);
    }
};

/** Before anything is counted: two laps of the rings, so that every queue is in its stride. */
constexpr unsigned int kWarmUp = 2 * kRing / kRoundPackets;

/** A lap: refills, completions and the pool's cache repeat within. */
constexpr unsigned int kCounted = kRing / kRoundPackets;

void warm_up(Round &round) {
    NoMeter meter;

    for (unsigned int i = 0; i < kWarmUp; i++)
        round.run(meter);
}

void print(const Variant &variant, Op op, unsigned int burst, const Counts &counts,
           uint64_t write_backs, double packets) {
    std::printf("{\"variant\": \"%s\", \"op\": \"%s\", \"burst\": %u, \"instructions\": %.2f, "
                "\"doorbells\": %.4f, \"write_backs\": %.4f}\n",
                variant.name.c_str(), name_of(op), burst,
                static_cast<double>(counts.instructions) / packets,
                static_cast<double>(counts.doorbells) / packets,
                static_cast<double>(write_backs) / packets);
}

/** Forwards, and prints the counts of rx, of tx and of both. */
void count(Variant &variant, unsigned int burst, const Selection &selection) {
    const unsigned int rounds = selection.rounds != 0 ? selection.rounds : kCounted;
    const double packets = rounds * kRoundPackets;
    Round round(variant, Op::fwd, burst, Cache::warm);
    Stepper stepper(variant);

    warm_up(round);
    const uint64_t before = variant.device->tx_write_backs();
    for (unsigned int i = 0; i < rounds; i++)
        round.run(stepper);
    const uint64_t write_backs = variant.device->tx_write_backs() - before;
    const Counts both{.instructions = stepper.rx().instructions + stepper.tx().instructions,
                      .doorbells = stepper.rx().doorbells + stepper.tx().doorbells};
    for (const Op op : selection.ops) {
        const Counts &counts = op == Op::rx ? stepper.rx() : op == Op::tx ? stepper.tx() : both;
        print(variant, op, burst, counts, op == Op::rx ? 0 : write_backs, packets);
    }
}

} // namespace

void count_instructions(const Variants &variants, const Selection &selection) {
    for (const auto &variant : variants.present)
        for (const unsigned int burst : selection.bursts)
            if (can(*variant, burst))
                count(*variant, burst, selection);
}

void repeat_rounds(const Variants &variants, const Selection &selection) {
    const unsigned int rounds = selection.rounds != 0 ? selection.rounds : kCounted;
    NoMeter meter;

    for (const auto &variant : variants.present) {
        for (const Op op : selection.ops) {
            for (const unsigned int burst : selection.bursts) {
                if (!can(*variant, burst))
                    continue;
                Round round(*variant, op, burst, Cache::warm);
                for (unsigned int i = 0; i < rounds; i++)
                    round.run(meter);
            }
        }
    }
}

} // namespace bench
