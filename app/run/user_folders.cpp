// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "user_folders.hpp"

#include <cerrno>
#include <charconv>
#include <filesystem>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "child.hpp"
#include "folder.hpp"

namespace run {
namespace {

namespace fs = std::filesystem;
using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

bool is_hugetlbfs(const std::string &path) {
    struct statfs st {};
    return statfs(path.c_str(), &st) == 0 && st.f_type == HUGETLBFS_MAGIC;
}

std::vector<std::string> names_in(const std::string &folder) {
    std::error_code error;
    std::vector<std::string> names;
    for (const auto &entry : fs::directory_iterator(folder, error))
        names.push_back(entry.path().filename());
    return names;
}

} // namespace

Result<UserFolders> UserFolders::open(const User &user, const std::vector<std::uint64_t> &pages,
                                      const std::string &state) {
    UserFolders folders(state, user);
    if (auto ok = folders.open_state(); !ok)
        return tl::make_unexpected(ok.error());
    folders.remove_stale();
    auto ok = folders.take_lock();
    if (ok)
        ok = folders.make_runtime();
    for (std::size_t i = 0; i < pages.size() && ok; ++i)
        ok = folders.mount_hugetlbfs(pages[i]);
    (void)flock(folders.folder_.get(), LOCK_UN);
    if (ok)
        return folders;
    folders.clean_up();
    return tl::make_unexpected(ok.error());
}

// Locked: whoever makes or removes anything does it alone.
Result<void> UserFolders::open_state() {
    for (int tries = 0; tries < 100; ++tries) {
        if (mkdir(state_.c_str(), 0755) < 0 && errno != EEXIST)
            return failure(-errno, "creating " + state_);
        folder_ = open_folder(AT_FDCWD, state_);
        struct stat st {};
        if (!folder_ && errno == ENOENT)
            continue;
        if (!folder_ || flock(folder_.get(), LOCK_EX) < 0 || fstat(folder_.get(), &st) < 0)
            return failure(-errno, "open of " + state_);
        if (st.st_uid != geteuid() || (st.st_mode & 022) != 0)
            return failure(-EPERM, "use of " + state_, "others can write to it: remove it");
        if (st.st_nlink == 0) // the last one has removed it meanwhile
            continue;
        if (fchmod(folder_.get(), 0755) < 0) // whatever the caller's umask is
            return failure(-errno, "chmod of " + state_);
        return {};
    }
    return failure(-EBUSY, "lock of " + state_);
}

Result<void> UserFolders::take_lock() {
    lock_ = own(openat(folder_.get(), lock_name().c_str(),
                       O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!lock_ || flock(lock_.get(), LOCK_SH) < 0)
        return failure(-errno, "lock of " + path(lock_name()));
    return {};
}

Result<void> UserFolders::make_runtime() {
    const std::string name = "runtime-" + uid();
    if (mkdirat(folder_.get(), name.c_str(), 0700) < 0 && errno != EEXIST)
        return failure(-errno, "creating " + runtime());
    const Fd made = open_folder(folder_.get(), name);
    if (!made || fchown(made.get(), user_.uid, user_.gid) < 0)
        return failure(-errno, "giving " + runtime() + " to " + user_.name);
    return {};
}

Result<void> UserFolders::mount_hugetlbfs(std::uint64_t page) {
    const std::string target = hugetlbfs(page);
    if (mkdir(target.c_str(), 0700) < 0 && errno != EEXIST)
        return failure(-errno, "creating " + target);
    if (is_hugetlbfs(target))
        return {};
    const std::string data = "pagesize=" + std::to_string(page) + ",uid=" + uid() +
                             ",gid=" + std::to_string(user_.gid) + ",mode=0700";
    if (mount("dpdk-iommufd", target.c_str(), "hugetlbfs", MS_NOSUID | MS_NODEV, data.c_str()) < 0)
        return failure(-errno, "mount of a hugetlbfs at " + target);
    return {};
}

// The lock is held alone.
void UserFolders::remove_all() {
    // What is in the runtime folder is the user's, links too: he removes it.
    bool done = false;
    const std::string folder = runtime();
    (void)ask_as(user_, 20, &done, [&](bool *result) {
        std::error_code error;
        for (const std::string &name : names_in(folder))
            (void)fs::remove_all(fs::path(folder) / name, error);
        *result = !error;
    });
    (void)rmdir(folder.c_str());
    const std::string prefix = "hugetlbfs-" + uid() + "-";
    for (const std::string &name : names_in(state_))
        if (name.starts_with(prefix)) {
            while (is_hugetlbfs(path(name)) &&
                   umount2(path(name).c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
            }
            (void)rmdir(path(name).c_str());
        }
    (void)unlinkat(folder_.get(), lock_name().c_str(), 0);
}

void UserFolders::clean_up() {
    (void)flock(folder_.get(), LOCK_EX);
    if (lock_ && flock(lock_.get(), LOCK_EX | LOCK_NB) == 0)
        remove_all();
    lock_.reset();
    (void)rmdir(state_.c_str()); // fails while another user has files in it
    folder_.reset();
}

// Of those that were killed with their broker.
void UserFolders::remove_stale() {
    constexpr std::string_view prefix = "user-";
    for (const std::string &name : names_in(state_)) {
        uid_t uid = 0;
        const char *end = name.data() + name.size();
        if (!name.starts_with(prefix) || !name.ends_with(".lock") ||
            std::from_chars(name.data() + prefix.size(), end, uid).ptr != end - 5)
            continue;
        UserFolders other(state_, {std::to_string(uid), uid, uid, false});
        other.folder_ = open_folder(AT_FDCWD, state_);
        other.lock_ = own(openat(folder_.get(), name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        if (other.lock_ && flock(other.lock_.get(), LOCK_EX | LOCK_NB) == 0)
            other.remove_all();
    }
}

} // namespace run
