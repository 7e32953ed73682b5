// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the commands of one user share while any of them lives:
//
//     /run/dpdk-iommufd/                          root's; nobody else writes to it
//         user-1000.lock                          a shared lock of each command's
//         runtime-1000/                           DPDK's runtime folder, the user's
//         hugetlbfs-1000-2048kB/                  a hugetlbfs of the user's own, per page size
//
// Nothing that is there already changes its owner. The last one to end removes all of it, and so
// gives its hugepages back; what a machine's crash of the launcher left, the next start removes.

#include <cstdint>
#include <string>
#include <vector>

#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"
#include "user.hpp"

namespace run {

class UserFolders {
public:
    static constexpr const char *default_state = "/run/dpdk-iommufd";

    // Made where they are missing. pages: sizes to mount a hugetlbfs for, in bytes.
    static iommufd::Result<UserFolders> open(const User &user,
                                             const std::vector<std::uint64_t> &pages,
                                             const std::string &state = default_state);

    [[nodiscard]] std::string runtime() const { return path("runtime-" + uid()); }
    [[nodiscard]] std::string hugetlbfs(std::uint64_t page) const {
        return path("hugetlbfs-" + uid() + "-" + std::to_string(page >> 10) + "kB");
    }
    [[nodiscard]] const std::string &state() const { return state_; }
    // What has to stay open for clean_up().
    [[nodiscard]] int lock() const { return lock_.get(); }
    [[nodiscard]] int folder() const { return folder_.get(); }

    // Remove it all, if no other command of the user's lives.
    void clean_up();

private:
    UserFolders(std::string state, User user) : state_(std::move(state)), user_(std::move(user)) {}

    [[nodiscard]] std::string uid() const { return std::to_string(user_.uid); }
    [[nodiscard]] std::string path(const std::string &name) const { return state_ + "/" + name; }
    [[nodiscard]] std::string lock_name() const { return "user-" + uid() + ".lock"; }

    iommufd::Result<void> open_state();
    iommufd::Result<void> take_lock();
    iommufd::Result<void> make_runtime();
    iommufd::Result<void> mount_hugetlbfs(std::uint64_t page);
    void remove_all();
    void remove_stale();

    std::string state_;
    User user_;
    iommufd::Fd folder_; // state_
    iommufd::Fd lock_;
};

} // namespace run
