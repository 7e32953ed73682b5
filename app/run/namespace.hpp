// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The user's own hugetlbfs in the place of the system's, for the command and its children alone.
//
// A mount point may be below a folder of the user's, who can put a link in its place at any time.
// So it is opened without following one, must be a hugetlbfs, and is mounted over through the
// descriptor: nothing but a hugetlbfs is ever hidden.

#include <string>
#include <vector>

#include "core/sys/result.hpp"
#include "mounts.hpp"
#include "user_folders.hpp"

namespace run {

// For the calling process, which needs CAP_SYS_ADMIN.
iommufd::Result<void> show_own_hugetlbfs(const UserFolders &folders,
                                         const std::vector<HugetlbfsMount> &mounts);

} // namespace run
