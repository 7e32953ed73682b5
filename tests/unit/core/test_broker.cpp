// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Broker and client over real sockets: what is answered, what is refused, and how either side's
// end shows.

#include <cerrno>
#include <cstring>
#include <random>

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "broker_test.hpp"

using namespace iommufd;
using namespace iommufd::broker;
using namespace iommufd::broker::test;

namespace {

void name_device(std::vector<std::uint8_t> &request) {
    const std::string_view name = "noiommu-vfio0";
    std::memcpy(request.data() + offsetof(Request, device), name.data(), name.size());
}

TEST_F(BrokerTest, OpensTheNodesOfItsDevicesAlone) {
    start();
    BrokeredKernel kernel(nodes, near.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    ASSERT_TRUE(iommu);
    EXPECT_EQ(nodes.last, "/dev/iommu");
    EXPECT_NE(fcntl(iommu.get(), F_GETFD) & FD_CLOEXEC, 0);
    const Fd cdev(kernel, kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR));
    ASSERT_TRUE(cdev);
    EXPECT_EQ(nodes.last, "/dev/iommu") << "it is opened to be bound";
    EXPECT_FALSE(is_memfd(cdev.get()));
    ASSERT_EQ(device_bind_iommufd(kernel, cdev.get(), iommu.get()), 0);
    EXPECT_EQ(nodes.last, "/dev/vfio/devices/noiommu-vfio0");
    EXPECT_TRUE(is_memfd(cdev.get()));
    EXPECT_NE(fcntl(cdev.get(), F_GETFD) & FD_CLOEXEC, 0);
    nodes.last.clear();
    for (const char *other : {"noiommu-vfio1", "noiommu-vfio2", "../../sda", "", "noiommu-vfio0/"})
        EXPECT_EQ(kernel.open((std::string("/dev/vfio/devices/") + other).c_str(), O_RDWR), -ENXIO);
    const std::string longer(max_name, 'x');
    EXPECT_EQ(kernel.open(("/dev/vfio/devices/" + longer).c_str(), O_RDWR), -ENAMETOOLONG);
    EXPECT_EQ(nodes.last, "");
    // Unplugged and back under another number.
    add("0000:01:00.0", "noiommu-vfio5");
    EXPECT_EQ(kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR), -ENXIO);
    const Fd again(kernel, kernel.open("/dev/vfio/devices/noiommu-vfio5", O_RDWR));
    EXPECT_TRUE(again);
    nodes.fails = EPERM;
    EXPECT_EQ(kernel.open("/dev/iommu", O_RDWR), -EPERM);
    EXPECT_EQ(device_bind_iommufd(kernel, again.get(), iommu.get()), -EPERM);
    EXPECT_FALSE(is_memfd(again.get()));
}

TEST_F(BrokerTest, BindsADeviceThatNobodyHasAndThatIsQuiet) {
    start();
    BrokeredKernel kernel(nodes, near.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    const auto bind = [&](int iommufd) {
        const Fd cdev(kernel, kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR));
        const int ret = device_bind_iommufd(kernel, cdev.get(), iommufd);
        EXPECT_EQ(is_memfd(cdev.get()), ret == 0);
        return ret;
    };
    // An ended process is about to close it.
    nodes.bind_fails = EINVAL;
    nodes.bind_fails_times = 2;
    EXPECT_EQ(bind(iommu.get()), 0);
    EXPECT_EQ(nodes.binds, 3);
    // A living one goes on.
    nodes.bind_fails_times = -1;
    EXPECT_EQ(bind(iommu.get()), -EINVAL);
    EXPECT_GT(nodes.binds, 4);
    // Its group is open: no use to wait.
    nodes.bind_fails = EBUSY;
    nodes.binds = 0;
    EXPECT_EQ(bind(iommu.get()), -EBUSY);
    EXPECT_EQ(nodes.binds, 1);
    nodes.bind_fails = 0;
    nodes.is_master = true;
    EXPECT_EQ(bind(iommu.get()), -EIO) << "DMA may go on";
    nodes.is_master = false;
    nodes.binds = 0;
    const Fd null(linux_kernel(), ::open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(bind(null.get()), -EBADF);
    EXPECT_EQ(nodes.binds, 0);
    EXPECT_EQ(bind(iommu.get()), 0);

    // A virtual function's token goes with it.
    const Fd cdev(kernel, kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR));
    const char token[] = "0123456789abcdef";
    uapi::device_bind_iommufd arg{.argsz = sizeof(arg),
                                  .flags = bind_with_token,
                                  .iommufd = iommu.get(),
                                  .out_devid = 0,
                                  .token_uuid_ptr = reinterpret_cast<std::uintptr_t>(token)};
    EXPECT_EQ(kernel.ioctl(cdev.get(), uapi::device_bind_iommufd_request, &arg), 0);
    EXPECT_EQ(nodes.token, token);
    // Bound: the rest is between the process and its own kernel.
    nodes.bind_fails = EINVAL;
    nodes.binds = 0;
    EXPECT_EQ(device_bind_iommufd(kernel, cdev.get(), iommu.get()), -EINVAL);
    EXPECT_EQ(nodes.binds, 1);
}

