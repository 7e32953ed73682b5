// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "launch.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "broker.hpp"
#include "core/broker/protocol.hpp"
#include "namespace.hpp"
#include "user_folders.hpp"

namespace run {
namespace {

using iommufd::Error;
using iommufd::failure;
using iommufd::Result;

// The kernel charges what the command pins against it.
void raise_memlock() {
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    rlimit limit{};
    if (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0 || getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

// Nothing the command executes can regain another one. Needs CAP_SETPCAP; without it the
// command's own sets are what limits it.
void limit_bounding_set(const std::vector<int> &kept) {
    for (cap_value_t capability = 0; cap_get_bound(capability) >= 0; ++capability)
        if (std::find(kept.begin(), kept.end(), capability) == kept.end())
            (void)cap_drop_bound(capability);
}

Result<void> set_capabilities(const std::vector<int> &kept) {
    cap_t all = cap_init();
    int ret = 0;
    for (const cap_value_t capability : kept)
        for (const auto flag : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE})
            ret |= cap_set_flag(all, flag, 1, &capability, CAP_SET);
    ret |= cap_set_proc(all);
    (void)cap_free(all);
    if (ret != 0)
        return failure(-errno, "setting capabilities");
    (void)cap_reset_ambient();
    for (const cap_value_t capability : kept)
        if (cap_set_ambient(capability, CAP_SET) < 0)
            return failure(-errno, "setting ambient capabilities");
    return {};
}

Result<void> become(const User &user, const std::vector<int> &kept) {
    limit_bounding_set(kept);
    if (prctl(PR_SET_KEEPCAPS, 1) < 0)
        return failure(-errno, "prctl(PR_SET_KEEPCAPS)");
    if (initgroups(user.name.c_str(), user.gid) < 0)
        return failure(-errno, "setting the groups of " + user.name);
    if (setresgid(user.gid, user.gid, user.gid) < 0 || setresuid(user.uid, user.uid, user.uid) < 0)
        return failure(-errno, "becoming user " + user.name);
    return set_capabilities(kept);
}

// A program with AddressSanitizer ends at once if its library is not the first.
std::string preload_of(const Preflight &preflight) {
    const char *others = std::getenv("LD_PRELOAD");
    std::string preload = others == nullptr ? "" : others;
    if (!preflight.sanitizer.empty() && preload.find(preflight.sanitizer) == std::string::npos)
        preload = preflight.sanitizer + (preload.empty() ? "" : ":") + preload;
    return preload + (preload.empty() ? "" : ":") + preflight.library;
}

void set_environment(const std::vector<std::string> &given, const Preflight &preflight,
                     int socket) {
    (void)setenv("LD_PRELOAD", preload_of(preflight).c_str(), 1);
    (void)setenv(iommufd::broker::socket_variable, std::to_string(socket).c_str(), 1);
    // The library binds no other (bus/preload/allow.hpp).
    std::string devices;
    for (const std::string &bdf : given)
        devices += (devices.empty() ? "" : " ") + bdf;
    if (devices.empty())
        (void)unsetenv("DPDK_IOMMUFD_DEVICES");
    else
        (void)setenv("DPDK_IOMMUFD_DEVICES", devices.c_str(), 1);
}

// EAL takes RUNTIME_DIRECTORY before XDG_RUNTIME_DIR, whoever may write to it.
void set_runtime(const User &user, const UserFolders &folders) {
    (void)setenv("XDG_RUNTIME_DIR", folders.runtime().c_str(), 1);
    const char *given = std::getenv("RUNTIME_DIRECTORY");
    if (given != nullptr && !can_access(user, given, W_OK | X_OK))
        (void)unsetenv("RUNTIME_DIRECTORY");
}

Error execute(const Options &options, const Preflight &preflight) {
    std::vector<char *> arguments;
    for (const std::string &word : options.command)
        arguments.push_back(const_cast<char *>(word.c_str()));
    arguments.push_back(nullptr);
    (void)execv(preflight.program.c_str(), arguments.data());
    return {errno, "exec of " + preflight.program, ""};
}

std::vector<std::uint64_t> page_sizes(const Preflight &preflight) {
    std::vector<std::uint64_t> pages;
    for (const HugetlbfsMount &m : preflight.hugetlbfs)
        if (preflight.has_own_hugetlbfs &&
            std::find(pages.begin(), pages.end(), m.page) == pages.end())
            pages.push_back(m.page);
    return pages;
}

} // namespace

Error launch_connected(const Options &options, const Preflight &preflight) {
    const auto socket = inheritable(preflight.connection.get());
    if (!socket)
        return socket.error();
    raise_memlock(); // the broker has raised it higher, if it could
    set_environment(preflight.devices, preflight, *socket);
    return execute(options, preflight);
}

Error launch(const Options &options, const Preflight &preflight) {
    std::optional<UserFolders> folders;
    if (!preflight.user.is_caller) {
        auto made = UserFolders::open(preflight.user, page_sizes(preflight));
        if (!made)
            return made.error();
        folders.emplace(std::move(*made));
        set_runtime(preflight.user, *folders);
    }
    iommufd::broker::Policy policy;
    policy.devices = preflight.devices;
    if (preflight.user.uid != 0) // root's command may become others
        policy.clients.users = {preflight.user.uid};
    policy.is_iommufd = iommufd::broker::iommufd_check();
    auto socket = start_broker(policy, folders ? &*folders : nullptr);
    if (!socket) {
        if (folders)
            folders->clean_up();
        return socket.error();
    }
    // From here on the janitor cleans up, as the socket is closed with this process at the latest.
    raise_memlock();
    set_environment(options.devices, preflight, *socket);
    if (folders && preflight.has_own_hugetlbfs)
        if (auto ok = show_own_hugetlbfs(*folders, preflight.hugetlbfs); !ok)
            return ok.error();
    if (!preflight.user.is_caller)
        if (auto ok = become(preflight.user, options.kept_capabilities); !ok)
            return ok.error();
    return execute(options, preflight);
}

} // namespace run
