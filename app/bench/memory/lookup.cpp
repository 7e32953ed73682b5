// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// bench_lookup: how long rte_iommufd_virt2dma() takes. The header's inline function over a table
// of 64 GiB in 2 MiB pages (no memory behind them), for addresses in random order; once alone and
// once while another thread maps and unmaps pages beside them, one every microsecond or so, which
// is a hundred times as often as the kernel can pin any.
//
// Prints one JSON object; nanoseconds for each lookup, medians over rounds in turns.

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

static std::uint64_t root[iommufd::DmaTable::root_words];
extern "C" const std::uint64_t *const rte_iommufd_dma_root;
const std::uint64_t *const rte_iommufd_dma_root = root;

namespace bench {

namespace {

using iommufd::Dma;
using iommufd::DmaTable;
using iommufd::page_2m;
using iommufd::Va;

constexpr Va first_va{0x100000000000};
constexpr std::uint64_t mapped_bytes = 64ULL << 30;
constexpr std::uint64_t hole_every = 8; // every 8th page is not mapped
constexpr std::size_t nb_addresses = 4096;
constexpr int nb_passes = 50; // over them, for one value
constexpr unsigned int nb_rounds = 41;

using Addresses = std::vector<const void *>;

volatile std::uint64_t used; // the sum of all that was looked up, so that nothing is left out

template <typename Lookup>
double per_lookup(const Addresses &addresses, Lookup &&lookup) {
    std::uint64_t sum = 0;
    const double ns = time_ns([&] {
        for (int pass = 0; pass < nb_passes; pass++)
            for (const void *address : addresses)
                sum += lookup(address);
    });

    used = sum;
    return ns / nb_passes / nb_addresses;
}

// Maps and unmaps pages in the holes between the others, in the same directories.
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
            const std::uint64_t page =
                random() % (mapped_bytes / page_2m / hole_every) * hole_every + hole_every - 1;
            const Va va = first_va + page * page_2m;
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

bool is_hole(std::uint64_t page) {
    return page % hole_every == hole_every - 1;
}

bool fill(DmaTable &table, std::mt19937_64 &random) {
    for (std::uint64_t page = 0; page < mapped_bytes / page_2m; page++) {
        const Dma dma{(random() & 0xffffff) * page_2m};
        if (!is_hole(page) && !table.insert(first_va + page * page_2m, dma, page_2m))
            return false;
    }
    return true;
}

Addresses pick_addresses(std::mt19937_64 &random) {
    Addresses addresses;

    while (addresses.size() < nb_addresses) {
        const std::uint64_t offset = random() % mapped_bytes;
        if (!is_hole(offset / page_2m))
            addresses.push_back(reinterpret_cast<const void *>(raw(first_va + offset)));
    }
    return addresses;
}

// Nanoseconds of a lookup, while another thread maps, and of the loop around it.
struct Times {
    std::array<std::vector<double>, 3> of;
};

Times measure(DmaTable &table, const Addresses &addresses) {
    const auto lookup = [](const void *va) { return rte_iommufd_virt2dma(va); };
    const auto nothing = [](const void *va) { return reinterpret_cast<std::uintptr_t>(va); };
    Times times;

    for (unsigned int round = 0; round < nb_rounds; round++) {
        for (std::size_t turn = 0; turn < times.of.size(); turn++) {
            const std::size_t which = at_turn(turn, times.of.size(), round);
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
                static_cast<int>(bench::mapped_bytes >> 30));
    return 0;
}
