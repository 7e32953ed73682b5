// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// dpdk-iommufd-run: an unmodified DPDK application with DPDK's own drivers over iommufd.

#include <cerrno>
#include <cstdio>
#include <exception>

#include <sys/capability.h>

#include "bind.hpp"
#include "check.hpp"
#include "launch.hpp"
#include "options.hpp"
#include "preflight.hpp"
#include "serve.hpp"

namespace {

using namespace run;

void complain(const std::string &problem) {
    (void)std::fprintf(stderr, "dpdk-iommufd-run: %s%s\n", problem.c_str(),
                       problem.ends_with('?') ? "" : ".");
}

int refuse(const std::string &problem) {
    complain(problem);
    return 1;
}

void show(const Options &options, const Preflight &preflight) {
    const User &user = preflight.user;
    std::printf("command: %s", preflight.program.c_str());
    for (std::size_t i = 1; i < options.command.size(); ++i)
        std::printf(" %s", options.command[i].c_str());
    std::printf("\nlibrary: %s\nuser: %s (%u), %s\n", preflight.library.c_str(), user.name.c_str(),
                user.uid,
                user.is_caller                      ? "with what the caller has"
                : options.kept_capabilities.empty() ? "without any capability"
                                                    : "with the capabilities that are to be kept");
    if (options.connect) {
        std::printf("broker: behind %s\n", options.socket.c_str());
    } else {
        std::printf("broker: with CAP_SYS_RAWIO, opens");
        for (const std::string &node : preflight.nodes)
            std::printf(" %s", node.c_str());
        std::printf("\n");
    }
    for (const std::string &bdf : preflight.devices)
        std::printf("device: %s%s\n", bdf.c_str(),
                    preflight.has_free_device ? "" : ", which another client has");
    for (const HugetlbfsMount &m : preflight.hugetlbfs)
        std::printf("hugetlbfs: %s%s\n", m.path.c_str(),
                    preflight.has_own_hugetlbfs ? ", one of the user's own in its place" : "");
}

int run_command(const Options &options) {
    const auto found = run_preflight(options);
    if (!found)
        return refuse(found.error().message());
    const Preflight &preflight = *found;
    if (options.dry_run) {
        show(options, preflight);
        return 0;
    }
    if (preflight.is_wrapper)
        complain(preflight.program + " does not use DPDK by itself; what it starts does if it is "
                                     "dynamically linked");
    if (auto advice = advise(options, preflight); !advice.empty())
        complain(advice);
    const iommufd::Error error =
        options.connect ? launch_connected(options, preflight) : launch(options, preflight);
    complain(error.message());
    return error.code == ENOENT && error.call.starts_with("exec of") ? 127 : 126;
}

int run_server(const Options &options) {
    const auto preflight = run_server_preflight(options);
    if (!preflight)
        return refuse(preflight.error().message());
    const auto done = serve(options, *preflight);
    return done ? 0 : refuse(done.error().message());
}

bool has_capability(cap_value_t capability) {
    cap_t all = cap_get_proc();
    cap_flag_value_t value = CAP_CLEAR;
    if (all != nullptr)
        (void)cap_get_flag(all, capability, CAP_PERMITTED, &value);
    (void)cap_free(all);
    return value == CAP_SET;
}

int show_check(bool json) {
    const Host host = read_host(iommufd::linux_kernel(), hugetlbfs_mounts());
    const Caller caller{.may_open_devices = has_capability(CAP_SYS_RAWIO),
                        .may_lock_memory = has_capability(CAP_IPC_LOCK)};
    const auto findings = check(host, caller);
    (void)std::fputs((json ? to_json(findings, host) : to_text(findings)).c_str(), stdout);
    return is_ready(findings) ? 0 : 1;
}

int show_status(bool json) {
    const Host host = read_host(iommufd::linux_kernel(), hugetlbfs_mounts());
    (void)std::fputs((json ? status_json(host) : status_text(host)).c_str(), stdout);
    return 0;
}

int change_binding(const Options &options) {
    const auto done = options.action == Action::bind ? bind_function(options.function)
                                                     : unbind_function(options.function);
    return done ? 0 : refuse(done.error().message());
}

int act(const Options &options) {
    switch (options.action) {
    case Action::help:
        (void)std::fputs(usage, stdout);
        return 0;
    case Action::version:
        std::printf("dpdk-iommufd-run %s\n", DPDK_IOMMUFD_VERSION);
        return 0;
    case Action::check:
        return show_check(options.json);
    case Action::status:
        return show_status(options.json);
    case Action::serve:
        return run_server(options);
    case Action::bind:
    case Action::unbind:
        return change_binding(options);
    default:
        return run_command(options);
    }
}

} // namespace

int main(int argc, char *argv[]) {
    try {
        const auto options = run::parse(argc, argv);
        if (!options) {
            (void)std::fprintf(stderr, "dpdk-iommufd-run: %s; see --help.\n",
                               options.error().message().c_str());
            return 2;
        }
        return act(*options);
    } catch (const std::exception &e) {
        return refuse(e.what());
    }
}
