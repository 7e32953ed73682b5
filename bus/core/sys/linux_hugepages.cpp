// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/sys/hugepages.hpp"

#include <bit>
#include <cerrno>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <numa.h>
#include <numaif.h>

extern "C" {
#include <hugetlbfs.h> // has no C++ guards of its own
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 // Linux 5.14, include/uapi/asm-generic/mman-common.h
#endif

namespace iommufd {
namespace {

int result(long ret) {
    return ret < 0 ? -errno : static_cast<int>(ret);
}

class LinuxHugepages final : public Hugepages {
public:
    std::vector<std::uint64_t> sizes() override {
        const int count = gethugepagesizes(nullptr, 0);
        if (count <= 0)
            return {};
        std::vector<long> found(static_cast<std::size_t>(count));
        const int filled = gethugepagesizes(found.data(), count);
        return {found.begin(), found.begin() + (filled < 0 ? 0 : filled)};
    }

    std::uint64_t free_pages(std::uint64_t page_size, int node) override {
        const std::string pool =
            "hugepages/hugepages-" + std::to_string(page_size >> 10) + "kB/free_hugepages";
        std::ifstream file(node < 0 ? "/sys/kernel/mm/" + pool
                                    : "/sys/devices/system/node/node" + std::to_string(node) + "/" +
                                          pool);
        std::uint64_t count = 0;
        return file >> count ? count : 0;
    }

    int open(std::uint64_t page_size) override {
        // A mount may be there that this user cannot write to: a memfd needs none.
        if (hugetlbfs_find_path_for_size(static_cast<long>(page_size)) != nullptr) {
            const int fd = hugetlbfs_unlinked_fd_for_size(static_cast<long>(page_size));
            if (fd >= 0) {
                (void)fcntl(fd, F_SETFD, FD_CLOEXEC); // NOLINT(*-vararg)
                return fd;
            }
        }
        const auto size = static_cast<unsigned int>(std::countr_zero(page_size)) << MFD_HUGE_SHIFT;
        return result(::memfd_create("iommufd-arena", MFD_CLOEXEC | MFD_HUGETLB | size));
    }

    int truncate(int fd, std::uint64_t length) override {
        return result(::ftruncate(fd, static_cast<off_t>(length)));
    }

    int map_over(void *addr, std::size_t length, int fd, std::uint64_t offset) override {
        const void *mapped = ::mmap(addr, length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                                    fd, static_cast<off_t>(offset));
        return mapped == MAP_FAILED ? -errno : 0; // NOLINT(*-cstyle-cast)
    }

    int bind(void *addr, std::size_t length, int node) override {
        if (numa_available() < 0)
            return -ENOSYS;
        bitmask *mask = numa_allocate_nodemask();
        if (mask == nullptr)
            return -ENOMEM;
        numa_bitmask_setbit(mask, static_cast<unsigned int>(node));
        const int ret = result(::mbind(addr, length, MPOL_BIND, mask->maskp, mask->size + 1, 0));
        numa_free_nodemask(mask);
        return ret;
    }

    int populate(void *addr, std::size_t length) override {
        return result(::madvise(addr, length, MADV_POPULATE_WRITE));
    }

    // libnuma reads the process's CPUs when it is loaded, which is before EAL pins any thread.
    void use_all_cpus() override {
        if (numa_available() >= 0)
            (void)numa_sched_setaffinity(0, numa_all_cpus_ptr);
    }

    unsigned int cpus() override {
        return numa_available() < 0 ? 1 : numa_bitmask_weight(numa_all_cpus_ptr);
    }
};

} // namespace

Hugepages &linux_hugepages() {
    static auto *hugepages = new LinuxHugepages; // stateless
    return *hugepages;
}

} // namespace iommufd
