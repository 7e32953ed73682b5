// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "launch.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace run {
namespace {

constexpr cap_value_t wanted[] = {CAP_SYS_RAWIO, CAP_IPC_LOCK};
constexpr int forwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

int complain(const char *what) {
    (void)std::fprintf(stderr, "dpdk-iommufd-run: %s: %s\n", what, std::strerror(errno));
    return -1;
}

bool is_wanted(cap_value_t capability) {
    return capability == wanted[0] || capability == wanted[1];
}

// Nothing the command executes can regain another one. Needs CAP_SETPCAP; without it the
// command's own sets are what limits it.
void limit_bounding_set() {
    for (cap_value_t capability = 0; cap_get_bound(capability) >= 0; ++capability)
        if (!is_wanted(capability))
            (void)cap_drop_bound(capability);
}

int set_capabilities() {
    cap_t all = cap_init();
    int ret = 0;
    for (const auto flag : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE})
        ret |= cap_set_flag(all, flag, 2, wanted, CAP_SET);
    ret |= cap_set_proc(all);
    (void)cap_free(all);
    if (ret != 0)
        return complain("setting capabilities");
    (void)cap_reset_ambient();
    for (const cap_value_t capability : wanted)
        if (cap_set_ambient(capability, CAP_SET) < 0)
            return complain("setting ambient capabilities");
    return 0;
}

int become(const User &user) {
    limit_bounding_set();
    if (!user.is_caller) {
        if (prctl(PR_SET_KEEPCAPS, 1) < 0)
            return complain("prctl(PR_SET_KEEPCAPS)");
        if (initgroups(user.name.c_str(), user.gid) < 0 && setgroups(0, nullptr) < 0)
            return complain("setting groups");
        if (setresgid(user.gid, user.gid, user.gid) < 0 ||
            setresuid(user.uid, user.uid, user.uid) < 0)
            return complain("changing the user");
    }
    return set_capabilities();
}

void set_environment(const Options &options, const Ground &ground, const std::string &runtime) {
    const char *others = std::getenv("LD_PRELOAD");
    std::string preload = ground.library;
    if (others != nullptr && *others != '\0')
        preload += std::string(":") + others;
    (void)setenv("LD_PRELOAD", preload.c_str(), 1);
    // The library binds no other (bus/preload/allow.hpp).
    std::string devices;
    for (const std::string &bdf : options.devices)
        devices += (devices.empty() ? "" : " ") + bdf;
    if (devices.empty())
        (void)unsetenv("DPDK_IOMMUFD_DEVICES");
    else
        (void)setenv("DPDK_IOMMUFD_DEVICES", devices.c_str(), 1);
    if (!runtime.empty())
        (void)setenv("XDG_RUNTIME_DIR", runtime.c_str(), 1);
}

[[noreturn]] void execute(const Options &options, const Ground &ground, const std::string &runtime,
                          const sigset_t &mask) {
    if (become(ground.user) < 0)
        _exit(126);
    set_environment(options, ground, runtime);
    std::vector<char *> arguments;
    for (const std::string &word : options.command)
        arguments.push_back(const_cast<char *>(word.c_str()));
    arguments.push_back(nullptr);
    (void)sigprocmask(SIG_SETMASK, &mask, nullptr);
    (void)execv(ground.program.c_str(), arguments.data());
    const int status = errno == ENOENT ? 127 : 126;
    (void)complain(ground.program.c_str());
    _exit(status);
}

// Passes signals on until the child has ended; its status.
int stand_by(pid_t child, const sigset_t &signals) {
    while (true) {
        int status = 0;
        const pid_t ended = waitpid(child, &status, WNOHANG);
        if (ended == child)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        if (ended < 0)
            return 1;
        siginfo_t info{};
        const int signal = sigwaitinfo(&signals, &info);
        // The terminal sends its signals to the child as well.
        if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL)
            (void)kill(child, signal);
    }
}

} // namespace

int launch(const Options &options, const Ground &ground, const std::string &runtime) {
    sigset_t signals;
    sigset_t before;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGCHLD);
    for (const int signal : forwarded)
        (void)sigaddset(&signals, signal);
    (void)sigprocmask(SIG_BLOCK, &signals, &before);
    const pid_t child = fork();
    if (child < 0) {
        (void)complain("fork");
        return 126;
    }
    if (child == 0)
        execute(options, ground, runtime, before);
    return stand_by(child, signals);
}

} // namespace run
