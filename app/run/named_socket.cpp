// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "named_socket.hpp"

#include <cerrno>
#include <climits>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "folder.hpp"

namespace run {
namespace {

namespace fs = std::filesystem;
using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

constexpr int max_links = 40; // as many as the kernel follows, path_resolution(7)

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

// The way to a folder, step by step. A link is followed where no user could exchange it, as the
// folders before it have been looked at when it is read: who connects follows it too.
class Way {
public:
    explicit Way(fs::path trusted) : trusted_(std::move(trusted)) {}

    // Its last folder is made if it is missing.
    Result<Fd> open(const fs::path &path) {
        TRY(begin(path));
        while (!rest_.empty()) {
            const std::string step = std::move(rest_.back());
            rest_.pop_back();
            if (!step.empty() && step != ".")
                TRY(take(step));
        }
        return std::move(folder_);
    }

private:
    Result<void> begin(const fs::path &path) {
        const fs::path within = path.lexically_relative(trusted_);
        const bool is_within = !within.empty() && *within.begin() != "..";
        at_ = is_within ? trusted_ : "/";
        folder_ = open_folder(AT_FDCWD, at_);
        if (!folder_)
            return failure(-errno, "open of " + at_.string());
        if (at_ == "/")
            TRY(check_folder(folder_, at_));
        add(is_within ? within : path.relative_path());
        return {};
    }

    void add(const fs::path &steps) {
        const std::vector<std::string> words(steps.begin(), steps.end());
        rest_.insert(rest_.end(), words.rbegin(), words.rend());
    }

    Result<void> take(const std::string &step) {
        const fs::path here = step == ".." ? at_.parent_path() : at_ / step;
        char target[PATH_MAX];
        const ssize_t length = readlinkat(folder_.get(), step.c_str(), target, sizeof(target));
        if (length >= 0)
            return follow(here, std::string(target, static_cast<std::size_t>(length)));
        if (rest_.empty() && errno == ENOENT && mkdirat(folder_.get(), step.c_str(), 0755) < 0 &&
            errno != EEXIST)
            return failure(-errno, "creating " + here.string());
        Fd next = open_folder(folder_.get(), step);
        if (!next)
            return failure(-errno, "open of " + here.string());
        folder_ = std::move(next);
        at_ = here;
        return check_folder(folder_, at_);
    }

    Result<void> follow(const fs::path &link, const fs::path &target) {
        if (++links_ > max_links)
            return failure(-ELOOP, "following " + link.string());
        if (target.is_absolute())
            return begin(target);
        add(target);
        return {};
    }

    fs::path trusted_;
    fs::path at_; // where folder_ is
    Fd folder_;
    std::vector<std::string> rest_; // of the way, the next step last
    int links_ = 0;
};

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
    const fs::path whole = path;
    const std::string name = whole.filename();
    if (!whole.is_absolute() || name.empty() || name == "." || name == ".." || name.size() > 64)
        return failure(-EINVAL, "use of " + path,
                       "a socket's path begins with a slash and ends with a name of 64 bytes at "
                       "most");
    NamedSocket made(path, name, TRY(Way(trusted).open(whole.parent_path())));
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
