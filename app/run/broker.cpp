// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "broker.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include <fcntl.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/broker/message.hpp"

namespace run {
namespace {

using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

constexpr int first_number = 200; // above what programs take for granted (LISTEN_FDS)

bool close_between(int first, int last) {
    return first > last || syscall(SYS_close_range, first, last, 0) == 0;
}

// A service manager's SIGTERM to all of a group is for the command; its end is ours.
void leave_the_callers_group() {
    (void)setsid();
    [[maybe_unused]] const int left = chdir("/"); // or the folder stays busy, and nothing else
    for (const int number : {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE})
        (void)std::signal(number, SIG_IGN);
    (void)std::signal(SIGCHLD, SIG_DFL);
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void be_broker(const iommufd::broker::Policy &policy, int socket) {
    (void)prctl(PR_SET_NAME, "iommufd-broker");
    // To open cdevs and to call GET_PA; and nodes that a rule has given to somebody.
    if (!limit_capabilities({CAP_SYS_RAWIO, CAP_DAC_OVERRIDE}))
        _exit(1);
    try {
        iommufd::broker::serve(iommufd::linux_kernel(), policy, socket);
    } catch (...) {
        _exit(1); // no memory left for it
    }
    _exit(0);
}

// After a broker that was killed the command lives on, with what is mapped. Its questions fail from
// now on, those that were on their way too; its folders stay until nobody has the socket.
void wait_for_holders(int socket) {
    (void)shutdown(socket, SHUT_RD);
    std::uint8_t message[iommufd::broker::max_request];
    int lent = -1;
    ssize_t got = 0;
    while ((got = iommufd::broker::receive_message(socket, message, sizeof(message), &lent,
                                                   MSG_DONTWAIT)) > 0 ||
           got == -EBADMSG)
        if (lent >= 0)
            (void)close(lent);
    pollfd end{.fd = socket, .events = 0, .revents = 0};
    while ((end.revents & (POLLHUP | POLLERR | POLLNVAL)) == 0)
        (void)poll(&end, 1, -1);
}

[[noreturn]] void be_janitor(const iommufd::broker::Policy &policy, UserFolders *folders,
                             int socket) {
    leave_the_callers_group();
    // A pipe that is the command's output must end with the command.
    if (!keep_only({socket, folders != nullptr ? folders->lock() : -1,
                    folders != nullptr ? folders->folder() : -1}))
        _exit(1);
    if (folders == nullptr)
        be_broker(policy, socket);
    (void)prctl(PR_SET_NAME, "iommufd-janitor");
    pid_t broker = -1;
    // The command is on its way: it waits for its answers until there are processes again.
    while ((broker = fork()) < 0)
        (void)usleep(100000);
    if (broker == 0)
        be_broker(policy, socket);
    while (waitpid(broker, nullptr, 0) < 0 && errno == EINTR) {
    }
    wait_for_holders(socket);
    folders->clean_up();
    _exit(0);
}

} // namespace

bool keep_only(std::initializer_list<int> descriptors) {
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return false;
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
        if (dup2(null, standard) < 0)
            return false;
    std::vector<int> kept(descriptors);
    std::erase(kept, -1);
    std::sort(kept.begin(), kept.end());
    int next = STDERR_FILENO + 1;
    for (const int fd : kept) {
        if (!close_between(next, fd - 1))
            return false;
        next = fd + 1;
    }
    return close_between(next, INT32_MAX);
}

bool limit_capabilities(std::initializer_list<int> kept) {
    cap_t before = cap_get_proc();
    cap_t after = cap_init();
    bool ok = before != nullptr && after != nullptr;
    for (const cap_value_t capability : kept) {
        cap_flag_value_t value = CAP_CLEAR;
        if (ok && cap_get_flag(before, capability, CAP_PERMITTED, &value) == 0 && value == CAP_SET)
            for (const auto flag : {CAP_PERMITTED, CAP_EFFECTIVE})
                ok = ok && cap_set_flag(after, flag, 1, &capability, CAP_SET) == 0;
    }
    ok = ok && cap_set_proc(after) == 0;
    (void)cap_free(before);
    (void)cap_free(after);
    return ok && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_DUMPABLE, 0) == 0;
}

Result<int> inheritable(int fd) {
    int number = fcntl(fd, F_DUPFD, first_number);
    if (number < 0)
        number = fcntl(fd, F_DUPFD, 0); // RLIMIT_NOFILE is that low
    if (number < 0)
        return failure(-errno, "the command's descriptor of the broker");
    return number;
}

Result<int> start_broker(const iommufd::broker::Policy &policy, UserFolders *folders) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return failure(-errno, "socketpair for the broker");
    const Fd near(iommufd::linux_kernel(), ends[0]);
    const Fd far(iommufd::linux_kernel(), ends[1]);
    // The child between is the janitor's parent, so that it is not the command's child.
    const pid_t between = fork();
    if (between < 0)
        return failure(-errno, "fork of the broker");
    if (between == 0) {
        const pid_t janitor = fork();
        if (janitor == 0)
            be_janitor(policy, folders, far.get());
        _exit(janitor > 0 ? 0 : 1);
    }
    int status = 0;
    // With SIGCHLD ignored by the caller there is nothing to be had.
    while (waitpid(between, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0)
        return failure(-EAGAIN, "fork of the broker");
    return inheritable(near.get());
}

} // namespace run
