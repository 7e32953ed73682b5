// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "child.hpp"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace run {
namespace {

constexpr cap_value_t readers[] = {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH};

bool limit_capabilities(bool keep_readers) {
    cap_t before = cap_get_proc();
    cap_t after = cap_init();
    bool ok = before != nullptr && after != nullptr;
    for (const cap_value_t &capability : readers) {
        cap_flag_value_t value = CAP_CLEAR;
        if (!ok || !keep_readers || cap_get_flag(before, capability, CAP_PERMITTED, &value) < 0 ||
            value == CAP_CLEAR)
            continue;
        for (const auto flag : {CAP_PERMITTED, CAP_EFFECTIVE})
            ok = ok && cap_set_flag(after, flag, 1, &capability, CAP_SET) == 0;
    }
    ok = ok && cap_set_proc(after) == 0;
    (void)cap_free(before);
    (void)cap_free(after);
    return ok;
}

long milliseconds_now() {
    timespec now{};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000L;
}

bool read_all(int fd, void *data, std::size_t length, int seconds) {
    const long end = milliseconds_now() + seconds * 1000L;
    auto *at = static_cast<char *>(data);
    while (length > 0) {
        const long left = end - milliseconds_now();
        pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
        if (left <= 0)
            return false;
        const int ret = poll(&ready, 1, static_cast<int>(left));
        if (ret < 0 && errno == EINTR)
            continue;
        const ssize_t got = ret > 0 ? read(fd, at, length) : 0;
        if (got <= 0)
            return false;
        at += got;
        length -= static_cast<std::size_t>(got);
    }
    return true;
}

} // namespace

bool become_powerless(const User &user) {
    if (!user.is_caller &&
        ((initgroups(user.name.c_str(), user.gid) < 0 && setgroups(0, nullptr) < 0) ||
         setresgid(user.gid, user.gid, user.gid) < 0 ||
         setresuid(user.uid, user.uid, user.uid) < 0))
        return false;
    return limit_capabilities(user.is_caller) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_DUMPABLE, 0) == 0;
}

bool write_all(int fd, const void *data, std::size_t length) {
    const auto *at = static_cast<const char *>(data);
    while (length > 0) {
        const ssize_t put = write(fd, at, length);
        if (put <= 0)
            return false;
        at += put;
        length -= static_cast<std::size_t>(put);
    }
    return true;
}

bool ask_child(const User &user, int seconds, void *answer, std::size_t length,
               void (*work)(void *arg, int fd), void *arg) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        // A change of ids takes the signal back.
        if (!become_powerless(user) || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
            _exit(1);
        try {
            work(arg, ends[1]);
        } catch (...) {
            _exit(1); // no memory left for it
        }
        _exit(0);
    }
    (void)close(ends[1]);
    const bool answered = child > 0 && read_all(ends[0], answer, length, seconds);
    (void)close(ends[0]);
    if (child > 0) {
        (void)kill(child, SIGKILL);
        // The caller may ignore SIGCHLD: then there is nothing to wait for.
        while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    return answered;
}

} // namespace run
