// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// rte_eal_init() asks rte_eal_using_phys_addrs() after the bus scan and before any bus has
// voted for an IOVA mode (DPDK 22.11.11, lib/eal/linux/eal.c). The first call translates a
// local variable with rte_mem_virt2phy(), which opens /proc/self/pagemap; later ones repeat
// the answer (lib/eal/linux/eal_memory.c, phys_addrs_available). In IOVA mode VA nothing
// depends on it, but there is no option and no variable in reach that keeps EAL from asking.
//
// librte_eal calls its own exported functions through its PLT. So the first call is made from
// here, while the slot of rte_mem_virt2phy in librte_eal's PLT points to a function that says
// "no physical address"; the slot is then put back. Nothing else of the process changes, and
// no other thread allocates DPDK memory before rte_eal_init() has taken any.

#include "iommufd/physical_addresses.hpp"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_memory.h>

#include "core/ioas/address.hpp"
#include "iommufd/log.hpp"

namespace iommufd::eal {
namespace {

using Slot = phys_addr_t (*)(const void *);

phys_addr_t no_physical_address(const void * /*virtaddr*/) {
    return RTE_BAD_PHYS_ADDR;
}

// The dynamic section of a loaded object, as far as relocations of its PLT go (System V ABI,
// chapter 5, "Dynamic Section"; glibc has relocated the pointers).
struct Relocations {
    const ElfW(Sym) *symbols = nullptr;
    const char *strings = nullptr;
    const ElfW(Rela) *plt = nullptr;
    std::size_t count = 0;
};

Relocations relocations_of(const link_map *object) {
    Relocations found;
    for (const ElfW(Dyn) *entry = object->l_ld; entry->d_tag != DT_NULL; ++entry) {
        const auto address = entry->d_un.d_ptr;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            found.symbols = reinterpret_cast<const ElfW(Sym) *>(address);
            break;
        case DT_STRTAB:
            found.strings = reinterpret_cast<const char *>(address);
            break;
        case DT_JMPREL:
            found.plt = reinterpret_cast<const ElfW(Rela) *>(address);
            break;
        case DT_PLTRELSZ:
            found.count = entry->d_un.d_val / sizeof(ElfW(Rela));
            break;
        default:
            break;
        }
    }
    if (found.symbols == nullptr || found.strings == nullptr || found.plt == nullptr)
        found.count = 0;
    return found;
}

// Where the object that holds function calls name through its PLT; nullptr if it does not.
Slot *plt_slot(const void *function, const char *name) {
    Dl_info info{};
    link_map *object = nullptr;
    if (dladdr1(function, &info, reinterpret_cast<void **>(&object), RTLD_DL_LINKMAP) == 0)
        return nullptr;
    const Relocations all = relocations_of(object);
    for (std::size_t i = 0; i < all.count; ++i) {
        const auto symbol = ELF64_R_SYM(all.plt[i].r_info);
        if (std::strcmp(all.strings + all.symbols[symbol].st_name, name) == 0)
            return reinterpret_cast<Slot *>(object->l_addr + all.plt[i].r_offset);
    }
    return nullptr;
}

// Whether the page of an address may be written now, by /proc/self/maps
// ("start-end rwxp ...", proc(5)). After relocation a slot is read-only where the distribution
// links with -z relro -z now, and shares a page with variables where it does not.
bool is_writeable(const void *address) {
    std::ifstream maps("/proc/self/maps");
    std::string line;
    while (std::getline(maps, line)) {
        std::uint64_t start = 0;
        std::uint64_t end = 0;
        char write = '-';
        if (std::sscanf(line.c_str(), "%" SCNx64 "-%" SCNx64 " %*c%c", &start, &end, &write) == 3 &&
            raw(va_of(address)) >= start && raw(va_of(address)) < end)
            return write == 'w';
    }
    return false;
}

bool protect(const void *address, int protection) {
    const auto page_size = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    const auto start = reinterpret_cast<std::uintptr_t>(address) & ~(page_size - 1);
    return mprotect(reinterpret_cast<void *>(start), page_size, protection) == 0;
}

} // namespace

bool pa_mode_asked_for(const char *cmdline_path) {
    std::ifstream file(cmdline_path, std::ios::binary);
    const std::string all((std::istreambuf_iterator<char>(file)), {});
    // Arguments end with a NUL each.
    std::string previous;
    for (std::size_t at = 0; at < all.size();) {
        const std::string argument = all.c_str() + at;
        if (argument == "--")
            break;
        if (argument == "--iova-mode=pa" || (previous == "--iova-mode" && argument == "pa"))
            return true;
        at += argument.size() + 1;
        previous = argument;
    }
    return false;
}

void answer_pagemap_test() {
    Slot *slot =
        plt_slot(reinterpret_cast<const void *>(&rte_eal_using_phys_addrs), "rte_mem_virt2phy");
    const bool read_only = slot != nullptr && !is_writeable(slot);
    if (slot == nullptr || (read_only && !protect(slot, PROT_READ | PROT_WRITE))) {
        log(RTE_LOG_INFO, "EAL will open /proc/self/pagemap once to test for physical addresses");
        return;
    }
    const Slot original = *slot;
    *slot = no_physical_address;
    const int available = rte_eal_using_phys_addrs();
    *slot = original;
    if (read_only)
        (void)protect(slot, PROT_READ);
    if (available != 0)
        log(RTE_LOG_INFO, "EAL has tested for physical addresses before the buses were scanned");
}

} // namespace iommufd::eal