TEST_F(BrokerTest, ListsItsDevices) {
    add("10000:e1:00.0", "noiommu-vfio3");
    policy.devices.emplace_back("10000:e1:00.0");
    start();
    BrokeredKernel kernel(nodes, near.get());
    std::vector<Listed> devices;
    ASSERT_EQ(kernel.list_devices(&devices), 0);
    ASSERT_EQ(devices.size(), 2U);
    EXPECT_STREQ(devices[0].bdf, "0000:01:00.0");
    EXPECT_STREQ(devices[1].bdf, "10000:e1:00.0");
    EXPECT_EQ(devices[0].is_taken, 0U);
}

// Another client's broker is another process, as a lease is of one.
TEST_F(BrokerTest, DeviceGoesToOneClientAtATime) {
    const auto leases = Leases::create();
    ASSERT_TRUE(leases);
    policy.leases = &*leases;
    start();
    BrokeredKernel kernel(nodes, near.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    int tell[2];
    int hear[2];
    ASSERT_EQ(pipe2(tell, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(hear, O_CLOEXEC), 0);
    char byte = 0;
    const pid_t other = fork();
    if (other == 0) {
        const bool ok = leases->take(0) == 0 && write(tell[1], "x", 1) == 1;
        (void)!read(hear[0], &byte, 1);
        _exit(ok ? 0 : 1);
    }
    ASSERT_EQ(read(tell[0], &byte, 1), 1);
    EXPECT_EQ(kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR), -EBUSY);
    EXPECT_NE(broker_remedy(-EBUSY).find("another client"), std::string::npos);
    std::vector<Listed> devices;
    ASSERT_EQ(kernel.list_devices(&devices), 0);
    EXPECT_EQ(devices.at(0).is_taken, 1U);
    // Nor does it give back what is not its own.
    const Fd mine = channel();
    auto bytes = message(Type::close_device);
    name_device(bytes);
    EXPECT_GT(exchange(mine, bytes), 0);
    EXPECT_EQ(kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR), -EBUSY);
    const std::uint16_t bind = static_cast<std::uint16_t>(Type::bind_device);
    std::memcpy(bytes.data() + offsetof(Request, type), &bind, sizeof(bind));
    EXPECT_GT(exchange(mine, bytes, iommu.get()), 0);
    EXPECT_EQ(reply.error, -EBUSY);
    EXPECT_EQ(nodes.binds, 0);
    ASSERT_EQ(write(hear[1], "x", 1), 1);
    int status = -1;
    ASSERT_EQ(waitpid(other, &status, 0), other);
    EXPECT_EQ(status, 0);

    const auto is_free = [&] {
        const pid_t child = fork();
        if (child == 0)
            _exit(leases->is_taken_by_another(0) ? 1 : 0);
        return waitpid(child, &status, 0) == child && status == 0;
    };
    {
        const Fd cdev(kernel, kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR));
        ASSERT_TRUE(cdev);
        EXPECT_FALSE(is_free());
        ASSERT_EQ(device_bind_iommufd(kernel, cdev.get(), iommu.get()), 0);
        // A child that closes its copy gives nothing back.
        const pid_t child = fork();
        if (child == 0)
            _exit(kernel.close(cdev.get()) == 0 ? 0 : 1);
        ASSERT_EQ(waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
        EXPECT_FALSE(is_free());
    }
    EXPECT_TRUE(is_free());
}

