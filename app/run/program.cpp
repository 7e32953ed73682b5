// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "program.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string_view>

#include <elf.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

namespace run {
namespace {

bool is_executable(const std::string &path) {
    struct stat st {};
    return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

// The dynamic linker that an ELF file asks for; empty for a static one. Reads past the end of a
// damaged file as nothing.
std::string interpreter(const std::string &image) {
    Elf64_Ehdr header{};
    if (image.size() < sizeof(header))
        return {};
    std::memcpy(&header, image.data(), sizeof(header));
    for (unsigned int i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        const std::uint64_t at = header.e_phoff + std::uint64_t{i} * header.e_phentsize;
        if (at > image.size() || image.size() - at < sizeof(segment))
            return {};
        std::memcpy(&segment, image.data() + at, sizeof(segment));
        if (segment.p_type != PT_INTERP)
            continue;
        if (segment.p_offset > image.size() || segment.p_filesz > image.size() - segment.p_offset)
            return {};
        std::string interpreter(image.data() + segment.p_offset, segment.p_filesz);
        interpreter.resize(std::strlen(interpreter.c_str())); // it ends with a zero
        return interpreter;
    }
    return {};
}

// The libraries that the dynamic linker would load, without running the program: ld.so(8),
// --list.
std::string loaded_libraries(const std::string &linker, const std::string &path) {
    int ends[2];
    if (pipe(ends) < 0)
        return {};
    const pid_t child = fork();
    if (child == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)close(ends[0]);
        (void)execl(linker.c_str(), linker.c_str(), "--list", path.c_str(), nullptr);
        _exit(127);
    }
    (void)close(ends[1]);
    std::string text;
    char buffer[4096];
    ssize_t got = 0;
    while ((got = read(ends[0], buffer, sizeof(buffer))) > 0)
        text.append(buffer, static_cast<std::size_t>(got));
    (void)close(ends[0]);
    if (child > 0)
        (void)waitpid(child, nullptr, 0);
    return text;
}

} // namespace

std::string find_program(const std::string &command) {
    if (command.find('/') != std::string::npos)
        return is_executable(command) ? command : std::string{};
    const char *path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
    while (true) {
        const auto colon = rest.find(':');
        const std::string folder(rest.substr(0, colon));
        std::string candidate = (folder.empty() ? "." : folder) + "/" + command;
        if (is_executable(candidate))
            return candidate;
        if (colon == std::string_view::npos)
            return {};
        rest.remove_prefix(colon + 1);
    }
}

Kind kind_of(const std::string &path) {
    struct stat st {};
    if (stat(path.c_str(), &st) < 0)
        return Kind::unreadable;
    if ((st.st_mode & (S_ISUID | S_ISGID)) != 0)
        return Kind::set_id;
    if (getxattr(path.c_str(), "security.capability", nullptr, 0) > 0)
        return Kind::file_capabilities;
    std::ifstream file(path, std::ios::binary);
    const std::string image((std::istreambuf_iterator<char>(file)), {});
    if (!file && image.empty())
        return Kind::unreadable;
    if (!image.starts_with(ELFMAG) || image.size() < EI_NIDENT || image[EI_CLASS] != ELFCLASS64)
        return Kind::other;
    const std::string linker = interpreter(image);
    if (linker.empty())
        return Kind::static_elf;
    if (loaded_libraries(linker, path).find("librte_eal.so") != std::string::npos)
        return Kind::uses_shared_dpdk;
    // Every DPDK driver carries this text for dpdk-pmdinfo.py (v22.11, buildtools/pmdinfogen.py).
    return image.find("PMD_INFO_STRING= {") != std::string::npos ? Kind::static_dpdk : Kind::other;
}

std::string explain(Kind kind, const std::string &path) {
    const std::string rebuild =
        ": build it against shared DPDK ('meson setup -Ddefault_library=shared', or 'pkg-config "
        "--libs libdpdk' without --static)";
    switch (kind) {
    case Kind::static_dpdk:
        return path + " has DPDK linked into it, which LD_PRELOAD cannot reach" + rebuild;
    case Kind::static_elf:
        return path + " is statically linked, so LD_PRELOAD does nothing for it" + rebuild;
    case Kind::set_id:
        return path + " is set-uid or set-gid, and the dynamic linker ignores LD_PRELOAD for it: "
                      "take the bit away ('chmod ug-s'), the two capabilities come from here";
    case Kind::file_capabilities:
        return path +
               " has file capabilities, and the dynamic linker ignores LD_PRELOAD for it: "
               "take them away ('setcap -r " +
               path + "'), the two capabilities come from here";
    case Kind::unreadable:
        return path + " cannot be read";
    default:
        return {};
    }
}

} // namespace run
