// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "fake_eal.hpp"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "support.hpp"

namespace iommufd::test {
namespace {

FakeEal *the_eal;

rte_devargs *next_devargs(const char *bus, const rte_devargs *start) {
    bool after = start == nullptr;
    for (auto &[name, devargs] : the_eal->devargs) {
        if (after && name == bus)
            return &devargs;
        after = after || &devargs == start;
    }
    return nullptr;
}

bool is_listed(const void *address) {
    return va_of(address) >= base && va_of(address) < base + FakeEal::pages * page_2m;
}

} // namespace

FakeEal::FakeEal() {
    the_eal = this;
    list.base_va = reinterpret_cast<void *>(raw(base));
    list.page_sz = page_2m;
    list.len = pages * page_2m;
    api.rte_devargs_next = next_devargs;
    api.rte_eal_has_pci = [] { return the_eal->has_pci ? 1 : 0; };
    api.rte_mem_virt2memseg_list = [](const void *address) -> rte_memseg_list * {
        return is_listed(address) ? &the_eal->list : nullptr;
    };
    api.rte_mem_virt2memseg = [](const void *address, const rte_memseg_list *) {
        return &the_eal->segments[(va_of(address) - base) / page_2m];
    };
    api.rte_memseg_list_walk_thread_unsafe = [](rte_memseg_list_walk_t walk, void *arg) {
        return the_eal->has_memory ? walk(&the_eal->list, arg) : 0;
    };
    api.rte_memseg_walk_thread_unsafe = [](rte_memseg_walk_t walk, void *arg) {
        for (const rte_memseg &ms : the_eal->segments)
            if (ms.len != 0)
                if (const int ret = walk(&the_eal->list, &ms, arg); ret != 0)
                    return ret;
        return 0;
    };
}

FakeEal::~FakeEal() {
    the_eal = nullptr;
}

void FakeEal::add_devargs(const char *bus, const char *name, rte_dev_policy policy) {
    rte_devargs entry{};
    entry.policy = policy;
    std::strncpy(entry.name, name, sizeof(entry.name) - 1);
    devargs.emplace_back(bus, entry);
}

void *FakeEal::at(std::size_t page) const {
    return reinterpret_cast<void *>(raw(base + page * page_2m));
}

void FakeEal::take(std::size_t page, rte_iova_t pa) {
    segments[page].addr = at(page);
    segments[page].len = page_2m;
    segments[page].hugepage_sz = page_2m;
    segments[page].iova = pa;
}

void FakeEal::give_up(std::size_t page) {
    segments[page] = {};
}

} // namespace iommufd::test
