// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The second part of the seam: hugepages and the node they are on. Apart from Kernel, as only
// the bus needs it: linux_hugepages() brings libhugetlbfs and libnuma along.
//
// Convention as Kernel's: a negative errno for failure.

#include <cstddef>
#include <cstdint>
#include <vector>

#include <sys/types.h>

namespace iommufd {

class Hugepages {
public:
    Hugepages() = default;
    Hugepages(const Hugepages &) = delete;
    Hugepages &operator=(const Hugepages &) = delete;
    virtual ~Hugepages() = default;

    // Sizes the running kernel has, in bytes, in no order.
    virtual std::vector<std::uint64_t> sizes() = 0;
    // Hugepages of a size that nobody has, on a node; -1 for all nodes. 0 if it cannot be told.
    virtual std::uint64_t free_pages(std::uint64_t page_size, int node) = 0;
    // A file without a name, of hugepages: on the mount that libhugetlbfs finds for the size,
    // else a memfd. The descriptor.
    virtual int open(std::uint64_t page_size) = 0;
    virtual int truncate(int fd, std::uint64_t length) = 0;
    // mmap(2) of a file from offset on over what is mapped at addr.
    virtual int map_over(void *addr, std::size_t length, int fd, std::uint64_t offset) = 0;
    // New pages of [addr, addr + length) come from this node and no other, MPOL_BIND.
    virtual int bind(void *addr, std::size_t length, int node) = 0;
    // Fault all pages in, writeable.
    virtual int populate(void *addr, std::size_t length) = 0;
    // Let the calling thread run on every CPU that the process was started with; EAL pins the
    // thread that others are started from.
    virtual void use_all_cpus() = 0;
    // Of those CPUs.
    virtual unsigned int cpus() = 0;
};

// The running kernel's. Never destroyed; usable from any thread.
Hugepages &linux_hugepages();

} // namespace iommufd
