// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The socket of dpdk-iommufd-run --serve. Nobody but root, or who runs this, decides what its name
// leads to: every folder on the way is his and nobody else may write to it, and the socket is made,
// given its owner and removed through the last one's descriptor.

#include <string>

#include <sys/types.h>

#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"

namespace run {

// Who may connect by the file's mode.
struct SocketOwner {
    uid_t uid;
    gid_t gid;
    mode_t mode;
};

class NamedSocket {
public:
    // Listens. The last folder is made if it is missing. A socket of this name that nobody serves
    // any more is replaced. trusted: what need not be looked at, "/" but in tests.
    static iommufd::Result<NamedSocket> create(const std::string &path, const SocketOwner &owner,
                                               const std::string &trusted = "/");
    NamedSocket(NamedSocket &&) noexcept = default;
    NamedSocket &operator=(NamedSocket &&) = delete;
    NamedSocket(const NamedSocket &) = delete;
    NamedSocket &operator=(const NamedSocket &) = delete;
    // Removes it, unless another has taken its place.
    ~NamedSocket();

    [[nodiscard]] int fd() const { return socket_.get(); }

private:
    NamedSocket(std::string path, std::string name, iommufd::Fd folder)
        : path_(std::move(path)), name_(std::move(name)), folder_(std::move(folder)) {}

    iommufd::Result<void> remove_stale();
    iommufd::Result<void> listen(const SocketOwner &owner);
    // Where the kernel finds it, whatever happens to the path.
    [[nodiscard]] std::string address() const;
    // Whether the name still leads to what this has made.
    [[nodiscard]] bool is_ours() const;

    std::string path_; // for messages
    std::string name_; // in folder_
    iommufd::Fd folder_;
    iommufd::Fd socket_;
    ino_t inode_ = 0;
};

} // namespace run
