// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "serve.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>

#include <grp.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker.hpp"
#include "named_socket.hpp"
#include "server.hpp"

namespace run {
namespace {

using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

constexpr int so_peerpidfd = 77; // of asm-generic/socket.h since Linux 6.5

std::optional<gid_t> find_group(const std::string &name) {
    if (const group *entry = getgrnam(name.c_str()); entry != nullptr)
        return entry->gr_gid;
    gid_t gid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), gid);
    if (error != std::errc{} || end != name.data() + name.size() || gid == static_cast<gid_t>(-1))
        return std::nullopt;
    return gid;
}

Result<iommufd::broker::Clients> clients_of(const Options &options) {
    iommufd::broker::Clients clients;
    for (const std::string &name : options.served_users) {
        const auto user = find_user(name);
        if (!user)
            return failure(-ENOENT, "looking for user '" + name + "'");
        clients.users.push_back(user->uid);
    }
    for (const std::string &name : options.served_groups) {
        const auto group = find_group(name);
        if (!group)
            return failure(-ENOENT, "looking for group '" + name + "'");
        clients.groups.push_back(*group);
    }
    if (clients.users.empty() && clients.groups.empty())
        clients.users.push_back(getuid());
    return clients;
}

// As narrow as a file's mode can be; who may connect is looked at when he does.
SocketOwner owner_of(const iommufd::broker::Clients &clients) {
    if (clients.users.size() == 1 && clients.groups.empty())
        return {clients.users[0], getegid(), 0600};
    if (clients.users.empty() && clients.groups.size() == 1)
        return {geteuid(), clients.groups[0], 0660};
    return {geteuid(), getegid(), 0666};
}

// The kernel charges what a client pins against the client's own limit, which in a container may be
// as low as 8 MiB. Who has made the channel is who pins; a pidfd tells that it still is who it was.
void raise_memlock_of(int channel) {
    ucred peer{};
    socklen_t length = sizeof(peer);
    int pidfd = -1;
    socklen_t pidfd_length = sizeof(pidfd);
    if (getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 || peer.pid <= 0 ||
        getsockopt(channel, SOL_SOCKET, so_peerpidfd, &pidfd, &pidfd_length) < 0)
        return;
    const Fd process(iommufd::linux_kernel(), pidfd);
    const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    // EPERM is a live process's answer too.
    if (syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0) == 0 || errno == EPERM)
        (void)prlimit(peer.pid, RLIMIT_MEMLOCK, &unlimited, nullptr);
}

// sd_notify(3): for units with Type=notify.
void tell_service_manager(const char *text) {
    const char *path = std::getenv("NOTIFY_SOCKET");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path == nullptr || (path[0] != '/' && path[0] != '@') ||
        std::strlen(path) >= sizeof(address.sun_path))
        return;
    const std::size_t length = std::strlen(path);
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    const Fd socket(iommufd::linux_kernel(), ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    (void)sendto(socket.get(), text, std::strlen(text), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr *>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

// The caller may have blocked or ignored them. Brokers inherit that these do not end them: they end
// with the server.
Fd take_signals() {
    sigset_t set;
    (void)sigemptyset(&set);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT}) {
        (void)std::signal(number, SIG_DFL);
        (void)sigaddset(&set, number);
    }
    (void)std::signal(SIGCHLD, SIG_DFL);
    (void)std::signal(SIGPIPE, SIG_IGN);
    (void)sigprocmask(SIG_SETMASK, &set, nullptr);
    return {iommufd::linux_kernel(), signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
}

void raise_descriptors() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void log(const std::string &line) {
    (void)std::fprintf(stderr, "dpdk-iommufd-run: %s.\n", line.c_str());
}

} // namespace

Result<void> serve(const Options &options, const Preflight &preflight) {
    const auto clients = TRY(clients_of(options));
    const auto leases = TRY(iommufd::broker::Leases::create());
    const auto socket = TRY(NamedSocket::create(options.socket, owner_of(clients)));
    const Fd signals = take_signals();
    if (!signals)
        return failure(-errno, "signalfd");
    raise_descriptors();
    // To open cdevs and call GET_PA, to open nodes that a rule has given to somebody, to raise what
    // a client may pin.
    if (!limit_capabilities({CAP_SYS_RAWIO, CAP_DAC_OVERRIDE, CAP_SYS_RESOURCE}))
        return failure(-errno, "setting capabilities");
    const iommufd::broker::Policy policy{
        .devices = preflight.devices,
        .clients = clients,
        .is_iommufd = iommufd::broker::iommufd_check(),
        .leases = &leases,
        .on_connect = raise_memlock_of,
    };
    Server server(iommufd::linux_kernel(), policy, {}, log);
    std::string devices;
    for (const std::string &bdf : preflight.devices)
        devices += " " + bdf;
    log("serves" + devices + " at " + options.socket);
    tell_service_manager("READY=1");
    server.serve(socket.fd(), signals.get());
    tell_service_manager("STOPPING=1");
    return {};
}

} // namespace run
