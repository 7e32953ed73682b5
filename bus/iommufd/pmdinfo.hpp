/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/**
 * @file
 * Hardware IDs of a driver in the form that dpdk-pmdinfo.py reads: a string in .rodata,
 *
 *     PMD_INFO_STRING= {"name": "...", "kmod": "...", "pci_ids": [[8086h, ...], ...]}
 *
 * with numbers in decimal. DPDK's build makes it with pmdinfogen from the object file;
 * here the compiler makes it from the driver's own ID table, so there is one list of IDs.
 * Keys as in the 22.11.11 packages, usertools/dpdk-pmdinfo.py.
 */

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <rte_pci.h>

namespace iommufd {

/** Kernel module the device must be bound to. */
inline constexpr std::string_view pmd_info_module = "vfio-pci";

template <size_t Capacity>
struct PmdInfo {
    std::array<char, Capacity> text{};
    size_t length = 0;

    constexpr void add(std::string_view piece) {
        for (const char c : piece)
            text.at(length++) = c;
    }

    constexpr void add(uint32_t number) {
        char digits[10] = {};
        size_t count = 0;

        do
            digits[count++] = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        while (count > 0)
            text.at(length++) = digits[--count];
    }
};

/** @param ids  Ends with an entry whose vendor_id is 0. */
template <size_t NameSize, size_t Count>
consteval auto pmd_info(const char (&name)[NameSize], const rte_pci_id (&ids)[Count]) {
    PmdInfo<96 + NameSize + 32 * Count> info; // an entry: four numbers of up to five digits

    info.add("PMD_INFO_STRING= {\"name\": \"");
    info.add(name);
    info.add("\", \"kmod\": \"");
    info.add(pmd_info_module);
    info.add("\", \"pci_ids\": [");
    for (size_t i = 0; i < Count && ids[i].vendor_id != 0; i++) {
        info.add(i == 0 ? "[" : ", [");
        info.add(ids[i].vendor_id);
        info.add(", ");
        info.add(ids[i].device_id);
        info.add(", ");
        info.add(ids[i].subsystem_vendor_id);
        info.add(", ");
        info.add(ids[i].subsystem_device_id);
        info.add("]");
    }
    info.add("]}");
    return info.text;
}

} // namespace iommufd

/** Let dpdk-pmdinfo.py see the IDs in @p table, a constexpr array, under the name @p nm. */
#define RTE_IOMMUFD_PMD_INFO(nm, table)                                                            \
    __attribute__((used)) static constexpr auto nm##_pmd_info = iommufd::pmd_info(#nm, table)
