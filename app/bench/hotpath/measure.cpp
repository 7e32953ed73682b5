/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file Cycles per packet. */

#include <cstdio>
#include <limits>
#include <map>
#include <tuple>
#include <x86intrin.h>

#include "median.hpp"
#include "modes.hpp"
#include "turns.hpp"

namespace bench {

namespace {

constexpr unsigned int kTimedRounds = 8;
constexpr unsigned int kSlices = 25;

/** A meter of rounds (rounds.hpp) in TSC cycles. */
class Timer {
public:
    void start() {
        _mm_lfence();
        begin_ = __rdtsc();
        _mm_lfence();
    }
    void stop() {
        unsigned int cpu;

        end_ = __rdtscp(&cpu);
        _mm_lfence();
    }
    static uint16_t call(Burst burst, void *queue, rte_mbuf **packets, uint16_t count) {
        return burst(queue, packets, count);
    }
    uint64_t cycles() const { return end_ - begin_; }

private:
    uint64_t begin_ = 0;
    uint64_t end_ = 0;
};

/** What start() and stop() measure of themselves. */
uint64_t timer_cost() {
    uint64_t least = std::numeric_limits<uint64_t>::max();
    Timer timer;

    for (int i = 0; i < 1000; i++) {
        timer.start();
        timer.stop();
        least = std::min(least, timer.cycles());
    }
    return least;
}

using Samples = std::map<std::tuple<const Variant *, Op, unsigned int, Cache>, std::vector<double>>;

/** One slice of one variant; the next one's turn comes soon after. */
void sample(Variant &variant, Op op, unsigned int burst, Cache cache, uint64_t cost,
            Samples &samples) {
    Round round(variant, op, burst, cache);
    Timer timer;

    for (unsigned int i = 0; i < kWarmUpRounds; i++)
        round.run(timer);
    auto &values = samples[{&variant, op, burst, cache}];
    for (unsigned int i = 0; i < kTimedRounds; i++) {
        round.run(timer);
        values.push_back(static_cast<double>(timer.cycles() - cost) / kRoundPackets);
    }
}

void sample_all(const Variants &variants, Op op, unsigned int burst, Cache cache,
                unsigned int slice, uint64_t cost, Samples &samples) {
    const size_t count = variants.present.size();

    for (size_t i = 0; i < count; i++) {
        Variant &variant = *variants.present[at_turn(i, count, slice)];
        if (supports_burst(variant, burst))
            sample(variant, op, burst, cache, cost, samples);
    }
}

} // namespace

void measure_cycles(const Variants &variants, const Selection &selection) {
    const unsigned int slices = selection.rounds != 0 ? selection.rounds : kSlices;
    const uint64_t cost = timer_cost();
    Samples samples;

    for (unsigned int slice = 0; slice < slices; slice++)
        for (const Op op : selection.ops)
            for (const unsigned int burst : selection.bursts)
                for (const Cache cache : {Cache::warm, Cache::flushed})
                    sample_all(variants, op, burst, cache, slice, cost, samples);

    for (auto &[key, values] : samples) {
        const auto &[variant, op, burst, cache] = key;
        std::printf("{\"variant\": \"%s\", \"op\": \"%s\", \"burst\": %u, \"cache\": \"%s\", "
                    "\"cycles\": %.2f}\n",
                    variant->name.c_str(), name_of(op), burst, name_of(cache), median(values));
    }
}

} // namespace bench