TEST_F(BrokerTest, AnswersAddressesOneByOneAndInBatches) {
    start();
    BrokeredKernel kernel(nodes, near.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    std::uint64_t length = 1 << 20;
    std::uint64_t pa = 0;
    ASSERT_EQ(ioas_noiommu_get_pa(kernel, iommu.get(), 7, 0x5000, &length, &pa), 0);
    EXPECT_EQ(pa, 0x10000005000U);
    EXPECT_EQ(length, 4096U);
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, iommu.get(), 8, 0x5000, &length, &pa), -ENOENT);

    std::vector<Query> queries;
    for (std::uint64_t i = 0; i < max_queries; ++i)
        queries.push_back({i == 3 ? hole : i << 12, 1});
    std::vector<Answer> answers(queries.size());
    ASSERT_EQ(kernel.get_pa(iommu.get(), 7, queries, answers), 0);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        EXPECT_EQ(answers[i].error, i == 3 ? -ENOENT : 0);
        EXPECT_EQ(answers[i].pa, i == 3 ? 0 : (1ULL << 40) + (i << 12));
    }
    EXPECT_EQ(nodes.longest, 1 << 20);
    length = UINT64_MAX;
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, iommu.get(), 7, 0x5000, &length, &pa), 0);
    EXPECT_EQ(nodes.longest, max_look) << "the kernel would be busy for long";
    queries.push_back({0, 1});
    answers.emplace_back();
    EXPECT_EQ(kernel.get_pa(iommu.get(), 7, queries, answers), -EINVAL);
    EXPECT_EQ(kernel.get_pa(iommu.get(), 7, {}, {}), -EINVAL);
}

TEST_F(BrokerTest, CallsNoIoctlOnWhatIsNoIommufd) {
    start();
    BrokeredKernel kernel(nodes, near.get());
    std::uint64_t length = 1;
    std::uint64_t pa = 0;
    const Fd null(linux_kernel(), ::open("/dev/null", O_RDWR | O_CLOEXEC));
    EXPECT_EQ(ioas_noiommu_get_pa(kernel, null.get(), 7, 0x5000, &length, &pa), -EBADF);
    const Fd mine = channel();
    EXPECT_EQ(exchange(mine, message(Type::get_pa, 1)), static_cast<ssize_t>(sizeof(Reply)));
    EXPECT_EQ(reply.error, -EBADF) << "no descriptor came with it";
    EXPECT_EQ(nodes.ioctls, 0);
    // Every other call goes to the process's own kernel.
    EXPECT_EQ(device_reset(kernel, null.get()), -ENOTTY);
    EXPECT_EQ(nodes.ioctls, 1);
}

TEST_F(BrokerTest, ClosesTheChannelOfNonsense) {
    start();
    const Fd node(linux_kernel(), memfd_create("node", MFD_CLOEXEC));
    auto longer = message(Type::open_iommu);
    longer.push_back(0);
    auto shorter = message(Type::open_iommu);
    shorter.pop_back();
    auto stranger = message(Type::open_iommu);
    stranger[0] ^= 1;
    auto name = message(Type::open_device);
    std::memset(name.data() + offsetof(Request, device), 'x', max_name);
    auto flags = message(Type::bind_device);
    name_device(flags);
    flags[offsetof(Request, flags)] = 2;
    auto miscounted = message(Type::get_pa, 2);
    miscounted.resize(miscounted.size() - sizeof(Query));
    auto huge = message(Type::get_pa, 1);
    const std::uint32_t count = 0x10000001; // times 16 is 16 in 32 bits
    std::memcpy(huge.data() + offsetof(Request, count), &count, sizeof(count));
    for (const auto &bytes :
         {longer, shorter, stranger, name, flags, miscounted, huge, message(Type::get_pa, 0),
          message(static_cast<Type>(99)), message(Type::connect), std::vector<std::uint8_t>(1),
          std::vector<std::uint8_t>(max_request + 1)}) {
        const Fd mine = channel();
        EXPECT_LE(exchange(mine, bytes, node.get()), 0) << bytes.size();
    }
    EXPECT_EQ(nodes.ioctls, 0);
    auto other = message(Type::open_iommu);
    const std::uint16_t next = version + 1;
    std::memcpy(other.data() + offsetof(Request, version), &next, sizeof(next));
    const Fd mine = channel();
    EXPECT_GT(exchange(mine, other), 0);
    EXPECT_EQ(reply.error, -EPROTONOSUPPORT);
    EXPECT_EQ(reply.version, version);
    EXPECT_GT(exchange(mine, message(Type::open_iommu)), 0) << "the channel has stayed";
    EXPECT_EQ(reply.error, 0);
}

