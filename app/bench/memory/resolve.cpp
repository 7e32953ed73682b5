// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What pinning and resolving hugepages costs, on the real kernel with a real device:
//
//     bench_resolve CDEV PAGES
//
//     ours       AddressSpace's resolving of PAGES hugepages of 2 MiB in one area, with its table
//     bare loop  IOMMU_IOAS_NOIOMMU_GET_PA for each, and nothing else
//     pagemap    as EAL does it: open, lseek, read and close of /proc/self/pagemap for each
//
// and MAP with resolving of all of them, page by page and as an arena. Prints one JSON object.

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/ioas/arena.hpp"
#include "core/vfio/attached_device.hpp"
#include "median.hpp"

namespace {

using namespace iommufd;

constexpr int rounds = 5;

[[noreturn]] void fail(const std::string &why) {
    std::fprintf(stderr, "bench_resolve: %s\n", why.c_str());
    std::exit(1);
}

void check(const Result<void> &result) {
    if (!result)
        fail(result.error().message());
}

std::uint64_t frame_by_pagemap(Va va) {
    std::uint64_t entry = 0;
    const int fd = open("/proc/self/pagemap", O_RDONLY); // NOLINT(*-vararg)
    const auto offset = static_cast<off_t>(raw(va) / page_4k * sizeof(entry));
    if (fd < 0 || lseek(fd, offset, SEEK_SET) < 0 || read(fd, &entry, sizeof(entry)) != 8)
        fail("/proc/self/pagemap");
    (void)close(fd);
    return (entry & ((1ULL << 55) - 1)) * page_4k;
}

struct Times {
    std::vector<double> ours, bare, pagemap, map;
};

void measure(AddressSpace &space, Va memory, std::uint64_t pages, Times *times) {
    const double n = static_cast<double>(pages);
    times->map.push_back(bench::time_ns([&] {
                             for (std::uint64_t i = 0; i < pages; ++i)
                                 check(space.map(memory + i * page_2m, page_2m, page_2m));
                         }) /
                         1e6);
    std::vector<std::uint64_t> frames(pages);
    times->bare.push_back(bench::time_ns([&] {
                              for (std::uint64_t i = 0; i < pages; ++i) {
                                  std::uint64_t length = 1;
                                  if (ioas_noiommu_get_pa(linux_kernel(), space.iommufd(),
                                                          space.ioas(), raw(memory + i * page_2m),
                                                          &length, &frames[i]) < 0)
                                      fail("IOMMU_IOAS_NOIOMMU_GET_PA");
                              }
                          }) /
                          n / 1e3);
    std::uint64_t differ = 0;
    times->pagemap.push_back(bench::time_ns([&] {
                                 for (std::uint64_t i = 0; i < pages; ++i)
                                     differ += frame_by_pagemap(memory + i * page_2m) != frames[i];
                             }) /
                             n / 1e3);
    if (differ != 0)
        fail("pagemap and GET_PA do not agree");
    for (std::uint64_t i = 0; i < pages; ++i)
        check(space.unmap(memory + i * page_2m, page_2m));
    const AddressSpaceStats before = space.stats();
    check(space.map(memory, pages * page_2m, page_2m));
    const AddressSpaceStats after = space.stats();
    times->ours.push_back(static_cast<double>(after.get_pa_ns - before.get_pa_ns) / n / 1e3);
    check(space.unmap(memory, pages * page_2m));
}

double measure_arena(AddressSpace &space, std::uint64_t pages) {
    auto arena =
        Arena::create(linux_kernel(), linux_hugepages(), space,
                      {.length = pages * page_2m, .page_size = page_2m, .node = -1, .threads = 0});
    if (!arena)
        fail(arena.error().message());
    std::vector<double> times;
    for (int round = 0; round < rounds; ++round) {
        check((*arena)->unpin());
        times.push_back(bench::time_ns([&] { check((*arena)->pin()); }) / 1e6);
    }
    return bench::median(times);
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 3)
        fail("usage: bench_resolve CDEV PAGES");
    const std::uint64_t pages = std::strtoull(argv[2], nullptr, 10);
    const auto table = std::make_unique<DmaTable>();
    AddressSpace space(linux_kernel(), *table);
    check(space.open());
    auto bound = BoundDevice::open(linux_kernel(), argv[1], space.iommufd());
    if (!bound)
        fail(bound.error().message());
    auto attached = attach(std::move(*bound), space.ioas());
    if (!attached)
        fail(attached.error().message());

    void *memory = mmap(nullptr, pages * page_2m, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) // NOLINT(*-cstyle-cast)
        fail("mmap of hugepages");
    Times times;
    for (int round = 0; round < rounds; ++round)
        measure(space, va_of(memory), pages, &times);
    (void)munmap(memory, pages * page_2m);
    const double arena = measure_arena(space, pages);
    std::printf(
        "{\"pages\": %llu, \"ours_us\": %.2f, \"bare_loop_us\": %.2f, \"pagemap_us\": %.2f, "
        "\"per_page_ms\": %.2f, \"arena_ms\": %.2f}\n",
        static_cast<unsigned long long>(pages), bench::median(times.ours),
        bench::median(times.bare), bench::median(times.pagemap), bench::median(times.map), arena);
    check(attached->device().quiesce());
    check(space.unmap_all());
    return 0;
}
