// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Cycles per packet.

#include <cstdint>
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

constexpr unsigned int timed_rounds = 8;
constexpr unsigned int nb_slices = 25;

// A meter of rounds (rounds.hpp) in TSC cycles.
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
    static std::uint16_t call(Burst burst, void *queue, rte_mbuf **packets, std::uint16_t count) {
        return burst(queue, packets, count);
    }
    [[nodiscard]] std::uint64_t cycles() const { return end_ - begin_; }

private:
    std::uint64_t begin_ = 0;
    std::uint64_t end_ = 0;
};

// What start() and stop() measure of themselves.
std::uint64_t timer_cost() {
    std::uint64_t least = std::numeric_limits<std::uint64_t>::max();
    Timer timer;

    for (int i = 0; i < 1000; i++) {
        timer.start();
        timer.stop();
        least = std::min(least, timer.cycles());
    }
    return least;
}

using Samples = std::map<std::tuple<const Variant *, Op, unsigned int, Cache>, std::vector<double>>;

// One slice of one variant; the next one's turn comes soon after.
void sample(Variant &variant, const Workload &workload, Op op, unsigned int burst, Cache cache,
            std::uint64_t cost, Samples &samples) {
    Round round(variant, workload, op, burst, cache);
    Timer timer;

    for (unsigned int i = 0; i < warm_up_rounds; i++)
        round.run(timer);
    auto &values = samples[{&variant, op, burst, cache}];
    for (unsigned int i = 0; i < timed_rounds; i++) {
        round.run(timer);
        values.push_back(static_cast<double>(timer.cycles() - cost) / workload.packets);
    }
}

void sample_all(const Variants &variants, const Workload &workload, Op op, unsigned int burst,
                Cache cache, unsigned int slice, std::uint64_t cost, Samples &samples) {
    const std::size_t count = variants.present.size();

    for (std::size_t i = 0; i < count; i++) {
        Variant &variant = *variants.present[at_turn(i, count, slice)];
        if (supports_burst(variant, burst))
            sample(variant, workload, op, burst, cache, cost, samples);
    }
}

} // namespace

void measure_cycles(const Variants &variants, const Selection &selection) {
    const unsigned int slices = selection.rounds != 0 ? selection.rounds : nb_slices;
    const std::uint64_t cost = timer_cost();
    Samples samples;

    for (unsigned int slice = 0; slice < slices; slice++)
        for (const Op op : selection.ops)
            for (const unsigned int burst : selection.bursts)
                for (const Cache cache : {Cache::warm, Cache::flushed})
                    sample_all(variants, *selection.workload, op, burst, cache, slice, cost,
                               samples);

    for (auto &[key, values] : samples) {
        const auto &[variant, op, burst, cache] = key;
        std::printf("{\"variant\": \"%s\", \"op\": \"%s\", \"burst\": %u, \"cache\": \"%s\", "
                    "\"cycles\": %.2f}\n",
                    variant->name.c_str(), name_of(op), burst, name_of(cache), median(values));
    }
}

} // namespace bench
