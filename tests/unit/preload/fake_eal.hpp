// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// As much of EAL as the preload library calls: -a and -b, one list of hugepages, the IOVA mode.

#include <string>
#include <vector>

#include <rte_devargs.h>
#include <rte_memory.h>

#include "preload/eal_api.hpp"

namespace iommufd::test {

struct FakeEal {
    FakeEal();
    ~FakeEal();

    void add_devargs(const char *bus, const char *name, rte_dev_policy policy);
    // EAL has taken a page of its list, at pa.
    void take(std::size_t page, rte_iova_t pa);
    void give_up(std::size_t page);
    [[nodiscard]] void *at(std::size_t page) const;

    static constexpr std::size_t pages = 8;
    preload::EalApi api;
    bool has_pci = true;
    bool has_memory = true; // rte_eal_memory_init() has been
    std::vector<std::pair<std::string, rte_devargs>> devargs;
    rte_memseg_list list{};
    rte_memseg segments[pages]{};
};

} // namespace iommufd::test
