// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "user.hpp"

#include <charconv>

#include <pwd.h>
#include <unistd.h>

#include "child.hpp"

namespace run {

std::optional<User> find_user(const std::string &name) {
    if (name.empty()) {
        const passwd *entry = getpwuid(getuid());
        return User{entry != nullptr ? entry->pw_name : std::to_string(getuid()), getuid(),
                    getgid(), true};
    }
    const passwd *entry = getpwnam(name.c_str());
    uid_t uid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
    const bool is_number = error == std::errc{} && end == name.data() + name.size();
    if (entry == nullptr && is_number)
        entry = getpwuid(uid);
    if (entry != nullptr)
        return User{entry->pw_name, entry->pw_uid, entry->pw_gid, entry->pw_uid == getuid()};
    // A number without an entry in the user database is a user too, in containers above all.
    if (is_number && uid != static_cast<uid_t>(-1))
        return User{name, uid, uid, uid == getuid()};
    return std::nullopt;
}

bool can_access(const User &user, const std::string &path, int mode) {
    bool can = false;
    return ask_as(user, 20, &can,
                  [&](bool *result) { *result = access(path.c_str(), mode) == 0; }) &&
           can;
}

} // namespace run
