// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the launcher reads of a file that the user made: the ELF file and ld.so's cache.

#include <cstdlib>

#include "../../app/run/elf_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    const run::Bytes bytes(data, size);
    const run::ElfFile file = run::read_elf(bytes);
    if (file.needed.size() > run::ElfFile::max_needed ||
        file.runpath.size() > run::ElfFile::max_name || file.rpath.size() > run::ElfFile::max_name)
        std::abort();
    (void)run::has_pmd_info(bytes);
    if (run::find_in_cache(bytes, "liba.so").size() > run::ElfFile::max_name)
        std::abort();
    return 0;
}
