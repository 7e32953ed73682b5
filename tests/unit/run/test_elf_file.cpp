// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What is read of an ELF file, whole and damaged. Under AddressSanitizer a read beyond the end is
// an error: the image is a heap block of exactly its size.

#include <cstddef>
#include <random>

#include <gtest/gtest.h>

#include "elf_file.hpp"
#include "elf_image.hpp"

using namespace run;

namespace {

const ElfImage program{
    .entries = {{DT_NEEDED, "libm.so.6"}, {DT_NEEDED, "librte_eal.so.23"}, {DT_RUNPATH, "/opt"}}};

template <class T>
std::vector<std::uint8_t> with(std::vector<std::uint8_t> image, std::size_t at, T value) {
    std::memcpy(image.data() + at, &value, sizeof(value));
    return image;
}

constexpr std::size_t load = sizeof(Elf64_Ehdr);
constexpr std::size_t dynamic = load + 2 * sizeof(Elf64_Phdr);

TEST(ElfFile, NamesWhatIsNeeded) {
    const auto image = program.bytes();
    const ElfFile file = read_elf(image);
    EXPECT_TRUE(file.is_elf);
    EXPECT_TRUE(file.has_interpreter);
    EXPECT_EQ(file.needed, (std::vector<std::string>{"libm.so.6", "librte_eal.so.23"}));
    EXPECT_EQ(file.runpath, "/opt");
    EXPECT_EQ(file.rpath, "");
}

TEST(ElfFile, StaticOneHasNoInterpreter) {
    ElfImage image = program;
    image.has_interpreter = false;
    const ElfFile file = read_elf(image.bytes());
    EXPECT_TRUE(file.is_elf);
    EXPECT_FALSE(file.has_interpreter);
}

TEST(ElfFile, OthersAreNone) {
    const auto image = program.bytes();
    EXPECT_FALSE(read_elf({}).is_elf);
    EXPECT_FALSE(read_elf(with(image, 0, '#')).is_elf);
    EXPECT_FALSE(read_elf(with(image, EI_CLASS, char{ELFCLASS32})).is_elf);
    EXPECT_FALSE(read_elf(with(image, EI_DATA, char{ELFDATA2MSB})).is_elf);
    EXPECT_FALSE(read_elf(with(image, offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX)).is_elf);
    EXPECT_FALSE(read_elf(with(image, offsetof(Elf64_Ehdr, e_phentsize), std::uint16_t{1})).is_elf);
    EXPECT_FALSE(read_elf(with(image, offsetof(Elf64_Ehdr, e_phnum), UINT16_MAX)).is_elf);
}

TEST(ElfFile, DamagedPartsAreLeftOut) {
    const auto image = program.bytes();
    for (const std::uint64_t wrong : {UINT64_MAX, UINT64_MAX - 8, std::uint64_t{1} << 63,
                                      std::uint64_t{image.size()}, std::uint64_t{image.size() - 1}})
        for (const std::size_t at :
             {dynamic + offsetof(Elf64_Phdr, p_offset), load + offsetof(Elf64_Phdr, p_vaddr),
              load + offsetof(Elf64_Phdr, p_offset)}) {
            const ElfFile file = read_elf(with(image, at, wrong));
            EXPECT_TRUE(file.is_elf);
            EXPECT_TRUE(file.needed.empty()) << at << " " << wrong;
        }
    // A section that claims to be longer than the file.
    const auto longer = with(image, dynamic + offsetof(Elf64_Phdr, p_filesz), UINT64_MAX);
    EXPECT_EQ(read_elf(longer).needed.size(), 2U);
    // A name that does not end.
    auto cut = image;
    cut.pop_back();
    EXPECT_EQ(read_elf(cut).runpath, "");
}

TEST(ElfFile, AnswerIsBounded) {
    ElfImage many;
    many.entries.assign(3 * ElfFile::max_needed, {DT_NEEDED, "a"});
    many.entries.emplace_back(DT_RUNPATH, std::string(2 * ElfFile::max_name, 'x'));
    const ElfFile file = read_elf(many.bytes());
    EXPECT_EQ(file.needed.size(), ElfFile::max_needed);
    EXPECT_EQ(file.runpath, "");
}

TEST(ElfFile, PmdInfoIsFound) {
    std::string text = "PMD_INFO_STRING= {";
    const auto bytes = [&] { return std::vector<std::uint8_t>(text.begin(), text.end()); };
    EXPECT_TRUE(has_pmd_info(bytes()));
    text.pop_back();
    EXPECT_FALSE(has_pmd_info(bytes()));
    EXPECT_FALSE(has_pmd_info({}));
}

TEST(LibraryCache, FindsByWholeName) {
    const auto cache = cache_image({{"libuhd.so.4", "/lib/libuhd.so.4"}, {"liba.so", "/lib/a"}});
    EXPECT_EQ(find_in_cache(cache, "libuhd.so.4"), "/lib/libuhd.so.4");
    EXPECT_EQ(find_in_cache(cache, "liba.so"), "/lib/a");
    EXPECT_EQ(find_in_cache(cache, "libuhd.so"), "");
    EXPECT_EQ(find_in_cache({}, "liba.so"), "");
    EXPECT_EQ(find_in_cache(with(cache, 0, 'x'), "liba.so"), "");
    EXPECT_EQ(find_in_cache(with(cache, 20, UINT32_MAX), "nothing"), "");
    EXPECT_EQ(find_in_cache(with(cache, 48 + 8, UINT32_MAX), "libuhd.so.4"), "");
}

// The fuzzer of tests/fuzz in short, the same every time: no crash, no read beyond the end, no
// answer beyond its bounds.
TEST(ElfFile, SurvivesMutations) {
    std::mt19937 random(1); // NOLINT(*-msc51-cpp): the same every time is what is wanted
    const auto good = program.bytes();
    const auto cache = cache_image({{"libuhd.so.4", "/lib/libuhd.so.4"}, {"liba.so", "/lib/a"}});
    for (int round = 0; round < 100000; ++round) {
        auto image = round % 4 == 0 ? cache : good;
        for (unsigned int i = random() % 6; i > 0; --i) {
            const std::size_t at = random() % image.size();
            const unsigned int kind = random() % 3;
            image[at] = kind == 0 ? 0xff : kind == 1 ? 0 : static_cast<std::uint8_t>(random());
        }
        if (random() % 3 == 0)
            image.resize(random() % image.size());
        image.shrink_to_fit();
        const ElfFile file = read_elf(image);
        ASSERT_LE(file.needed.size(), ElfFile::max_needed);
        ASSERT_LE(find_in_cache(image, "liba.so").size(), ElfFile::max_name);
        (void)has_pmd_info(image);
    }
}

} // namespace
