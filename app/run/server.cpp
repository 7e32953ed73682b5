// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "server.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker.hpp"
#include "core/broker/message.hpp"

namespace run {
namespace {

using iommufd::Fd;
namespace broker = iommufd::broker;

constexpr std::chrono::milliseconds pause{100}; // where descriptors have run out

void greet(const Fd &connection, int error) {
    const broker::Reply greeting{.magic = broker::magic,
                                 .version = broker::version,
                                 .type = static_cast<std::uint16_t>(broker::Type::connect),
                                 .error = error,
                                 .count = 0};
    (void)broker::send_message(connection.get(), &greeting, sizeof(greeting), -1, MSG_DONTWAIT);
}

bool has_ended(const Fd &connection) {
    pollfd end{.fd = connection.get(), .events = 0, .revents = 0};
    return poll(&end, 1, 0) > 0;
}

std::string describe(const ucred &peer) {
    return "process " + std::to_string(peer.pid) + " of user " + std::to_string(peer.uid);
}

} // namespace

Server::~Server() {
    for (const Broker &one : brokers_)
        (void)kill(one.pid, SIGKILL);
    const auto end = Clock::now() + std::chrono::seconds(2);
    for (const Broker &one : brokers_) {
        // One that its client keeps in the kernel ends when that lets go.
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        pollfd ended{.fd = one.ended.get(), .events = POLLIN, .revents = 0};
        if (poll(&ended, 1, static_cast<int>(std::max<long>(left, 0))) > 0)
            (void)waitpid(one.pid, nullptr, WNOHANG);
    }
}

std::size_t Server::clients_of(uid_t user) const {
    const auto is_his = [&](const ucred &peer) { return peer.uid == user; };
    return static_cast<std::size_t>(
        std::count_if(waiting_.begin(), waiting_.end(),
                      [&](const Waiting &one) { return is_his(one.peer); }) +
        std::count_if(brokers_.begin(), brokers_.end(),
                      [&](const Broker &one) { return is_his(one.client); }));
}

void Server::refuse(const Fd &connection, const ucred &peer, int error) {
    greet(connection, error);
    const auto now = Clock::now();
    if (now < next_complaint_)
        return;
    next_complaint_ = now + std::chrono::seconds(1);
    log_("refused " + describe(peer) +
         (error == -EPERM ? ", which is none of those that are served" : ": too many clients"));
}

void Server::admit(Fd connection) {
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return;
    if (!broker::may_connect(policy_.clients, connection.get()))
        return refuse(connection, peer, -EPERM);
    if (waiting_.size() + brokers_.size() >= limits_.clients ||
        clients_of(peer.uid) >= limits_.clients_of_user)
        return refuse(connection, peer, -EUSERS);
    const auto now = Clock::now();
    auto &next = next_[peer.uid];
    const auto due = std::max(now, next);
    next = due + limits_.interval;
    waiting_.push_back({std::move(connection), peer, due});
}

void Server::accept_all(int listener) {
    for (int i = 0; i < 64; ++i) { // those that have ended are to be seen to as well
        const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd >= 0) {
            admit(Fd(iommufd::linux_kernel(), fd));
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            next_accept_ = Clock::now() + pause;
        return;
    }
}

void Server::be_broker(const Fd &connection) {
    (void)prctl(PR_SET_NAME, "iommufd-broker");
    const int leases = policy_.leases != nullptr ? policy_.leases->fd() : -1;
    if (!keep_only({connection.get(), leases}))
        _exit(1);
    try {
        broker::serve(kernel_, policy_, connection.get());
    } catch (...) {
        _exit(1); // no memory left for it
    }
    _exit(0);
}

void Server::start(Waiting client) {
    if (has_ended(client.connection))
        return;
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
            _exit(1);
        greet(client.connection, 0);
        be_broker(client.connection);
    }
    Fd ended(iommufd::linux_kernel(),
             pid > 0 ? static_cast<int>(syscall(SYS_pidfd_open, pid, 0)) : -1);
    if (!ended) {
        if (pid > 0) {
            (void)kill(pid, SIGKILL);
            (void)waitpid(pid, nullptr, 0);
        }
        return refuse(client.connection, client.peer, -EUSERS);
    }
    log_("serves " + describe(client.peer));
    brokers_.push_back({pid, std::move(ended), client.peer});
}

void Server::start_due() {
    const auto now = Clock::now();
    for (std::size_t i = 0; i < waiting_.size();) {
        if (waiting_[i].due > now) {
            ++i;
            continue;
        }
        Waiting client = std::move(waiting_[i]);
        waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
        start(std::move(client));
    }
    std::erase_if(next_, [&](const auto &one) { return one.second < now; });
}

void Server::reap(std::size_t broker) {
    const Broker one = std::move(brokers_[broker]);
    brokers_.erase(brokers_.begin() + static_cast<std::ptrdiff_t>(broker));
    while (waitpid(one.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    log_(describe(one.client) + " has ended, and all that had its connection");
}

int Server::milliseconds_to_next() const {
    auto next = Clock::time_point::max();
    const auto now = Clock::now();
    for (const Waiting &one : waiting_)
        next = std::min(next, one.due);
    if (next_accept_ > now)
        next = std::min(next, next_accept_);
    if (next == Clock::time_point::max())
        return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now).count();
    return static_cast<int>(std::clamp<long>(static_cast<long>(left), 0, 60000));
}

void Server::serve(int listener, int stop) {
    while (true) {
        const bool accepts = Clock::now() >= next_accept_;
        std::vector<pollfd> events;
        for (const Broker &one : brokers_)
            events.push_back({.fd = one.ended.get(), .events = POLLIN, .revents = 0});
        events.push_back({.fd = accepts ? listener : -1, .events = POLLIN, .revents = 0});
        events.push_back({.fd = stop, .events = POLLIN, .revents = 0});
        if (poll(events.data(), events.size(), milliseconds_to_next()) < 0 && errno != EINTR)
            return;
        if (events.back().revents != 0)
            return;
        const std::size_t listening = events.size() - 2;
        for (std::size_t i = listening; i-- > 0;)
            if (events[i].revents != 0)
                reap(i);
        if (events[listening].revents != 0)
            accept_all(listener);
        start_due();
    }
}

} // namespace run
