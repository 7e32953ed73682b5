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
#include "stopwatch.hpp"
#include "turns.hpp"

namespace bench {

namespace {

using namespace iommufd;

constexpr unsigned int nb_rounds = 6; // even: what takes turns is first as often as last

[[noreturn]] void fail(const std::string &why) {
    std::fprintf(stderr, "bench_resolve: %s\n", why.c_str());
    std::exit(1);
}

void check(const Result<void> &result) {
    if (!result)
        fail(result.error().message());
}

// What is measured, and the samples.
class Resolving {
public:
    Resolving(AddressSpace &space, Va memory, std::uint64_t pages)
        : space_(space), memory_(memory), pages_(pages), frames_(pages) {}

    void run(unsigned int round) {
        for (std::size_t turn = 0; turn < 2; turn++) {
            if (at_turn(turn, 2, round) == 0)
                page_by_page(round);
            else
                one_area();
        }
    }

    [[nodiscard]] double ours_us() const { return median(ours_); }
    [[nodiscard]] double bare_us() const { return median(bare_); }
    [[nodiscard]] double pagemap_us() const { return median(pagemap_); }
    [[nodiscard]] double per_page_ms() const { return median(map_); }

private:
    [[nodiscard]] Va page(std::uint64_t i) const { return memory_ + i * page_2m; }
    [[nodiscard]] double us_per_page(double ns) const {
        return ns / static_cast<double>(pages_) / 1e3;
    }

    // MAP and resolving of each, and then the two ways to ask that are no part of ours.
    void page_by_page(unsigned int round) {
        map_.push_back(time_ns([this] {
                           for (std::uint64_t i = 0; i < pages_; i++)
                               check(space_.map(page(i), page_2m, page_2m));
                       }) /
                       1e6);
        resolve_bare(frames_); // the first time it is asked for an area is not the one that counts
        for (std::size_t turn = 0; turn < 2; turn++) {
            if (at_turn(turn, 2, round) == 0)
                bare_.push_back(us_per_page(time_ns([this] { resolve_bare(frames_); })));
            else
                pagemap_.push_back(us_per_page(time_ns([this] { compare_with_pagemap(); })));
        }
        for (std::uint64_t i = 0; i < pages_; i++)
            check(space_.unmap(page(i), page_2m));
    }

    void one_area() {
        const AddressSpaceStats before = space_.stats();
        check(space_.map(memory_, pages_ * page_2m, page_2m));
        const AddressSpaceStats after = space_.stats();
        ours_.push_back(us_per_page(static_cast<double>(after.get_pa_ns - before.get_pa_ns)));
        check(space_.unmap(memory_, pages_ * page_2m));
    }

    void resolve_bare(std::vector<std::uint64_t> &frames) {
        for (std::uint64_t i = 0; i < pages_; i++) {
            std::uint64_t length = 1;
            if (ioas_noiommu_get_pa(linux_kernel(), space_.iommufd(), space_.ioas(), raw(page(i)),
                                    &length, &frames[i]) < 0)
                fail("IOMMU_IOAS_NOIOMMU_GET_PA");
        }
    }

    void compare_with_pagemap() {
        for (std::uint64_t i = 0; i < pages_; i++)
            if (frame_by_pagemap(page(i)) != frames_[i])
                fail("pagemap and GET_PA do not agree");
    }

    static std::uint64_t frame_by_pagemap(Va va) {
        std::uint64_t entry = 0;
        const int fd = open("/proc/self/pagemap", O_RDONLY); // NOLINT(*-vararg)
        const auto offset = static_cast<off_t>(raw(va) / page_4k * sizeof(entry));

        if (fd < 0 || lseek(fd, offset, SEEK_SET) < 0 || read(fd, &entry, sizeof(entry)) != 8)
            fail("/proc/self/pagemap");
        (void)close(fd);
        return (entry & ((1ULL << 55) - 1)) * page_4k;
    }

    AddressSpace &space_;
    Va memory_;
    std::uint64_t pages_;
    std::vector<std::uint64_t> frames_;
    std::vector<double> ours_, bare_, pagemap_, map_;
};

double measure_arena(AddressSpace &space, std::uint64_t pages) {
    auto arena =
        Arena::create(linux_kernel(), linux_hugepages(), space,
                      {.length = pages * page_2m, .page_size = page_2m, .node = -1, .threads = 0});
    std::vector<double> times;

    if (!arena)
        fail(arena.error().message());
    for (unsigned int round = 0; round < nb_rounds; round++) {
        check((*arena)->unpin());
        times.push_back(time_ns([&] { check((*arena)->pin()); }) / 1e6);
    }
    return median(times);
}

void measure(AddressSpace &space, std::uint64_t pages) {
    void *memory = mmap(nullptr, pages * page_2m, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);

    if (memory == MAP_FAILED) // NOLINT(*-cstyle-cast)
        fail("mmap of hugepages");
    Resolving resolving(space, va_of(memory), pages);
    for (unsigned int round = 0; round < nb_rounds; round++)
        resolving.run(round);
    (void)munmap(memory, pages * page_2m);
    const double arena = measure_arena(space, pages);
    std::printf(
        "{\"pages\": %llu, \"ours_us\": %.2f, \"bare_loop_us\": %.2f, \"pagemap_us\": %.2f, "
        "\"per_page_ms\": %.2f, \"arena_ms\": %.2f}\n",
        static_cast<unsigned long long>(pages), resolving.ours_us(), resolving.bare_us(),
        resolving.pagemap_us(), resolving.per_page_ms(), arena);
}

} // namespace

} // namespace bench

int main(int argc, char **argv) {
    using namespace bench;

    if (argc != 3)
        fail("usage: bench_resolve CDEV PAGES");
    const auto table = std::make_unique<DmaTable>();
    AddressSpace space(linux_kernel(), *table);
    check(space.open());
    auto bound = BoundDevice::open(linux_kernel(), argv[1], space.iommufd());
    if (!bound)
        fail(bound.error().message());
    auto attached = attach(std::move(*bound), space.ioas());
    if (!attached)
        fail(attached.error().message());
    measure(space, std::strtoull(argv[2], nullptr, 10));
    check(attached->device().quiesce());
    check(space.unmap_all());
    return 0;
}
