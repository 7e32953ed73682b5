// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What an ELF file says of how it is loaded, by its bytes alone: nothing is opened or run. The
// file may be damaged, made to mislead, or change while it is read: every value is read once and
// checked before use, and both the work and the answer are bounded.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace run {

using Bytes = std::span<const std::uint8_t>;

struct ElfFile {
    static constexpr std::size_t max_needed = 1024;
    static constexpr std::size_t max_name = 4096; // PATH_MAX

    bool is_elf = false;          // 64-bit, little-endian, with whole program headers
    bool has_interpreter = false; // PT_INTERP: it is dynamically linked
    std::vector<std::string> needed;
    std::string rpath;
    std::string runpath;
};

// What cannot be read of a damaged file is left out.
ElfFile read_elf(Bytes image);

// DPDK's drivers are inside: each carries this text for dpdk-pmdinfo.py (v22.11,
// buildtools/pmdinfogen.py).
bool has_pmd_info(Bytes image);

// Where ld.so.cache says that a library is, for the 64-bit loader; empty if it does not. The
// format: glibc 2.36, sysdeps/generic/dl-cache.h, struct cache_file_new.
std::string find_in_cache(Bytes cache, std::string_view library);

} // namespace run
