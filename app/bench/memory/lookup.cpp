// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// How long rte_iommufd_virt2dma() takes, beside rte_mem_virt2iova(): the header's inline function
// over a table of 64 GiB in 2 MiB pages (no memory behind them), for addresses in random order;
// once alone and once while another thread maps and unmaps pages beside them, one every
// microsecond or so, which is a hundred times as often as the kernel can pin any.
//
// Prints one JSON object; nanoseconds for each lookup, medians over rounds in turns.

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <iterator>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include <rte_bus_iommufd.h>
#include <rte_eal.h>
#include <rte_memory.h>
#include <rte_pause.h>

#include "core/ioas/dma_table.hpp"
#include "median.hpp"

static std::uint64_t root[iommufd::DmaTable::root_words];
extern "C" const std::uint64_t *const rte_iommufd_dma_root;
const std::uint64_t *const rte_iommufd_dma_root = root;

namespace {

using iommufd::Dma;
using iommufd::DmaTable;
using iommufd::page_2m;
using iommufd::Va;

constexpr Va start{0x100000000000};
constexpr std::uint64_t mapped = 64ULL << 30;
constexpr std::size_t count = 4096; // addresses
constexpr int passes = 50;          // over them, for one value
constexpr int rounds = 41;

volatile std::uint64_t sink;

template <class F>
double per_lookup(const std::vector<const void *> &addresses, F &&lookup) {
    std::uint64_t sum = 0;
    const double ns = bench::time_ns([&] {
        for (int pass = 0; pass < passes; ++pass)
            for (const void *address : addresses)
                sum += lookup(address);
    });
    sink = sum;
    return ns / passes / count;
}

double ours(const std::vector<const void *> &addresses) {
    return per_lookup(addresses, [](const void *va) { return rte_iommufd_virt2dma(va); });
}

// Maps and unmaps every second page beyond the mapped ones, in the same directories' last GiB.
class Mapper {
public:
    explicit Mapper(DmaTable &table) : thread_([this, &table] { run(table); }) {}
    ~Mapper() {
        end_ = true;
        thread_.join();
    }
    Mapper(const Mapper &) = delete;
    Mapper &operator=(const Mapper &) = delete;

private:
    void run(DmaTable &table) {
        std::mt19937_64 random(2);
        while (!end_) {
            // A hole that main() has left among the pages that are looked up.
            const Va va = start + (random() % (mapped / page_2m / 8) * 8 + 7) * page_2m;
            if (table.insert(va, Dma{raw(va) & 0xffffffe00000}, page_2m)) {
                pause();
                table.erase(va, page_2m);
            }
            pause();
        }
    }
    static void pause() {
        for (int i = 0; i < 25; ++i)
            rte_pause();
    }
    std::atomic<bool> end_{false};
    std::thread thread_;
};

bool start_eal(char *name) {
    static char arguments[][20] = {"--no-pci",       "--no-huge",    "-m8",
                                   "--no-shconf",    "-l0",          "--no-telemetry",
                                   "--iova-mode=va", "--log-level=3"};
    std::vector<char *> argv{name};
    for (auto &argument : arguments)
        argv.push_back(argument);
    return rte_eal_init(static_cast<int>(argv.size()), argv.data()) >= 0;
}

} // namespace

int main(int /*argc*/, char **argv) {
    if (!start_eal(argv[0]))
        return 1;
    const auto table = std::make_unique<DmaTable>(root);
    std::mt19937_64 random(1);
    for (std::uint64_t i = 0; i < mapped / page_2m; ++i)
        if (i % 8 != 7 &&
            !table->insert(start + i * page_2m, Dma{(random() & 0xffffff) * page_2m}, page_2m))
            return 1;
    std::vector<const void *> addresses;
    while (addresses.size() < count) {
        const std::uint64_t offset = random() % mapped;
        if (offset / page_2m % 8 != 7)
            addresses.push_back(reinterpret_cast<const void *>(raw(start + offset)));
    }
    std::array<std::vector<double>, 4> times;
    for (int round = 0; round < rounds; ++round) {
        times[0].push_back(ours(addresses));
        times[1].push_back(
            per_lookup(addresses, [](const void *va) { return rte_mem_virt2iova(va); }));
        times[2].push_back(per_lookup(
            addresses, [](const void *va) { return reinterpret_cast<std::uintptr_t>(va); }));
    }
    {
        const Mapper mapper(*table);
        for (int round = 0; round < rounds; ++round)
            times[3].push_back(ours(addresses));
    }
    std::printf("{\"ours_ns\": %.3f, \"virt2iova_ns\": %.3f, \"loop_ns\": %.3f, "
                "\"with_mapper_ns\": %.3f, \"mapped_gib\": %d}\n",
                bench::median(times[0]), bench::median(times[1]), bench::median(times[2]),
                bench::median(times[3]), static_cast<int>(mapped >> 30));
    return rte_eal_cleanup() == 0 ? 0 : 1;
}
