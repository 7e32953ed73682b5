/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/**
 * @file
 * bench_lookup: how long rte_iommufd_virt2dma() takes. The header's inline function over a table
 * of 64 GiB in 2 MiB pages (no memory behind them), for addresses in random order; once alone and
 * once while another thread maps and unmaps pages beside them, one every microsecond or so, which
 * is a hundred times as often as the kernel can pin any.
 *
 * Prints one JSON object; nanoseconds for each lookup, medians over rounds in turns.
 */

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <rte_bus_iommufd.h>
#include <rte_pause.h>

#include "core/ioas/dma_table.hpp"
#include "median.hpp"
#include "stopwatch.hpp"
#include "turns.hpp"

static uint64_t root[iommufd::DmaTable::root_words];
extern "C" const uint64_t *const rte_iommufd_dma_root;
const uint64_t *const rte_iommufd_dma_root = root;

namespace bench {

namespace {

using iommufd::Dma;
using iommufd::DmaTable;
using iommufd::page_2m;
using iommufd::Va;

constexpr Va kStart{0x100000000000};
constexpr uint64_t kMapped = 64ULL << 30;
constexpr uint64_t kHole = 8; // every 8th page is not mapped
constexpr size_t kAddresses = 4096;
constexpr int kPasses = 50; // over them, for one value
constexpr unsigned int kRounds = 41;

using Addresses = std::vector<const void *>;

volatile uint64_t used; // the sum of all that was looked up, so that nothing is left out

template <typename Lookup>
double per_lookup(const Addresses &addresses, Lookup &&lookup) {
    uint64_t sum = 0;
    const double ns = time_ns([&] {
        for (int pass = 0; pass < kPasses; pass++)
            for (const void *address : addresses)
                sum += lookup(address);
    });

    used = sum;
    return ns / kPasses / kAddresses;
}

/** Maps and unmaps pages in the holes between the others, in the same directories. */
class Mapper {
public:
    explicit Mapper(DmaTable &table) : thread_([this, &table] { run(table); }) {
        while (!running_)
            rte_pause();
    }
    ~Mapper() {
        end_ = true;
        thread_.join();
    }
    Mapper(const Mapper &) = delete;
    Mapper &operator=(const Mapper &) = delete;

private:
    void run(DmaTable &table) {
        std::mt19937_64 random(2);

        for (running_ = true; !end_;) {
            const uint64_t page = random() % (kMapped / page_2m / kHole) * kHole + kHole - 1;
            const Va va = kStart + page * page_2m;
            if (table.insert(va, Dma{raw(va) & 0xffffffe00000}, page_2m)) {
                pause();
                table.erase(va, page_2m);
            }
            pause();
        }
    }
    static void pause() {
        for (int i = 0; i < 25; i++)
            rte_pause();
    }

    std::atomic<bool> running_ = false;
    std::atomic<bool> end_ = false;
    std::thread thread_;
};

bool is_hole(uint64_t page) {
    return page % kHole == kHole - 1;
}

bool fill(DmaTable &table, std::mt19937_64 &random) {
    for (uint64_t page = 0; page < kMapped / page_2m; page++) {
        const Dma dma{(random() & 0xffffff) * page_2m};
        if (!is_hole(page) && !table.insert(kStart + page * page_2m, dma, page_2m))
            return false;
    }
    return true;
}

Addresses pick_addresses(std::mt19937_64 &random) {
    Addresses addresses;

    while (addresses.size() < kAddresses) {
        const uint64_t offset = random() % kMapped;
        if (!is_hole(offset / page_2m))
            addresses.push_back(reinterpret_cast<const void *>(raw(kStart + offset)));
    }
    return addresses;
}

/** Nanoseconds of a lookup, while another thread maps, and of the loop around it. */
struct Times {
    std::array<std::vector<double>, 3> of;
};

Times measure(DmaTable &table, const Addresses &addresses) {
    const auto lookup = [](const void *va) { return rte_iommufd_virt2dma(va); };
    const auto nothing = [](const void *va) { return reinterpret_cast<uintptr_t>(va); };
    Times times;

    for (unsigned int round = 0; round < kRounds; round++) {
        for (size_t turn = 0; turn < times.of.size(); turn++) {
            const size_t which = at_turn(turn, times.of.size(), round);
            if (which == 1) {
                const Mapper mapper(table);
                times.of[1].push_back(per_lookup(addresses, lookup));
            } else {
                times.of[which].push_back(which == 0 ? per_lookup(addresses, lookup)
                                                     : per_lookup(addresses, nothing));
            }
        }
    }
    return times;
}

} // namespace

} // namespace bench

int main() {
    const auto table = std::make_unique<iommufd::DmaTable>(root);
    std::mt19937_64 random(1);

    if (!bench::fill(*table, random)) {
        std::fprintf(stderr, "bench_lookup: no memory for the table\n");
        return 1;
    }
    const bench::Times times = bench::measure(*table, bench::pick_addresses(random));
    std::printf("{\"ours_ns\": %.3f, \"with_mapper_ns\": %.3f, \"loop_ns\": %.3f, "
                "\"mapped_gib\": %d}\n",
                bench::median(times.of[0]), bench::median(times.of[1]), bench::median(times.of[2]),
                static_cast<int>(bench::kMapped >> 30));
    return 0;
}
