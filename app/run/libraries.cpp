// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "libraries.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <vector>

namespace run {
namespace {

constexpr std::size_t max_objects = 1024;
constexpr std::size_t max_folders = 64; // of one search path
constexpr std::size_t max_path = 4096;

#if defined(__x86_64__)
constexpr const char *system_folders =
    "/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";
constexpr const char *lib = "lib/x86_64-linux-gnu";
#elif defined(__aarch64__)
constexpr const char *system_folders =
    "/lib/aarch64-linux-gnu:/usr/lib/aarch64-linux-gnu:/lib64:/usr/lib64:/lib:/usr/lib";
constexpr const char *lib = "lib/aarch64-linux-gnu";
#else
constexpr const char *system_folders = "/lib64:/usr/lib64:/lib:/usr/lib";
constexpr const char *lib = "lib64";
#endif

std::string folder_of(const std::string &path) {
    const auto slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

void replace_all(std::string *text, std::string_view token, const std::string &by) {
    for (auto at = text->find(token); at != std::string::npos && text->size() < max_path;
         at = text->find(token, at + by.size()))
        text->replace(at, token.size(), by);
}

std::vector<std::string> folders_of(std::string_view path, const std::string &origin) {
    std::vector<std::string> folders;
    while (!path.empty() && folders.size() < max_folders) {
        const auto end = path.find_first_of(":;");
        std::string folder(path.substr(0, end));
        for (const char *token : {"${ORIGIN}", "$ORIGIN"})
            replace_all(&folder, token, origin);
        for (const char *token : {"${LIB}", "$LIB"})
            replace_all(&folder, token, lib);
        folders.push_back(folder.empty() ? "." : folder);
        path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
    }
    return folders;
}

} // namespace

struct LibrarySearch::Object {
    std::string path;
    std::string rpath; // its own and of those that need it
    ElfFile file;
};

std::optional<LibrarySearch::Object> LibrarySearch::open(const std::string &path,
                                                         const std::string &rpath) const {
    Object object{.path = path, .rpath = rpath, .file = {}};
    if (path.size() > max_path ||
        !read(path, [&](Bytes image) { object.file = read_elf(image); }) || !object.file.is_elf)
        return std::nullopt;
    if (object.file.runpath.empty() && !object.file.rpath.empty() && object.rpath.size() < max_path)
        for (const std::string &folder : folders_of(object.file.rpath, folder_of(path)))
            object.rpath += (object.rpath.empty() ? "" : ":") + folder;
    return object;
}

std::optional<LibrarySearch::Object> LibrarySearch::find(const std::string &name,
                                                         const Object &by) const {
    if (name.find('/') != std::string::npos)
        return open(name, by.rpath);
    const std::string origin = folder_of(by.path);
    const std::string &runpath = by.file.runpath;
    for (const std::string &path :
         {runpath.empty() ? by.rpath : std::string{}, library_path, runpath})
        for (const std::string &folder : folders_of(path, origin))
            if (auto found = open(folder + "/" + name, by.rpath))
                return found;
    std::string cached;
    (void)read(cache, [&](Bytes bytes) { cached = find_in_cache(bytes, name); });
    if (!cached.empty())
        if (auto found = open(cached, by.rpath))
            return found;
    for (const std::string &folder : folders_of(system_folders, {}))
        if (auto found = open(folder + "/" + name, by.rpath))
            return found;
    return std::nullopt;
}

bool LibrarySearch::loads(const std::string &program, std::string_view name) const {
    auto first = open(program, {});
    if (!first)
        return false;
    std::deque<Object> queue{std::move(*first)};
    std::set<std::string> known;
    while (!queue.empty()) {
        const Object object = std::move(queue.front());
        queue.pop_front();
        for (const std::string &needed : object.file.needed) {
            if (std::string_view(needed).substr(needed.rfind('/') + 1).starts_with(name))
                return true;
            if (known.size() >= max_objects || !known.insert(needed).second)
                continue;
            if (auto found = find(needed, object))
                queue.push_back(std::move(*found));
        }
    }
    return false;
}

} // namespace run
