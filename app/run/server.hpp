// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// dpdk-iommufd-run --serve: a broker for each client that connects to a named socket.
//
//     server      accepts, and says by the kernel's word of the peer who is served
//       broker    of client 1 (core/broker/server.hpp), a process of its own
//       broker    of client 2
//
// A process for each, so that none waits for another: a client can make its own broker wait, by a
// descriptor that takes long to look at or to close, or by memory that takes long to pin. Who has a
// device is in the leases that they share. A broker ends with the last process that has its
// client's connection, and with the server.

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/socket.h>

#include "core/broker/server.hpp"
#include "core/sys/fd.hpp"

namespace run {

struct ServerLimits {
    std::size_t clients = 256;
    std::size_t clients_of_user = 32;
    // Between two of a user's: what a broker costs to start.
    std::chrono::milliseconds interval{50};
};

class Server {
public:
    // All outlive it. log: lines for the administrator, two a client, as fast as clients may come.
    Server(iommufd::Kernel &kernel, iommufd::broker::Policy policy, const ServerLimits &limits,
           std::function<void(const std::string &line)> log)
        : kernel_(kernel), policy_(std::move(policy)), limits_(limits), log_(std::move(log)) {}
    Server(const Server &) = delete;
    Server &operator=(const Server &) = delete;
    // The brokers end, what their clients have mapped stays.
    ~Server();

    // Until stop can be read. listener: listens, and does not block.
    void serve(int listener, int stop);

private:
    using Clock = std::chrono::steady_clock;
    struct Waiting {
        iommufd::Fd connection;
        ucred peer;
        Clock::time_point due;
    };
    struct Broker {
        pid_t pid;
        iommufd::Fd ended; // a pidfd
        ucred client;
    };

    void accept_all(int listener);
    void admit(iommufd::Fd connection);
    void refuse(const iommufd::Fd &connection, const ucred &peer, int error);
    void start_due();
    void start(Waiting client);
    [[noreturn]] void be_broker(const iommufd::Fd &connection);
    void reap(std::size_t broker);
    [[nodiscard]] std::size_t clients_of(uid_t user) const;
    [[nodiscard]] int milliseconds_to_next() const;

    iommufd::Kernel &kernel_;
    iommufd::broker::Policy policy_;
    ServerLimits limits_;
    std::function<void(const std::string &line)> log_;
    std::vector<Waiting> waiting_;
    std::vector<Broker> brokers_;
    std::map<uid_t, Clock::time_point> next_; // of a user's clients
    Clock::time_point next_accept_;           // after there were no descriptors
    Clock::time_point next_complaint_;
};

} // namespace run
