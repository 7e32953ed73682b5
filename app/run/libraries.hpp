// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Which libraries the dynamic linker would load for a program, by its rules (ld.so(8)), without
// asking it: it would run what the program names as its interpreter.
//
//     name with a slash      that file
//     DT_RPATH               of the library that needs it and of those that need that one, unless
//                            it has a DT_RUNPATH
//     LD_LIBRARY_PATH
//     DT_RUNPATH             of the library that needs it
//     ld.so.cache, /lib, /usr/lib

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "elf_file.hpp"

namespace run {

struct LibrarySearch {
    // Calls with the bytes of the file, and says whether it could be read.
    using Read = std::function<bool(const std::string &path, const std::function<void(Bytes)> &)>;

    Read read;
    std::string library_path; // LD_LIBRARY_PATH
    std::string cache = "/etc/ld.so.cache";

    // Whether a library whose name begins so is among them. Looks at 1024 files at most.
    [[nodiscard]] bool loads(const std::string &program, std::string_view name) const;

private:
    struct Object;
    [[nodiscard]] std::optional<Object> open(const std::string &path,
                                             const std::string &rpath) const;
    [[nodiscard]] std::optional<Object> find(const std::string &name, const Object &by) const;
};

} // namespace run
