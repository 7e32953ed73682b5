// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "elf_file.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include <elf.h>

namespace run {
namespace {

constexpr std::size_t max_segments = 256;
constexpr std::size_t max_dynamic = 65536;
constexpr std::size_t max_cache_entries = 1 << 20;

// A copy of what is at an offset; nothing if it is not wholly inside.
template <class T>
std::optional<T> read_at(Bytes image, std::uint64_t at) {
    if (at > image.size() || image.size() - at < sizeof(T))
        return std::nullopt;
    T value;
    std::memcpy(&value, image.data() + at, sizeof(value));
    return value;
}

// The text at an offset up to its zero; empty without one in reach.
std::string text_at(Bytes image, std::uint64_t at) {
    if (at >= image.size())
        return {};
    const std::size_t room = std::min<std::uint64_t>(image.size() - at, ElfFile::max_name);
    std::string text(reinterpret_cast<const char *>(image.data() + at), room);
    const auto end = text.find('\0');
    if (end == std::string::npos)
        return {};
    text.resize(end);
    return text;
}

std::vector<Elf64_Phdr> segments_of(Bytes image, const Elf64_Ehdr &header) {
    std::vector<Elf64_Phdr> segments;
    const std::size_t count = std::min<std::size_t>(header.e_phnum, max_segments);
    for (std::size_t i = 0; i < count && header.e_phentsize >= sizeof(Elf64_Phdr); ++i) {
        const std::uint64_t skip = std::uint64_t{i} * header.e_phentsize;
        if (header.e_phoff > UINT64_MAX - skip)
            return {};
        const auto segment = read_at<Elf64_Phdr>(image, header.e_phoff + skip);
        if (!segment)
            return {};
        segments.push_back(*segment);
    }
    return segments;
}

// Where in the file the byte is that is loaded at an address.
std::optional<std::uint64_t> offset_of(const std::vector<Elf64_Phdr> &segments,
                                       std::uint64_t address) {
    for (const Elf64_Phdr &s : segments)
        if (s.p_type == PT_LOAD && address >= s.p_vaddr && address - s.p_vaddr < s.p_filesz &&
            s.p_offset <= UINT64_MAX - (address - s.p_vaddr))
            return s.p_offset + (address - s.p_vaddr);
    return std::nullopt;
}

void read_dynamic(Bytes image, const std::vector<Elf64_Phdr> &segments, const Elf64_Phdr &dynamic,
                  ElfFile *file) {
    std::vector<Elf64_Dyn> entries;
    std::optional<std::uint64_t> strings;
    for (std::uint64_t at = 0; at < dynamic.p_filesz && entries.size() < max_dynamic;
         at += sizeof(Elf64_Dyn)) {
        if (dynamic.p_offset > UINT64_MAX - at)
            return;
        const auto entry = read_at<Elf64_Dyn>(image, dynamic.p_offset + at);
        if (!entry || entry->d_tag == DT_NULL)
            break;
        if (entry->d_tag == DT_STRTAB)
            strings = offset_of(segments, entry->d_un.d_ptr);
        else if (entry->d_tag == DT_NEEDED || entry->d_tag == DT_RPATH ||
                 entry->d_tag == DT_RUNPATH)
            entries.push_back(*entry);
    }
    if (!strings)
        return;
    for (const Elf64_Dyn &entry : entries) {
        if (*strings > UINT64_MAX - entry.d_un.d_val)
            continue;
        std::string text = text_at(image, *strings + entry.d_un.d_val);
        if (entry.d_tag == DT_RPATH)
            file->rpath = std::move(text);
        else if (entry.d_tag == DT_RUNPATH)
            file->runpath = std::move(text);
        else if (!text.empty() && file->needed.size() < ElfFile::max_needed)
            file->needed.push_back(std::move(text));
    }
}

} // namespace

ElfFile read_elf(Bytes image) {
    ElfFile file;
    const auto header = read_at<Elf64_Ehdr>(image, 0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return file;
    const auto segments = segments_of(image, *header);
    file.is_elf = !segments.empty();
    for (const Elf64_Phdr &segment : segments) {
        if (segment.p_type == PT_INTERP)
            file.has_interpreter = true;
        else if (segment.p_type == PT_DYNAMIC && file.needed.empty())
            read_dynamic(image, segments, segment, &file);
    }
    return file;
}

bool has_pmd_info(Bytes image) {
    constexpr std::string_view mark = "PMD_INFO_STRING= {";
    return std::search(image.begin(), image.end(), mark.begin(), mark.end(),
                       [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }) !=
           image.end();
}

std::string find_in_cache(Bytes cache, std::string_view library) {
    struct Header {
        char magic[20];
        std::uint32_t entries;
        std::uint32_t strings;
        std::uint32_t others[5];
    };
    struct Entry {
        std::int32_t flags; // the low byte: 3 is an ELF library of glibc's
        std::uint32_t key;
        std::uint32_t value;
        std::uint32_t os_version;
        std::uint64_t hwcap;
    };
    static_assert(sizeof(Header) == 48 && sizeof(Entry) == 24);
    constexpr std::string_view magic = "glibc-ld.so.cache1.1";
    const auto header = read_at<Header>(cache, 0);
    if (!header || std::string_view(header->magic, sizeof(header->magic)) != magic)
        return {};
    const std::size_t count = std::min<std::size_t>(header->entries, max_cache_entries);
    for (std::size_t i = 0; i < count; ++i) {
        const auto entry = read_at<Entry>(cache, sizeof(Header) + i * sizeof(Entry));
        if (!entry)
            return {};
        // Of variants for certain processors (hwcap) the plain one has the same dependencies.
        if ((entry->flags & 0xff) != 3 || (entry->flags & 0xff00) == 0 || entry->hwcap != 0 ||
            entry->key >= cache.size() || cache.size() - entry->key <= library.size() ||
            std::memcmp(cache.data() + entry->key, library.data(), library.size()) != 0 ||
            cache[entry->key + library.size()] != 0)
            continue;
        return text_at(cache, entry->value);
    }
    return {};
}

} // namespace run
