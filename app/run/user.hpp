// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Whom the command runs as.

#include <optional>
#include <string>

#include <sys/types.h>

namespace run {

struct User {
    std::string name; // as messages show it
    uid_t uid = 0;
    gid_t gid = 0;
    bool is_caller = false;
};

// By name or number; the caller if it is empty. Nothing if there is no such user.
std::optional<User> find_user(const std::string &name);

// What access(2) would say to the user, who is not the caller perhaps. mode: R_OK, X_OK.
bool can_access(const User &user, const std::string &path, int mode);

} // namespace run
