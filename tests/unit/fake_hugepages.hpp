// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Hugepages of the model: no memory, only what stands where.

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

#include "core/sys/hugepages.hpp"
#include "fake_kernel.hpp"

namespace iommufd::test {

class FakeHugepages final : public Hugepages {
public:
    explicit FakeHugepages(FakeKernel &kernel) : kernel_(kernel) {}

    // --- the machine -----------------------------------------------------------------------
    std::map<std::uint64_t, std::uint64_t> pools{{page_2m, 1024}, {page_1g, 4}}; // free pages
    int populate_error_after = -1; // pages that can still be faulted in; negative: any number

    // --- what happened ---------------------------------------------------------------------
    std::map<std::uint64_t, std::uint64_t> shown; // address -> offset in the file, by map_over()
    int bound_node = -1;
    std::set<std::uint64_t> populated; // addresses

    std::vector<std::uint64_t> sizes() override {
        std::vector<std::uint64_t> all;
        for (const auto &[page, count] : pools)
            all.push_back(page);
        return all;
    }
    // What an arena has faulted in is free again when its file is closed.
    std::uint64_t free_pages(std::uint64_t page, int /*node*/) override {
        const std::lock_guard lock(mutex_);
        if (kernel_.hugepage_files() == 0)
            populated.clear();
        return pools[page] - std::min(pools[page], populated.size() * page_2m / page);
    }
    int open(std::uint64_t page) override {
        const int ret = kernel_.enter("open");
        return ret < 0 ? ret : kernel_.add_hugepage_file(page);
    }
    int truncate(int fd, std::uint64_t length) override {
        const int ret = kernel_.enter("ftruncate");
        return ret < 0 ? ret : kernel_.truncate_hugepage_file(fd, length);
    }
    int map_over(void *addr, std::size_t length, int /*fd*/, std::uint64_t offset) override {
        if (const int ret = kernel_.enter("mmap over"); ret < 0)
            return ret;
        for (std::uint64_t at = 0; at < length; at += page_2m)
            shown[raw(va_of(addr)) + at] = offset + at;
        return 0;
    }
    int bind(void * /*addr*/, std::size_t /*length*/, int node) override {
        bound_node = node;
        return kernel_.enter("mbind");
    }
    int populate(void *addr, std::size_t length) override {
        const std::lock_guard lock(mutex_);
        if (const int ret = kernel_.enter("madvise"); ret < 0)
            return ret;
        if (populate_error_after == 0)
            return -EFAULT;
        populate_error_after = std::max(populate_error_after - 1, -1);
        for (std::uint64_t at = 0; at < length; at += page_2m)
            populated.insert(raw(va_of(addr)) + at);
        return 0;
    }
    void use_all_cpus() override {}
    unsigned int cpus() override { return 3; }

private:
    FakeKernel &kernel_;
    std::mutex mutex_;
};

} // namespace iommufd::test
