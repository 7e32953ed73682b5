// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A server and its clients over a real named socket: who is served, who has a device, and what one
// client cannot do to another.

#include <csignal>
#include <functional>
#include <thread>

#include <grp.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "broker.hpp"
#include "core/broker_test.hpp"
#include "named_socket.hpp"
#include "server.hpp"

using namespace run;
using namespace iommufd;
using namespace iommufd::broker;

namespace {

constexpr const char *device_path = "/dev/vfio/devices/noiommu-vfio0";
constexpr uid_t other_user = 65534;

// The status of work done in a child, that of another user perhaps.
int in_child(const std::function<int()> &work, uid_t user = 0) {
    const pid_t child = fork();
    if (child == 0) {
        if (user != 0 && (setgroups(0, nullptr) < 0 || setresgid(user, user, user) < 0 ||
                          setresuid(user, user, user) < 0))
            _exit(99);
        _exit(work());
    }
    int status = -1;
    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class ServerTest : public broker::test::BrokerTest {
protected:
    void SetUp() override {
        ASSERT_EQ(chmod(policy.sysfs.c_str(), 0755), 0);
        path = policy.sysfs / "socket";
    }
    void TearDown() override { end(); }

    void begin(const ServerLimits &limits = {}) {
        auto made = Leases::create();
        ASSERT_TRUE(made);
        leases.emplace(std::move(*made));
        policy.leases = &*leases;
        auto named = NamedSocket::create(path, {getuid(), getgid(), 0666}, policy.sysfs);
        ASSERT_TRUE(named) << named.error().message();
        int ends[2];
        ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
        const Fd reader(linux_kernel(), ends[0]);
        stop = Fd(linux_kernel(), ends[1]);
        server_process = fork();
        if (server_process == 0) {
            stop.reset();
            {
                Server server(nodes, policy, limits, [](const std::string &) {});
                server.serve(named->fd(), reader.get());
            }
            _exit(0);
        }
        // Its name goes with the test, as the child has ended without a destructor.
        socket_of_server.emplace(std::move(*named));
    }
    void end() {
        stop.reset();
        if (server_process > 0) {
            EXPECT_EQ(waitpid(server_process, nullptr, 0), server_process);
        }
        server_process = -1;
        socket_of_server.reset();
    }

    // 0, or what is in the way of the device.
    static int take(int connection) {
        broker::test::Nodes mine;
        BrokeredKernel kernel(mine, connection);
        const int cdev = kernel.open(device_path, O_RDWR);
        return cdev < 0 ? cdev : 0;
    }
    static bool soon(const std::function<bool()> &condition) {
        for (int i = 0; i < 500; ++i) {
            if (condition())
                return true;
            usleep(10000);
        }
        return false;
    }

    std::string path;
    std::optional<Leases> leases;
    std::optional<NamedSocket> socket_of_server;
    Fd stop;
    pid_t server_process = -1;
};

TEST_F(ServerTest, DeviceComesBackWithTheLastProcessOfItsClient) {
    begin();
    const Fd second(linux_kernel(), connect_to(path));
    ASSERT_TRUE(second);
    Fd first(linux_kernel(), connect_to(path));
    ASSERT_TRUE(first);
    EXPECT_EQ(take(first.get()), 0);
    EXPECT_EQ(take(second.get()), -EBUSY);
    EXPECT_EQ(take(first.get()), 0) << "again is nothing";
    // A child has the connection when its parent ends.
    const pid_t child = fork();
    if (child == 0) {
        (void)pause();
        _exit(0);
    }
    first.reset();
    usleep(100000);
    EXPECT_EQ(take(second.get()), -EBUSY);
    ASSERT_EQ(kill(child, SIGKILL), 0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    EXPECT_TRUE(soon([&] { return take(second.get()) == 0; }));
}

TEST_F(ServerTest, OpensAndBindsForItsClients) {
    begin();
    const Fd connection(linux_kernel(), connect_to(path));
    BrokeredKernel kernel(nodes, connection.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    ASSERT_TRUE(iommu);
    Fd cdev(kernel, kernel.open(device_path, O_RDWR));
    ASSERT_EQ(device_bind_iommufd(kernel, cdev.get(), iommu.get()), 0);
    EXPECT_TRUE(broker::test::is_memfd(cdev.get()));
    std::uint64_t length = 1;
    std::uint64_t pa = 0;
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, iommu.get(), 7, 0x5000, &length, &pa), 0);
    // Given back while the client goes on.
    const Fd other(linux_kernel(), connect_to(path));
    EXPECT_EQ(take(other.get()), -EBUSY);
    cdev.reset();
    EXPECT_EQ(take(other.get()), 0);
}

TEST_F(ServerTest, OthersAreRefusedAndAreToldSo) {
    if (getuid() != 0)
        GTEST_SKIP() << "only root can be another user";
    policy.clients.users = {other_user};
    begin();
    const auto try_it = [&] {
        const int fd = connect_to(path);
        return fd < 0 ? -fd : 0;
    };
    EXPECT_EQ(connect_to(path), -EPERM);
    EXPECT_EQ(in_child(try_it, 1001), EPERM);
    EXPECT_EQ(in_child(try_it, other_user), 0);
    // A process of another user's that has been given the connection.
    ASSERT_EQ(seteuid(other_user), 0);
    const Fd connection(linux_kernel(), connect_to(path));
    ASSERT_EQ(seteuid(0), 0);
    ASSERT_TRUE(connection);
    broker::test::Nodes own;
    BrokeredKernel kernel(own, connection.get());
    EXPECT_EQ(kernel.open("/dev/iommu", O_RDWR), -EOWNERDEAD);
    ASSERT_EQ(seteuid(other_user), 0);
    BrokeredKernel his(own, connection.get());
    const Fd iommu(linux_kernel(), his.open("/dev/iommu", O_RDWR));
    ASSERT_EQ(seteuid(0), 0);
    EXPECT_TRUE(iommu);
}

TEST_F(ServerTest, AUserHasSoManyClients) {
    begin({.clients = 8, .clients_of_user = 3, .interval = std::chrono::milliseconds(0)});
    std::vector<Fd> connections;
    for (int i = 0; i < 3; ++i) {
        connections.emplace_back(linux_kernel(), connect_to(path));
        ASSERT_TRUE(connections.back());
    }
    EXPECT_EQ(connect_to(path), -EUSERS);
    if (getuid() == 0) {
        EXPECT_EQ(in_child([&] { return connect_to(path) < 0 ? 1 : 0; }, other_user), 0)
            << "another user has his own";
    }
    connections.pop_back();
    EXPECT_TRUE(soon([&] { return Fd(linux_kernel(), connect_to(path)).get() >= 0; }));
}

// What a client sends that floods, stops in the middle, or never reads.
void be_rude(int connection) {
    const Fd null(linux_kernel(), ::open("/dev/null", O_RDWR | O_CLOEXEC));
    Request request{};
    request.magic = magic;
    request.version = version;
    request.type = static_cast<std::uint16_t>(Type::open_iommu);
    for (int i = 0; i < 300; ++i) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
            continue;
        const Fd mine(linux_kernel(), ends[0]);
        const Fd theirs(linux_kernel(), ends[1]);
        request.type = static_cast<std::uint16_t>(Type::connect);
        (void)send_message(connection, &request, sizeof(request), theirs.get(), MSG_DONTWAIT);
        request.type = static_cast<std::uint16_t>(Type::open_iommu);
        for (int j = 0; j < 20; ++j)
            (void)send_message(mine.get(), &request, j % 3 == 0 ? sizeof(request) : 7, null.get(),
                               MSG_DONTWAIT);
        (void)send_message(connection, &request, 3, null.get(), MSG_DONTWAIT);
    }
}

TEST_F(ServerTest, RudeClientsHurtThemselves) {
    begin({.clients = 8, .clients_of_user = 6, .interval = std::chrono::milliseconds(0)});
    const Fd polite(linux_kernel(), connect_to(path));
    ASSERT_EQ(take(polite.get()), 0);
    const pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 20; ++i) {
            const Fd rude(linux_kernel(), connect_to(path));
            if (rude)
                be_rude(rude.get());
        }
        _exit(0);
    }
    BrokeredKernel kernel(nodes, polite.get());
    for (int i = 0; i < 100; ++i) {
        const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
        ASSERT_TRUE(iommu);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(kill(server_process, 0), 0);
    EXPECT_TRUE(soon([&] { return Fd(linux_kernel(), connect_to(path)).get() >= 0; }));
}

