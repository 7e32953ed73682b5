// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "namespace.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "core/sys/fd.hpp"

namespace run {

using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

namespace {

Result<void> cover(const std::string &system, const std::string &own) {
    const Fd point(iommufd::linux_kernel(),
                   open(system.c_str(), O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC));
    struct statfs st {};
    if (!point || fstatfs(point.get(), &st) < 0 || st.f_type != HUGETLBFS_MAGIC)
        return {}; // none by now: whoever has exchanged it stops no other user's command by that
    const std::string through = "/proc/self/fd/" + std::to_string(point.get());
    if (mount(own.c_str(), through.c_str(), nullptr, MS_BIND, nullptr) < 0)
        return failure(-errno, "mount of " + own + " over " + system);
    return {};
}

} // namespace

Result<void> show_own_hugetlbfs(const UserFolders &folders,
                                const std::vector<HugetlbfsMount> &mounts) {
    if (unshare(CLONE_NEWNS) < 0)
        return failure(-errno, "unshare of the mount namespace");
    if (mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0)
        return failure(-errno, "keeping mounts of the command to itself",
                       errno == EINVAL ? "the root folder is no mount point here, as in a chroot: "
                                         "make it one ('mount --rbind DIR DIR' before the "
                                         "chroot), or run the command as the caller, without "
                                         "--user"
                                       : "");
    for (const HugetlbfsMount &m : mounts)
        if (auto ok = cover(m.path, folders.hugetlbfs(m.page)); !ok)
            return ok;
    // EAL takes the first hugetlbfs of a size that it finds, which might be another user's.
    std::error_code error;
    for (const auto &entry : std::filesystem::directory_iterator(folders.state(), error))
        if (entry.path().filename().string().starts_with("hugetlbfs-"))
            (void)umount2(entry.path().c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    return {};
}

} // namespace run
