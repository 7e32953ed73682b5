// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A small dynamically linked program as bytes:
//
//     0     ELF header
//     64    program headers: PT_LOAD of the whole file at 0x400000, PT_INTERP, PT_DYNAMIC
//     232   "/lib64/ld.so"
//     248   dynamic section, then its strings

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include <elf.h>

struct ElfImage {
    static constexpr std::uint64_t base = 0x400000;
    static constexpr std::size_t interpreter = sizeof(Elf64_Ehdr) + 3 * sizeof(Elf64_Phdr);
    static constexpr std::size_t dynamic = interpreter + 16;

    // DT_NEEDED, DT_RUNPATH, DT_RPATH and their texts.
    std::vector<std::pair<std::int64_t, std::string>> entries;
    bool has_interpreter = true;

    [[nodiscard]] std::vector<std::uint8_t> bytes() const {
        std::string strings(1, '\0');
        std::vector<Elf64_Dyn> section;
        for (const auto &[tag, text] : entries) {
            section.push_back({.d_tag = tag, .d_un = {.d_val = strings.size()}});
            strings += text + '\0';
        }
        const std::size_t size = (section.size() + 2) * sizeof(Elf64_Dyn);
        section.push_back({.d_tag = DT_STRTAB, .d_un = {.d_ptr = base + dynamic + size}});
        section.push_back({.d_tag = DT_NULL, .d_un = {}});

        std::vector<std::uint8_t> image(dynamic + size + strings.size());
        Elf64_Ehdr header{};
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_phoff = sizeof(header);
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_phnum = 3;
        std::memcpy(image.data(), &header, sizeof(header));
        Elf64_Phdr segments[3]{};
        segments[0].p_type = PT_LOAD;
        segments[0].p_vaddr = base;
        segments[0].p_filesz = image.size();
        segments[1].p_type = has_interpreter ? PT_INTERP : PT_NULL;
        segments[1].p_offset = interpreter;
        segments[1].p_filesz = 13;
        segments[2].p_type = PT_DYNAMIC;
        segments[2].p_offset = dynamic;
        segments[2].p_filesz = size;
        std::memcpy(image.data() + sizeof(header), segments, sizeof(segments));
        std::memcpy(image.data() + interpreter, "/lib64/ld.so", 13);
        std::memcpy(image.data() + dynamic, section.data(), size);
        std::memcpy(image.data() + dynamic + size, strings.data(), strings.size());
        return image;
    }
};

// ld.so.cache with these libraries, each of glibc's x86_64 kind.
inline std::vector<std::uint8_t>
cache_image(const std::vector<std::pair<std::string, std::string>> &libraries) {
    struct Entry {
        std::int32_t flags;
        std::uint32_t key, value, os_version;
        std::uint64_t hwcap;
    };
    const std::string magic = "glibc-ld.so.cache1.1";
    std::string strings;
    std::vector<Entry> entries;
    const std::size_t after = 48 + libraries.size() * sizeof(Entry);
    for (const auto &[name, path] : libraries) {
        const auto key = static_cast<std::uint32_t>(after + strings.size());
        strings += name + '\0';
        const auto value = static_cast<std::uint32_t>(after + strings.size());
        strings += path + '\0';
        entries.push_back({0x303, key, value, 0, 0});
    }
    std::vector<std::uint8_t> image(after + strings.size());
    const std::uint32_t counts[2] = {static_cast<std::uint32_t>(entries.size()),
                                     static_cast<std::uint32_t>(strings.size())};
    std::memcpy(image.data(), magic.data(), magic.size());
    std::memcpy(image.data() + magic.size(), counts, sizeof(counts));
    std::memcpy(image.data() + 48, entries.data(), entries.size() * sizeof(Entry));
    std::memcpy(image.data() + after, strings.data(), strings.size());
    return image;
}