// Clients that come faster than the server has descriptors for them, and say nothing.
TEST_F(ServerTest, WithoutDescriptorsItWaitsForThem) {
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    const rlimit few{static_cast<rlim_t>(descriptors() + 8), before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    begin({.clients = 64, .clients_of_user = 64, .interval = std::chrono::milliseconds(0)});
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    std::vector<Fd> silent;
    for (int i = 0; i < 30; ++i) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        silent.emplace_back(linux_kernel(), socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        ASSERT_EQ(connect(silent.back().get(), reinterpret_cast<const sockaddr *>(&address),
                          sizeof(address)),
                  0);
    }
    const auto greeted = [&] {
        return std::count_if(silent.begin(), silent.end(), [](const Fd &one) {
            pollfd answer{.fd = one.get(), .events = POLLIN, .revents = 0};
            return poll(&answer, 1, 0) > 0;
        });
    };
    EXPECT_TRUE(soon([&] { return greeted() > 0; }));
    usleep(300000);
    EXPECT_LT(greeted(), 30) << "it had descriptors for all: this shows nothing";
    silent.clear();
    EXPECT_TRUE(soon([&] { return take(Fd(linux_kernel(), connect_to(path)).get()) == 0; }));
}

// As with memory that takes long to pin.
TEST_F(ServerTest, AClientThatMakesItsBrokerWaitWaitsAlone) {
    nodes.bind_fails = EINVAL; // always: the broker waits for its patience's end
    policy.patience_ms = 3000;
    begin({.clients = 8, .clients_of_user = 6, .interval = std::chrono::milliseconds(0)});
    const Fd slow(linux_kernel(), connect_to(path));
    const Fd other(linux_kernel(), connect_to(path));
    std::thread waits([&] {
        broker::test::Nodes mine;
        BrokeredKernel kernel(mine, slow.get());
        const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
        const Fd cdev(kernel, kernel.open(device_path, O_RDWR));
        EXPECT_EQ(device_bind_iommufd(kernel, cdev.get(), iommu.get()), -EINVAL);
    });
    usleep(300000);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(take(other.get()), -EBUSY);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
    waits.join();
}

TEST_F(ServerTest, ClientsOfAUserComeOneAfterAnother) {
    begin({.clients = 64, .clients_of_user = 32, .interval = std::chrono::milliseconds(200)});
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < 4; ++i)
        ASSERT_GE(Fd(linux_kernel(), connect_to(path)).get(), 0);
    EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(600));
}

TEST_F(ServerTest, EndOfTheServerIsTold) {
    begin();
    const Fd connection(linux_kernel(), connect_to(path));
    BrokeredKernel kernel(nodes, connection.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    ASSERT_TRUE(iommu);
    ASSERT_EQ(kill(server_process, SIGKILL), 0);
    ASSERT_EQ(waitpid(server_process, nullptr, 0), server_process);
    server_process = -1;
    EXPECT_TRUE(soon([&] { return kernel.open("/dev/iommu", O_RDWR) == -EOWNERDEAD; }));
    socket_of_server.reset();
    EXPECT_EQ(connect_to(path), -ENOENT);
}

} // namespace
