// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What belongs to the user while a command runs, and to its owner again afterwards.
//
// Several commands of one user share /dev/iommu, the hugetlbfs mounts and the runtime folder. Each
// path has a file below /run/dpdk-iommufd that says whose it was, and every run holds a shared
// lock on it: the last one gives the path back. A run that was killed leaves the file, and the
// next one knows from it what to restore.
//
// A user may own a folder above a path and put something else there at any time. So a path is
// opened once, what is open is checked, and its owner changes through the descriptor, which is
// held until the end. A killed run's is opened anew and must be the same inode.

#include <string>
#include <vector>

#include "core/sys/fd.hpp"
#include "user.hpp"

namespace run {

class Grants {
public:
    enum class Kind { node, hugetlbfs };

    explicit Grants(std::string state = "/run/dpdk-iommufd") : state_(std::move(state)) {}
    Grants(const Grants &) = delete;
    Grants &operator=(const Grants &) = delete;
    ~Grants() { give_back(); }

    // What is wrong, as a sentence without its full stop; empty if nothing is. A mount that is
    // neither root's nor the user's is left as it is.
    std::string take(const User &user, const std::string &path, Kind kind);
    // A folder of the user's own for DPDK's runtime files; path is set to it.
    std::string make_runtime_folder(const User &user, std::string *path);
    // Everything, in reverse order.
    void give_back();

private:
    struct Grant {
        iommufd::Fd lock;   // on the record
        std::string record; // its name
        iommufd::Fd object; // O_PATH; none for the runtime folder
        uid_t runtime = 0;  // whose runtime folder it is
    };

    std::string open_state();
    void restore_stale();
    void restore(const Grant &grant);
    [[nodiscard]] iommufd::Fd open_locked(const std::string &record) const;

    std::string state_;
    iommufd::Fd state_fd_;
    std::vector<Grant> grants_;
};

} // namespace run
