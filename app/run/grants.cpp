// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "grants.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "child.hpp"

namespace run {
namespace {

using iommufd::Fd;

constexpr std::string_view runtime_name = "runtime-";
constexpr std::string_view lock_suffix = ".lock";

std::string failed(const std::string &what, const std::string &path) {
    return what + " " + path + ": " + std::strerror(errno);
}

Fd own(int fd) {
    return {iommufd::linux_kernel(), fd};
}

std::string record_of(std::string path) {
    std::replace(path.begin(), path.end(), '/', '!');
    return "owner" + path;
}

// What a record says: whose the path was, and which inode.
struct Owner {
    uid_t uid = 0;
    gid_t gid = 0;
    unsigned long device = 0;
    unsigned long inode = 0;
    std::string path;
};

// False if the file is new.
bool read_record(int fd, Owner *owner) {
    char text[4200]{};
    int at = 0;
    if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
        std::sscanf(text, "%u %u %lu %lu %n", &owner->uid, &owner->gid, &owner->device,
                    &owner->inode, &at) != 4 ||
        at == 0)
        return false;
    owner->path = text + at;
    return true;
}

bool write_record(int fd, const struct stat &now, const std::string &path) {
    const std::string text = std::to_string(now.st_uid) + " " + std::to_string(now.st_gid) + " " +
                             std::to_string(now.st_dev) + " " + std::to_string(now.st_ino) + " " +
                             path;
    return pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

// What is at the path, which is never followed where it ends in a link.
Fd open_object(const std::string &path, struct stat *st) {
    Fd object = own(open(path.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (object && fstat(object.get(), st) < 0)
        object.reset();
    return object;
}

bool is_kind(int object, const struct stat &st, Grants::Kind kind) {
    struct statfs fs {};
    if (kind == Grants::Kind::node)
        return S_ISCHR(st.st_mode);
    return S_ISDIR(st.st_mode) && fstatfs(object, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC;
}

bool change_owner(int object, uid_t uid, gid_t gid) {
    return fchownat(object, "", uid, gid, AT_EMPTY_PATH) == 0;
}

} // namespace

// Only root may write to the folder, so nobody else puts anything in the place of what is there.
std::string Grants::open_state() {
    if (state_fd_)
        return {};
    if (mkdir(state_.c_str(), 0755) < 0 && errno != EEXIST)
        return failed("creating", state_);
    state_fd_ = own(open(state_.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    struct stat st {};
    if (!state_fd_ || fstat(state_fd_.get(), &st) < 0)
        return failed("open of", state_);
    if (st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
        state_fd_.reset();
        return state_ + " can be written to by others: remove it";
    }
    restore_stale();
    return {};
}

// Opens the file and takes a shared lock on it, unless it has been removed meanwhile.
Fd Grants::open_locked(const std::string &record) const {
    for (int tries = 0; tries < 100; ++tries) {
        Fd lock = own(openat(state_fd_.get(), record.c_str(),
                             O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!lock)
            return lock;
        struct stat locked {};
        struct stat named {};
        if (flock(lock.get(), LOCK_SH) == 0 && fstat(lock.get(), &locked) == 0 &&
            fstatat(state_fd_.get(), record.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
            locked.st_ino == named.st_ino)
            return lock;
    }
    errno = EBUSY;
    return {};
}

// Nobody else has a lock on the record.
void Grants::restore(const Grant &grant) {
    if (grant.runtime != 0) {
        const std::string name = grant.record.substr(0, grant.record.size() - lock_suffix.size());
        const std::string folder = state_ + "/" + name;
        // What is in it is the user's to remove; the folder itself is in root's.
        if (const auto user = find_user(std::to_string(grant.runtime)); user) {
            bool done = false;
            (void)ask_as(*user, 20, &done, [&](bool *result) {
                std::error_code error;
                for (const auto &entry : std::filesystem::directory_iterator(folder, error))
                    (void)std::filesystem::remove_all(entry.path(), error);
                *result = !error;
            });
        }
        (void)unlinkat(state_fd_.get(), name.c_str(), AT_REMOVEDIR);
    } else if (Owner owner; read_record(grant.lock.get(), &owner) && grant.object &&
                            !change_owner(grant.object.get(), owner.uid, owner.gid)) {
        (void)std::fprintf(stderr, "dpdk-iommufd-run: %s\n",
                           failed("giving back", owner.path).c_str());
    }
    (void)unlinkat(state_fd_.get(), grant.record.c_str(), 0);
}

// What runs have left behind that were killed.
void Grants::restore_stale() {
    std::error_code error;
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(state_, error))
        names.push_back(entry.path().filename());
    for (const std::string &name : names) {
        const bool is_runtime = name.starts_with(runtime_name) && name.ends_with(lock_suffix);
        if (!is_runtime && !name.starts_with("owner"))
            continue;
        Grant grant{.lock = own(openat(state_fd_.get(), name.c_str(),
                                       O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)),
                    .record = name,
                    .object = {},
                    .runtime = 0};
        if (!grant.lock || flock(grant.lock.get(), LOCK_EX | LOCK_NB) < 0)
            continue;
        Owner owner;
        struct stat st {};
        if (is_runtime) {
            unsigned int uid = 0;
            if (std::sscanf(name.c_str(), "runtime-%u.lock", &uid) != 1 || uid == 0)
                continue;
            grant.runtime = uid;
        } else if (read_record(grant.lock.get(), &owner)) {
            grant.object = open_object(owner.path, &st);
            if (grant.object && (st.st_dev != owner.device || st.st_ino != owner.inode))
                grant.object.reset(); // another one by now
        }
        restore(grant);
    }
}

std::string Grants::take(const User &user, const std::string &path, Kind kind) {
    if (auto problem = open_state(); !problem.empty())
        return problem;
    struct stat now {};
    Grant grant{
        .lock = {}, .record = record_of(path), .object = open_object(path, &now), .runtime = 0};
    if (!grant.object)
        return failed("looking at", path);
    if (!is_kind(grant.object.get(), now, kind))
        return path + (kind == Kind::node ? " is no device node" : " is no hugetlbfs");
    grant.lock = open_locked(grant.record);
    if (!grant.lock)
        return failed("open of", state_ + "/" + grant.record);
    Owner owner;
    const int lock = grant.lock.get();
    if (!read_record(lock, &owner)) {
        if (kind == Kind::hugetlbfs && now.st_uid != 0) {
            (void)unlinkat(state_fd_.get(), grant.record.c_str(), 0);
            return {};
        }
        if (!write_record(lock, now, path))
            return failed("writing", state_ + "/" + grant.record);
    } else if (now.st_dev != owner.device || now.st_ino != owner.inode) {
        return path + " is not what another running dpdk-iommufd-run was given by that name";
    } else if (now.st_uid != user.uid && now.st_uid != owner.uid) {
        return path + " belongs to another user's running dpdk-iommufd-run: wait for its end, or "
                      "run this as the same user";
    } else if (now.st_uid != user.uid && flock(lock, LOCK_EX | LOCK_NB) < 0) {
        return path + " is being given back: try again";
    }
    if (now.st_uid != user.uid && !change_owner(grant.object.get(), user.uid, now.st_gid)) {
        const std::string problem = failed("chown of", path);
        (void)unlinkat(state_fd_.get(), grant.record.c_str(), 0);
        return problem;
    }
    (void)flock(lock, LOCK_SH);
    grants_.push_back(std::move(grant));
    return {};
}

std::string Grants::make_runtime_folder(const User &user, std::string *path) {
    if (auto problem = open_state(); !problem.empty())
        return problem;
    const std::string name = std::string(runtime_name) + std::to_string(user.uid);
    const std::string folder = state_ + "/" + name;
    Grant grant{.lock = open_locked(name + std::string(lock_suffix)),
                .record = name + std::string(lock_suffix),
                .object = {},
                .runtime = user.uid};
    if (!grant.lock)
        return failed("open of", state_ + "/" + grant.record);
    if (mkdirat(state_fd_.get(), name.c_str(), 0700) < 0 && errno != EEXIST)
        return failed("creating", folder);
    const Fd made =
        own(openat(state_fd_.get(), name.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!made || fchown(made.get(), user.uid, user.gid) < 0)
        return failed("creating", folder);
    grants_.push_back(std::move(grant));
    *path = folder;
    return {};
}

void Grants::give_back() {
    while (!grants_.empty()) {
        const Grant grant = std::move(grants_.back());
        grants_.pop_back();
        if (flock(grant.lock.get(), LOCK_EX | LOCK_NB) == 0)
            restore(grant);
    }
    state_fd_.reset();
    (void)rmdir(state_.c_str()); // fails while another run has files in it
}

} // namespace run
