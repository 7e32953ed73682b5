// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What belongs to the user while a command runs, and to its owner again afterwards.
//
// Several commands of one user share /dev/iommu, the hugetlbfs mounts and the runtime folder. Each
// path has a file below /run/dpdk-iommufd that says whose it was, and every run holds a shared
// lock on it: the last one gives the path back. A run that was killed leaves the file, and the
// next one knows from it what to restore.

#include <string>
#include <vector>

#include "user.hpp"

namespace run {

class Grants {
public:
    Grants() = default;
    Grants(const Grants &) = delete;
    Grants &operator=(const Grants &) = delete;
    ~Grants() { give_back(); }

    // What is wrong, as a sentence without its full stop; empty if nothing is.
    std::string take(const User &user, const std::string &path);
    // A folder of the user's own for DPDK's runtime files; path is set to it.
    std::string make_runtime_folder(const User &user, std::string *path);
    // Everything, in reverse order.
    void give_back();

private:
    struct Grant {
        std::string path;
        std::string record;
        int lock;
        bool is_runtime;
    };
    std::vector<Grant> grants_;
};

} // namespace run
