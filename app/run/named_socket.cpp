// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "named_socket.hpp"

#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace run {
namespace {

namespace fs = std::filesystem;
using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

constexpr int folder_flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Fd own(int fd) {
    return {iommufd::linux_kernel(), fd};
}

Result<void> check_folder(const Fd &folder, const fs::path &path) {
    struct stat st {};
    if (fstat(folder.get(), &st) < 0)
        return failure(-errno, "looking at " + path.string());
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022) != 0)
        return failure(-EPERM, "use of " + path.string(),
                       "others could put another socket in the place of this one: choose a folder "
                       "below which all is root's, as /run/dpdk");
    return {};
}

// Step by step, without a link: what has been looked at is what is used.
Result<Fd> open_folder(const fs::path &path, const fs::path &trusted) {
    std::error_code error;
    const fs::path real = fs::weakly_canonical(path, error);
    const fs::path rest = real.lexically_relative(trusted);
    if (error || rest.empty() || *rest.begin() == "..")
        return failure(error ? -error.value() : -EINVAL, "looking for " + path.string());
    fs::path at = trusted;
    Fd folder = own(open(trusted.c_str(), folder_flags));
    if (!folder)
        return failure(-errno, "open of " + trusted.string());
    if (trusted == "/")
        TRY(check_folder(folder, at));
    for (auto step = rest.begin(); step != rest.end(); ++step) {
        if (*step == ".")
            continue;
        at /= *step;
        if (std::next(step) == rest.end() && mkdirat(folder.get(), step->c_str(), 0755) < 0 &&
            errno != EEXIST)
            return failure(-errno, "creating " + at.string());
        folder = own(openat(folder.get(), step->c_str(), folder_flags));
        if (!folder)
            return failure(-errno, "open of " + at.string());
        TRY(check_folder(folder, at));
    }
    return folder;
}

sockaddr_un address_of(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
}

Fd make_socket() {
    return own(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

} // namespace

std::string NamedSocket::address() const {
    return "/proc/self/fd/" + std::to_string(folder_.get()) + "/" + name_;
}

Result<NamedSocket> NamedSocket::create(const std::string &path, const SocketOwner &owner,
                                        const std::string &trusted) {
    const fs::path whole = fs::path(path).lexically_normal();
    const std::string name = whole.filename();
    if (!whole.is_absolute() || name.empty() || name == "." || name == ".." || name.size() > 64)
        return failure(-EINVAL, "use of " + path,
                       "a socket's path begins with a slash and ends with a name of 64 bytes at "
                       "most");
    NamedSocket made(path, name, TRY(open_folder(whole.parent_path(), trusted)));
    // Of two that start at once one finds the other's socket.
    if (flock(made.folder_.get(), LOCK_EX) < 0)
        return failure(-errno, "lock of the folder of " + path);
    auto ok = made.remove_stale();
    if (ok)
        ok = made.listen(owner);
    (void)flock(made.folder_.get(), LOCK_UN);
    if (!ok)
        return tl::make_unexpected(ok.error());
    return made;
}

Result<void> NamedSocket::remove_stale() {
    struct stat st {};
    if (fstatat(folder_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) < 0)
        return {};
    if (!S_ISSOCK(st.st_mode))
        return failure(-EEXIST, "creating " + path_, "there is a file of this name: remove it");
    const Fd probe = make_socket();
    const sockaddr_un there = address_of(address());
    const bool is_served =
        !probe ||
        connect(probe.get(), reinterpret_cast<const sockaddr *>(&there), sizeof(there)) == 0 ||
        errno != ECONNREFUSED;
    if (is_served)
        return failure(-EADDRINUSE, "serving " + path_, "another process serves it: end it first");
    if (unlinkat(folder_.get(), name_.c_str(), 0) < 0)
        return failure(-errno, "removing " + path_ + ", which nobody serves");
    return {};
}

Result<void> NamedSocket::listen(const SocketOwner &owner) {
    socket_ = make_socket();
    const sockaddr_un here = address_of(address());
    const mode_t before = umask(0177); // until it has its owner
    const int ret =
        socket_ ? bind(socket_.get(), reinterpret_cast<const sockaddr *>(&here), sizeof(here)) : -1;
    const int error = errno;
    (void)umask(before);
    if (ret < 0)
        return failure(-error, "creating " + path_);
    struct stat st {};
    if (fstatat(folder_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0)
        inode_ = st.st_ino;
    if (fchownat(folder_.get(), name_.c_str(), owner.uid, owner.gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(folder_.get(), name_.c_str(), owner.mode, 0) < 0)
        return failure(-errno, "giving " + path_ + " to its users");
    if (::listen(socket_.get(), SOMAXCONN) < 0)
        return failure(-errno, "listening on " + path_);
    return {};
}

bool NamedSocket::is_ours() const {
    struct stat st {};
    return inode_ != 0 && fstatat(folder_.get(), name_.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISSOCK(st.st_mode) && st.st_ino == inode_;
}

NamedSocket::~NamedSocket() {
    if (socket_ && is_ours())
        (void)unlinkat(folder_.get(), name_.c_str(), 0);
}

} // namespace run
