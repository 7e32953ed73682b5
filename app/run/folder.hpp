// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Folders that root works in by their descriptors, so that what has been looked at is what is used.

#include <string>

#include <fcntl.h>

#include "core/sys/fd.hpp"

namespace run {

inline iommufd::Fd own(int fd) {
    return {iommufd::linux_kernel(), fd};
}

// The folder of this name in another, AT_FDCWD for a path. A link is not followed: ENOTDIR. errno
// is open(2)'s.
inline iommufd::Fd open_folder(int in, const std::string &name) {
    return own(openat(in, name.c_str(), O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

} // namespace run