TEST_F(BrokerTest, OneDescriptorAMessageAndNoneIsKept) {
    start();
    {
        const Fd mine = channel();
        ASSERT_GT(exchange(mine, message(Type::open_iommu)), 0);
        usleep(100000); // its own end of the first answer is closed by now
        const long before = descriptors();
        for (int i = 0; i < 50; ++i) {
            const Fd node(linux_kernel(), memfd_create("node", MFD_CLOEXEC));
            ASSERT_GT(exchange(mine, message(Type::get_pa, 1), node.get()), 0);
            ASSERT_GT(exchange(mine, message(Type::open_iommu), node.get()), 0);
        }
        EXPECT_TRUE(settles_at(before)) << descriptors() - before;
        // Several in one message.
        const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
        const auto bytes = message(Type::open_iommu);
        iovec part{const_cast<std::uint8_t *>(bytes.data()), bytes.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(8 * sizeof(int))]{};
        msghdr many{};
        many.msg_iov = &part;
        many.msg_iovlen = 1;
        many.msg_control = control;
        many.msg_controllen = sizeof(control);
        cmsghdr *header = CMSG_FIRSTHDR(&many);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(8 * sizeof(int));
        for (std::size_t i = 0; i < 8; ++i)
            std::memcpy(CMSG_DATA(header) + i * sizeof(int), &null, sizeof(null));
        ASSERT_GT(sendmsg(mine.get(), &many, MSG_NOSIGNAL), 0);
        int fd = -1;
        std::uint8_t buffer[64];
        EXPECT_LE(receive_message(mine.get(), buffer, sizeof(buffer), &fd, 0), 0);
        (void)::close(null);
        EXPECT_TRUE(settles_at(before - 1)) << "but for its end of the channel";
    }
}

TEST_F(BrokerTest, InheritedSocketTakesConnectionsAlone) {
    start();
    const Fd null(linux_kernel(), ::open("/dev/null", O_RDWR | O_CLOEXEC));
    const auto connect = message(Type::connect);
    // Neither of these is one, and the broker goes on.
    (void)send_message(near.get(), "x", 1, -1, 0);
    (void)send_message(near.get(), connect.data(), connect.size(), -1, 0);
    (void)send_message(near.get(), connect.data(), connect.size(), null.get(), 0);
    const auto question = message(Type::open_iommu);
    (void)send_message(near.get(), question.data(), question.size(), -1, 0);
    const Fd mine = channel();
    EXPECT_GT(exchange(mine, message(Type::open_iommu)), 0);
    int fd = -1;
    std::uint8_t buffer[64];
    EXPECT_EQ(receive_message(near.get(), buffer, sizeof(buffer), &fd, MSG_DONTWAIT), -EAGAIN);
}

TEST_F(BrokerTest, AnotherUsersChannelIsClosed) {
    policy.clients.users = {getuid() + 1};
    start();
    const Fd mine = channel();
    EXPECT_LE(exchange(mine, message(Type::open_iommu)), 0);
}

