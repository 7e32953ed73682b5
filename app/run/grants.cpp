// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "grants.hpp"

#include <algorithm>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace run {
namespace {

constexpr const char *state = "/run/dpdk-iommufd";

std::string failed(const char *what, const std::string &path) {
    return std::string(what) + " " + path + ": " + std::strerror(errno);
}

std::string record_of(std::string path) {
    std::replace(path.begin(), path.end(), '/', '!');
    return std::string(state) + "/owner" + path;
}

// What a record says: whose the path was.
struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
    std::string path;
};

// False if the file is new.
bool read_record(int fd, Owner *owner) {
    char text[4200]{};
    int at = 0;
    if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
        std::sscanf(text, "%u %u %n", &owner->uid, &owner->gid, &at) != 2 || at == 0)
        return false;
    owner->path = text + at;
    return true;
}

bool write_record(int fd, const Owner &owner) {
    const std::string text =
        std::to_string(owner.uid) + " " + std::to_string(owner.gid) + " " + owner.path;
    return pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

// Nobody else has a lock on the record.
void restore(int fd, const std::string &record) {
    Owner owner;
    if (read_record(fd, &owner) && chown(owner.path.c_str(), owner.uid, owner.gid) < 0 &&
        errno != ENOENT)
        (void)std::fprintf(stderr, "dpdk-iommufd-run: %s\n",
                           failed("giving back", owner.path).c_str());
    (void)unlink(record.c_str());
}

// What runs have left behind that were killed.
void restore_stale() {
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator(state, error)) {
        const std::string path = entry.path();
        const bool is_owner = entry.path().filename().string().starts_with("owner");
        const bool is_runtime = entry.path().extension() == ".lock";
        if (!is_owner && !is_runtime)
            continue;
        const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
            continue;
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (is_owner) {
                restore(fd, path);
            } else {
                std::filesystem::remove_all(std::filesystem::path(path).replace_extension(), error);
                (void)unlink(path.c_str());
            }
        }
        (void)close(fd);
    }
}

std::string make_state_folder() {
    if (mkdir(state, 0755) < 0 && errno != EEXIST)
        return failed("creating", state);
    restore_stale();
    return {};
}

// Opens the file and takes a shared lock on it, unless it has been removed meanwhile.
int open_locked(const std::string &record) {
    for (int tries = 0; tries < 100; ++tries) {
        const int fd = open(record.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
            return -1;
        struct stat locked {};
        struct stat named {};
        if (flock(fd, LOCK_SH) == 0 && fstat(fd, &locked) == 0 &&
            stat(record.c_str(), &named) == 0 && locked.st_ino == named.st_ino)
            return fd;
        (void)close(fd);
    }
    errno = EBUSY;
    return -1;
}

} // namespace

std::string Grants::take(const User &user, const std::string &path) {
    if (auto problem = make_state_folder(); !problem.empty())
        return problem;
    const std::string record = record_of(path);
    const int lock = open_locked(record);
    if (lock < 0)
        return failed("open of", record);
    struct stat now {};
    Owner owner;
    std::string problem;
    if (stat(path.c_str(), &now) < 0) {
        problem = failed("looking at", path);
    } else if (!read_record(lock, &owner)) {
        if (!write_record(lock, {now.st_uid, now.st_gid, path}))
            problem = failed("writing", record);
    } else if (now.st_uid != user.uid && now.st_uid != owner.uid) {
        problem = path +
                  " belongs to another user's running dpdk-iommufd-run: wait for its end, or "
                  "run this as the same user";
    } else if (now.st_uid != user.uid && flock(lock, LOCK_EX | LOCK_NB) < 0) {
        problem = path + " is being given back: try again";
    }
    if (problem.empty() && now.st_uid != user.uid && chown(path.c_str(), user.uid, now.st_gid) < 0)
        problem = failed("chown of", path);
    if (!problem.empty()) {
        (void)close(lock);
        return problem;
    }
    (void)flock(lock, LOCK_SH);
    grants_.push_back({path, record, lock, false});
    return {};
}

std::string Grants::make_runtime_folder(const User &user, std::string *path) {
    if (auto problem = make_state_folder(); !problem.empty())
        return problem;
    const std::string record = std::string(state) + "/runtime-" + std::to_string(user.uid);
    const int lock = open_locked(record + ".lock");
    if (lock < 0)
        return failed("open of", record + ".lock");
    // Only root may write here, so nobody else can have put anything in its place.
    if ((mkdir(record.c_str(), 0700) < 0 && errno != EEXIST) ||
        chown(record.c_str(), user.uid, user.gid) < 0) {
        std::string problem = failed("creating", record);
        (void)close(lock);
        return problem;
    }
    grants_.push_back({record, record + ".lock", lock, true});
    *path = record;
    return {};
}

void Grants::give_back() {
    while (!grants_.empty()) {
        const Grant grant = grants_.back();
        grants_.pop_back();
        if (flock(grant.lock, LOCK_EX | LOCK_NB) == 0) {
            std::error_code error;
            if (grant.is_runtime) {
                std::filesystem::remove_all(grant.path, error);
                (void)unlink(grant.record.c_str());
            } else {
                restore(grant.lock, grant.record);
            }
        }
        (void)close(grant.lock);
    }
    (void)rmdir(state); // fails while another run has files in it
}

} // namespace run
