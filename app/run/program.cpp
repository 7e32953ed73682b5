// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "program.hpp"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "child.hpp"
#include "libraries.hpp"

namespace run {
namespace {

constexpr int patience = 20; // seconds, for a file on a file system that hangs
constexpr std::size_t max_candidates = 1024;
constexpr off_t max_size = off_t{1} << 30; // of a file

struct Report {
    std::uint32_t kind;
    std::uint32_t candidate;
    std::uint32_t sanitizer; // version of libasan.so; 0 for none
};

constexpr std::string_view sanitizer_name = "libasan.so.";

// The files that execvp() would try.
std::vector<std::string> candidates_for(const std::string &command) {
    if (command.find('/') != std::string::npos)
        return {command};
    const char *path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "/usr/bin:/bin" : path;
    std::vector<std::string> candidates;
    while (candidates.size() < max_candidates) {
        const auto colon = rest.find(':');
        const std::string folder(rest.substr(0, colon));
        candidates.push_back((folder.empty() ? "." : folder) + "/" + command);
        if (colon == std::string_view::npos)
            break;
        rest.remove_prefix(colon + 1);
    }
    return candidates;
}

bool is_executable(const std::string &path) {
    struct stat st {};
    return stat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && access(path.c_str(), X_OK) == 0;
}

// A regular file's bytes as they are on the disk. Neither a FIFO nor a terminal can stop the open.
class File {
public:
    explicit File(const std::string &path)
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
        if (fd_ < 0 || fstat(fd_, &stat_) < 0 || !S_ISREG(stat_.st_mode) || stat_.st_size <= 0 ||
            stat_.st_size > max_size)
            return;
        void *at = mmap(nullptr, size(), PROT_READ, MAP_PRIVATE, fd_, 0);
        if (at != MAP_FAILED) // NOLINT(*-cstyle-cast)
            bytes_ = {static_cast<const std::uint8_t *>(at), size()};
    }
    File(const File &) = delete;
    File &operator=(const File &) = delete;
    ~File() {
        if (!bytes_.empty())
            (void)munmap(const_cast<std::uint8_t *>(bytes_.data()), bytes_.size());
        if (fd_ >= 0)
            (void)close(fd_);
    }

    [[nodiscard]] Bytes bytes() const { return bytes_; }
    [[nodiscard]] bool is_set_id() const { return (stat_.st_mode & (S_ISUID | S_ISGID)) != 0; }
    [[nodiscard]] bool has_capabilities() const {
        return fgetxattr(fd_, "security.capability", nullptr, 0) > 0;
    }

private:
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(stat_.st_size); }

    int fd_;
    struct stat stat_ {};
    Bytes bytes_;
};

std::uint32_t sanitizer_of(const ElfFile &elf) {
    for (const std::string &needed : elf.needed) {
        std::uint32_t version = 0;
        if (needed.starts_with(sanitizer_name) &&
            std::from_chars(needed.data() + sanitizer_name.size(), needed.data() + needed.size(),
                            version)
                    .ec == std::errc{})
            return version;
    }
    return 0;
}

Kind kind_of(const std::string &path, std::uint32_t *sanitizer) {
    const File program(path);
    if (program.is_set_id())
        return Kind::set_id;
    if (program.bytes().empty())
        return Kind::unreadable;
    if (program.has_capabilities())
        return Kind::file_capabilities;
    const ElfFile elf = read_elf(program.bytes());
    if (!elf.is_elf)
        return Kind::other;
    if (!elf.has_interpreter)
        return Kind::static_elf;
    *sanitizer = sanitizer_of(elf);
    const char *library_path = std::getenv("LD_LIBRARY_PATH");
    const LibrarySearch search{
        .read =
            [](const std::string &name, const auto &look) {
                const File file(name);
                if (!file.bytes().empty())
                    look(file.bytes());
                return !file.bytes().empty();
            },
        .library_path = library_path == nullptr ? "" : library_path,
    };
    if (search.loads(path, "librte_eal.so"))
        return Kind::uses_shared_dpdk;
    return has_pmd_info(program.bytes()) ? Kind::static_dpdk : Kind::other;
}

// A file that does not end, or is written to meanwhile, ends the child and nothing else.
void limit_resources() {
    const auto limit = [](auto resource, rlim_t value) {
        const rlimit both{value, value};
        (void)setrlimit(resource, &both);
    };
    limit(RLIMIT_CPU, 10);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    limit(RLIMIT_NOFILE, 64);
#ifndef __SANITIZE_ADDRESS__ // whose shadow is of terabytes
    limit(RLIMIT_AS, rlim_t{1} << 31);
#endif
}

} // namespace

Program examine(const User &user, const std::string &command) {
    const std::vector<std::string> candidates = candidates_for(command);
    Report report{};
    const bool answered = ask_as(user, patience, &report, [&](Report *found) {
        limit_resources();
        found->kind = static_cast<std::uint32_t>(Kind::missing);
        for (std::uint32_t i = 0; i < candidates.size(); ++i)
            if (is_executable(candidates[i])) {
                found->candidate = i;
                found->kind = static_cast<std::uint32_t>(kind_of(candidates[i], &found->sanitizer));
                break;
            }
    });
    if (!answered || report.kind > static_cast<std::uint32_t>(Kind::unknown) ||
        report.candidate >= candidates.size())
        return {candidates.front(), Kind::unknown, {}};
    Program program{candidates[report.candidate], static_cast<Kind>(report.kind), {}};
    if (report.sanitizer != 0)
        program.sanitizer = std::string(sanitizer_name) + std::to_string(report.sanitizer);
    return program;
}

iommufd::Result<void> check_kind(const Program &program, const std::string &command) {
    const auto refuse = [&path = program.path](const char *why, std::string remedy = {}) {
        return iommufd::failure(0, path + why, std::move(remedy));
    };
    const char *rebuild = "build it against shared DPDK ('meson setup -Ddefault_library=shared', "
                          "or 'pkg-config --libs libdpdk' without --static)";
    switch (program.kind) {
    case Kind::static_dpdk:
        return refuse(" has DPDK linked into it, which LD_PRELOAD cannot reach", rebuild);
    case Kind::static_elf:
        return refuse(" is statically linked, so LD_PRELOAD does nothing for it", rebuild);
    case Kind::set_id:
        return refuse(" is set-uid or set-gid, and the dynamic linker ignores LD_PRELOAD for it",
                      "take the bit away ('chmod ug-s'), the command needs no more rights than "
                      "its user has");
    case Kind::file_capabilities:
        return refuse(" has file capabilities, and the dynamic linker ignores LD_PRELOAD for it",
                      "take them away ('setcap -r " + program.path +
                          "'), the command needs no more rights than its user has");
    case Kind::unreadable:
        return refuse(" cannot be read by the user it is to run as, is empty, or of more than "
                      "1 GiB");
    case Kind::missing:
        return iommufd::failure(0, "there is no program '" + command + "' that can be run");
    case Kind::unknown:
        return refuse(" cannot be examined",
                      "it is damaged, changes meanwhile, or is on a file system that does not "
                      "answer");
    default:
        return {};
    }
}

} // namespace run
