// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Broker and client over real sockets: what is answered, what is refused, and how either side's
// end shows.

#include <cerrno>
#include <cstring>
#include <random>

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "broker_test.hpp"

using namespace iommufd;
using namespace iommufd::broker;
using namespace iommufd::broker::test;

namespace {

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
    // As a Kernel, of any number.
    std::vector<PaQuery> many;
    for (std::uint64_t i = 0; i < 2 * max_queries + 1; ++i)
        many.push_back({.iova = i == 300 ? hole : i << 12, .limit = 1});
    ASSERT_EQ(kernel.noiommu_get_pa(iommu.get(), 7, many), 0);
    for (std::size_t i = 0; i < many.size(); ++i) {
        EXPECT_EQ(many[i].error, i == 300 ? -ENOENT : 0);
        EXPECT_EQ(many[i].pa, i == 300 ? 0 : (1ULL << 40) + (i << 12));
    }
    EXPECT_EQ(kernel.pa_batch(), max_queries);
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

// Each answer that nobody reads holds a file of the broker's making.
TEST_F(BrokerTest, WhoDoesNotReadItsAnswersGetsNoMoreOfThem) {
    start();
    const Fd mine = channel();
    const auto question = message(Type::open_iommu);
    for (int i = 0; i < 50; ++i)
        (void)send_message(mine.get(), question.data(), question.size(), -1, 0);
    usleep(100000);
    int files = 0;
    ssize_t got = 0;
    do {
        std::uint8_t buffer[64];
        int fd = -1;
        got = receive_message(mine.get(), buffer, sizeof(buffer), &fd, MSG_DONTWAIT);
        const Fd owned(linux_kernel(), fd);
        files += fd >= 0 ? 1 : 0;
    } while (got > 0 || got == -ECONNRESET); // which tells that questions were dropped
    EXPECT_EQ(files, 1);
    // It is the channel's end, not the client's.
    EXPECT_GT(exchange(channel(), question), 0);
}

// Whatever the descriptor, the broker neither reads it nor waits for it.
TEST_F(BrokerTest, ForeignDescriptorsAreRefusedAtOnce) {
    policy.is_iommufd = [](int fd) {
        struct stat st {};
        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 7);
    };
    start();
    const fs::path fifo = policy.sysfs / "fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
    const Fd mine = channel();
    std::vector<Fd> foreign;
    for (const int fd :
         {::open(fifo.c_str(), O_RDWR | O_CLOEXEC), epoll_create1(EPOLL_CLOEXEC),
          ::open("/proc", O_PATH | O_CLOEXEC), ::open("/dev/null", O_RDWR | O_CLOEXEC),
          memfd_create("node", MFD_CLOEXEC), dup(near.get()), dup(mine.get())})
        foreign.emplace_back(linux_kernel(), fd);
    for (const Fd &fd : foreign) {
        ASSERT_TRUE(fd);
        auto bind = message(Type::bind_device);
        name_device(bind);
        for (const auto &question : {message(Type::get_pa, 1), bind}) {
            ASSERT_GT(exchange(mine, question, fd.get()), 0);
            EXPECT_EQ(reply.error, -EBADF);
        }
    }
    EXPECT_EQ(nodes.ioctls, 0);
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