TEST_F(BrokerTest, ClientsAreUsersOrGroups) {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const Fd mine(linux_kernel(), ends[0]);
    const Fd theirs(linux_kernel(), ends[1]);
    const uid_t uid = getuid();
    const gid_t gid = getgid();
    EXPECT_TRUE(may_connect({}, mine.get()));
    EXPECT_TRUE(may_connect({.users = {uid + 1, uid}, .groups = {}}, mine.get()));
    EXPECT_TRUE(may_connect({.users = {}, .groups = {gid}}, mine.get()));
    EXPECT_TRUE(may_connect({.users = {uid + 1}, .groups = {gid}}, mine.get()));
    EXPECT_FALSE(may_connect({.users = {uid + 1}, .groups = {gid + 4321}}, mine.get()));
    const Fd alone(linux_kernel(), socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_FALSE(may_connect({}, alone.get()));
    EXPECT_FALSE(may_connect({}, -1));
    if (uid != 0)
        GTEST_SKIP() << "only root can be in other groups";
    const pid_t child = fork();
    if (child == 0) {
        std::vector<gid_t> groups;
        for (gid_t group = 5000; group < 5100; ++group) // more than fit at first
            groups.push_back(group);
        int pair[2];
        _exit(setgroups(groups.size(), groups.data()) == 0 &&
                      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0 &&
                      may_connect({.users = {}, .groups = {5099}}, pair[0]) &&
                      !may_connect({.users = {}, .groups = {5100}}, pair[0])
                  ? 0
                  : 1);
    }
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

TEST_F(BrokerTest, EndsWithTheLastHolder) {
    start();
    {
        BrokeredKernel kernel(nodes, near.get());
        const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
        near.reset();
        std::uint64_t length = 1;
        std::uint64_t pa = 0;
        // The channel is a holder as well.
        EXPECT_EQ(ioas_noiommu_get_pa(kernel, iommu.get(), 7, 0x5000, &length, &pa), 0);
    }
    server.join();
    EXPECT_FALSE(far) << "it has come to its end";
}

TEST_F(BrokerTest, DeadBrokerIsTold) {
    start();
    BrokeredKernel kernel(nodes, near.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    ASSERT_TRUE(iommu);
    // As the kernel closes a killed process's sockets.
    const Fd kept(linux_kernel(), dup(near.get()));
    (void)shutdown(far.get(), SHUT_RDWR);
    std::uint64_t length = 1;
    std::uint64_t pa = 0;
    BrokeredKernel second(nodes, kept.get());
    EXPECT_EQ(second.open("/dev/iommu", O_RDWR), -EOWNERDEAD);
    EXPECT_NE(broker_remedy(-EOWNERDEAD).find("has ended"), std::string::npos);
    BrokeredKernel closed(nodes, -1);
    EXPECT_EQ(ioas_noiommu_get_pa(closed, iommu.get(), 7, 0, &length, &pa), -ENOTSOCK);
    BrokeredKernel file(nodes, iommu.get());
    EXPECT_EQ(file.open("/dev/iommu", O_RDWR), -ENOTSOCK);
}

TEST_F(BrokerTest, ForkedProcessesDoNotReadEachOthersAnswers) {
    start();
    BrokeredKernel kernel(nodes, near.get());
    const Fd iommu(linux_kernel(), kernel.open("/dev/iommu", O_RDWR));
    ASSERT_TRUE(iommu);
    const auto ask = [&](std::uint64_t base) {
        for (std::uint64_t i = 0; i < 2000; ++i) {
            std::uint64_t length = 1;
            std::uint64_t pa = 0;
            const std::uint64_t iova = base + (i << 12);
            if (ioas_noiommu_get_pa(kernel, iommu.get(), 7, iova, &length, &pa) != 0 ||
                pa != iova + (1ULL << 40))
                return false;
        }
        return true;
    };
    const pid_t child = fork();
    if (child == 0)
        _exit(ask(1ULL << 30) ? 0 : 1);
    EXPECT_TRUE(ask(1ULL << 31));
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// The fuzzer of tests/fuzz in short, the same every time.
TEST_F(BrokerTest, SurvivesMutations) {
    std::mt19937 random(1); // NOLINT(*-msc51-cpp): the same every time is what is wanted
    const Fd node(linux_kernel(), memfd_create("node", MFD_CLOEXEC));
    for (int round = 0; round < 20000; ++round) {
        auto bytes = message(static_cast<Type>(random() % 9), random() % 3);
        for (unsigned int i = random() % 5; i > 0; --i)
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        if (random() % 4 == 0)
            bytes.resize(random() % bytes.size());
        bytes.shrink_to_fit();
        const Outcome outcome = answer(nodes, policy, bytes, random() % 2 == 0 ? node.get() : -1);
        ASSERT_LE(outcome.reply.size(), max_reply);
        ASSERT_TRUE(nodes.last.empty() || nodes.last == "/dev/iommu" ||
                    nodes.last == "/dev/vfio/devices/noiommu-vfio0");
    }
}

} // namespace
