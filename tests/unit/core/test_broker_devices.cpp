// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The broker's devices: who gets one, and in which state; and who is its client.

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "broker_test.hpp"

using namespace iommufd;
using namespace iommufd::broker;
using namespace iommufd::broker::test;

namespace {

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

} // namespace
