// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Forwarding with the device on a core of its own, as fast as the two get on.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <thread>

#include "cpu.hpp"
#include "modes.hpp"
#include "turns.hpp"

namespace bench {

namespace {

using Clock = std::chrono::steady_clock;

// Of many short windows the best one counts: on a machine that has other work, the driver
// and the device seldom have their cores at the same time.
constexpr auto window_length = std::chrono::milliseconds(1);
constexpr unsigned int nb_windows = 10; // of a turn
constexpr unsigned int nb_rounds = 10;
constexpr unsigned int burst_size = 32;
constexpr unsigned int bursts_per_look = 16; // at the clock

// The device: receives into every buffer it is given, and sends what it finds.
void play(Device &device, const std::atomic<bool> &stop) {
    const Descriptor packet = received_packet(workloads().front()).front();

    while (!stop.load(std::memory_order_relaxed)) {
        device.receive(packet, device.rx_posted(), Cache::warm);
        device.transmit(Cache::warm);
    }
}

// One burst, forwarded whole.
unsigned int forward(Variant &variant) {
    rte_mbuf *packets[burst_size];
    const std::uint16_t count = variant.rx.burst(variant.rx.queue, packets, burst_size);

    for (std::uint16_t sent = 0; sent < count;)
        sent = static_cast<std::uint16_t>(
            sent + variant.tx.burst(variant.tx.queue, packets + sent,
                                    static_cast<std::uint16_t>(count - sent)));
    return count;
}

// Packets per microsecond in one window.
double run_window(Variant &variant) {
    const auto begin = Clock::now();
    std::uint64_t packets = 0;

    for (;;) {
        for (unsigned int i = 0; i < bursts_per_look; i++)
            packets += forward(variant);
        const auto elapsed = Clock::now() - begin;
        if (elapsed >= window_length)
            return static_cast<double>(packets) /
                   std::chrono::duration<double, std::micro>(elapsed).count();
    }
}

// One turn of one variant.
double measure(Variant &variant, int device_cpu) {
    std::atomic<bool> stop = false;
    std::thread device([&] {
        pin_to_cpu(device_cpu);
        play(*variant.device, stop);
    });
    double best = 0;

    for (unsigned int i = 0; i < nb_windows; i++)
        best = std::max(best, run_window(variant));
    stop = true;
    device.join();
    return best;
}

} // namespace

void measure_two_cores(const Variants &variants, const Machine &machine,
                       const Selection &selection) {
    const unsigned int rounds = selection.rounds != 0 ? selection.rounds : nb_rounds;
    std::vector<Variant *> measured;

    if (machine.device_cpu < 0)
        return;
    for (const auto &variant : variants.present)
        if (variant->uses_pool) // the floor does not look whether its ring is full
            measured.push_back(variant.get());

    std::vector<double> best(measured.size());
    for (unsigned int round = 0; round < rounds; round++) {
        for (std::size_t turn = 0; turn < measured.size(); turn++) {
            const std::size_t i = at_turn(turn, measured.size(), round);
            best[i] = std::max(best[i], measure(*measured[i], machine.device_cpu));
        }
    }
    for (std::size_t i = 0; i < measured.size(); i++)
        std::printf("{\"variant\": \"%s\", \"mpps\": %.2f}\n", measured[i]->name.c_str(), best[i]);
}

} // namespace bench
