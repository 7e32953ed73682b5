// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A broker in a thread, over real sockets. Nodes are memfds.

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "core/broker/client.hpp"
#include "core/broker/message.hpp"
#include "core/broker/server.hpp"
#include "core/sys/broker_remedy.hpp"
#include "core/sys/uapi.hpp"

namespace iommufd::broker::test {

namespace fs = std::filesystem;

inline constexpr std::uint64_t hole = 0xdead000;

inline constexpr std::uint64_t config_at = 7ULL << 40;

// Opens memfds, and finds every IOVA but one in IOAS 7, 1 TiB up.
class Nodes final : public Kernel {
public:
    int open(const char *path, int /*flags*/) override {
        last = path;
        return fails != 0 ? -fails : memfd_create("node", MFD_CLOEXEC);
    }
    int close(int fd) override { return linux_kernel().close(fd); }
    int ioctl(int /*fd*/, unsigned long request, void *arg) override {
        ++ioctls;
        if (request == uapi::device_bind_iommufd_request)
            return bind(static_cast<uapi::device_bind_iommufd *>(arg));
        if (request == uapi::device_get_region_info_request) {
            static_cast<uapi::region_info *>(arg)->offset = config_at;
            return 0;
        }
        if (request != uapi::ioas_noiommu_get_pa_request)
            return -ENOTTY;
        auto *call = static_cast<uapi::ioas_noiommu_get_pa *>(arg);
        if (call->ioas_id != 7 || call->iova == hole)
            return -ENOENT;
        longest = std::max<std::uint64_t>(longest, call->length);
        call->out_phys = call->iova + (1ULL << 40);
        call->length = std::min<std::uint64_t>(call->length, 4096);
        return 0;
    }
    int set_cloexec(int) override { return -ENOSYS; }
    int mmap(std::size_t, int, off_t, void **) override { return -ENOSYS; }
    int munmap(void *, std::size_t) override { return -ENOSYS; }
    ssize_t pread(int, void *buffer, std::size_t length, off_t offset) override {
        if (length != 2 || offset != static_cast<off_t>(config_at + 4)) // PCI_COMMAND
            return -EINVAL;
        const std::uint8_t command[2] = {static_cast<std::uint8_t>(is_master ? 6 : 2), 0};
        std::memcpy(buffer, command, sizeof(command));
        return 2;
    }
    ssize_t pwrite(int, const void *, std::size_t, off_t) override { return -ENOSYS; }
    int memlock_limit(std::uint64_t *) override { return -ENOSYS; }

    int bind(const uapi::device_bind_iommufd *call) {
        ++binds;
        if (call->flags != 0)
            token.assign(reinterpret_cast<const char *>(call->token_uuid_ptr), token_size);
        if (bind_fails == 0 || bind_fails_times == 0)
            return 0;
        --bind_fails_times;
        return -bind_fails;
    }

    std::string last;
    std::string token;
    int fails = 0;
    int bind_fails = 0;
    int bind_fails_times = -1; // always
    bool is_master = false;    // when it is bound
    std::uint64_t longest = 0;
    std::atomic<int> ioctls{0};
    std::atomic<int> binds{0};
};

inline bool is_memfd(int fd) {
    return fcntl(fd, F_GET_SEALS) >= 0;
}

inline void name_device(std::vector<std::uint8_t> &request) {
    const std::string_view name = "noiommu-vfio0";
    std::memcpy(request.data() + offsetof(Request, device), name.data(), name.size());
}

class BrokerTest : public testing::Test {
protected:
    BrokerTest() {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
            throw std::runtime_error("socketpair");
        near = Fd(linux_kernel(), ends[0]);
        far = Fd(linux_kernel(), ends[1]);
        std::string name = (fs::temp_directory_path() / "broker-XXXXXX").string();
        policy.sysfs = mkdtemp(name.data());
        add("0000:01:00.0", "noiommu-vfio0");
        add("0000:02:00.0", "noiommu-vfio1");
        policy.devices = {"0000:01:00.0"};
        policy.is_iommufd = is_memfd;
        policy.patience_ms = 60;
    }
    ~BrokerTest() override {
        stop();
        fs::remove_all(policy.sysfs);
    }

    void add(const std::string &bdf, const std::string &cdev) const {
        const fs::path folder = policy.sysfs / "bus/pci/devices" / bdf;
        fs::remove_all(folder);
        fs::create_directories(folder / "vfio-dev" / cdev);
        for (const char *file : {"vendor", "device", "subsystem_vendor", "subsystem_device"})
            std::ofstream(folder / file) << "0x8086\n";
        std::ofstream(folder / "class") << "0x020000\n";
    }
    void start() {
        server = std::thread([this] {
            serve(nodes, policy, far.get());
            far.reset();
        });
    }
    void stop() {
        near.reset();
        if (server.joinable())
            server.join();
    }
    static long descriptors() {
        return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
    }
    // The broker, a thread here, closes what came a moment after it has answered.
    static bool settles_at(long expected) {
        for (int i = 0; i < 1000 && descriptors() > expected; ++i)
            usleep(1000);
        return descriptors() == expected;
    }
    std::vector<std::uint8_t> message(Type type, std::uint32_t count = 0) const {
        Request request{};
        request.magic = magic;
        request.version = version;
        request.type = static_cast<std::uint16_t>(type);
        request.ioas = 7;
        request.count = count;
        std::vector<std::uint8_t> bytes(sizeof(request) + count * sizeof(Query));
        std::memcpy(bytes.data(), &request, sizeof(request));
        return bytes;
    }
    // A channel made by hand.
    Fd channel() {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
            throw std::runtime_error("socketpair");
        Fd mine(linux_kernel(), ends[0]);
        const Fd theirs(linux_kernel(), ends[1]);
        const auto request = message(Type::connect);
        (void)send_message(near.get(), request.data(), request.size(), theirs.get(), 0);
        return mine;
    }
    // What comes back for a message; nothing if the channel is closed.
    ssize_t exchange(const Fd &channel, const std::vector<std::uint8_t> &bytes, int lend = -1) {
        (void)send_message(channel.get(), bytes.data(), bytes.size(), lend, 0);
        std::vector<std::uint8_t> buffer(max_reply);
        int fd = -1;
        const ssize_t got = receive_message(channel.get(), buffer.data(), buffer.size(), &fd, 0);
        const Fd owned(linux_kernel(), fd);
        if (got >= static_cast<ssize_t>(sizeof(reply)))
            std::memcpy(&reply, buffer.data(), sizeof(reply));
        return got;
    }

    Nodes nodes;
    Policy policy;
    Fd near;
    Fd far;
    std::thread server;
    Reply reply{};
};

} // namespace iommufd::broker::test
