// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The side without capabilities: a Kernel that asks the broker for what needs CAP_SYS_RAWIO, and
// hands everything else on. What was opened and mapped stays valid if the broker ends; what is
// asked afterwards fails, with an errno that broker_remedy() explains.
//
//     open() of a cdev        the broker gives the device to this process's client: an eventfd
//     VFIO_DEVICE_BIND_..     the broker opens and binds it: takes the eventfd's place
//     close()                 the device may be another client's

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "core/broker/protocol.hpp"
#include "core/sys/fd.hpp"
#include "core/sys/kernel.hpp"
#include "core/sys/mutex.hpp"
#include "core/sys/uapi.hpp"

namespace iommufd::broker {

class BrokeredKernel final : public Kernel {
public:
    // socket: the inherited one, which stays the caller's. Both outlive this. A negative errno
    // instead of it is what every question is answered by.
    BrokeredKernel(Kernel &kernel, int socket) : kernel_(kernel), socket_(socket) {}

    int open(const char *path, int flags) override;
    int close(int fd) override;
    int set_cloexec(int fd) override { return kernel_.set_cloexec(fd); }
    int ioctl(int fd, unsigned long request, void *arg) override;
    int mmap(std::size_t length, int fd, off_t offset, void **addr) override {
        return kernel_.mmap(length, fd, offset, addr);
    }
    int munmap(void *addr, std::size_t length) override { return kernel_.munmap(addr, length); }
    ssize_t pread(int fd, void *buf, std::size_t length, off_t offset) override {
        return kernel_.pread(fd, buf, length, offset);
    }
    ssize_t pwrite(int fd, const void *buf, std::size_t length, off_t offset) override {
        return kernel_.pwrite(fd, buf, length, offset);
    }
    int memlock_limit(std::uint64_t *bytes) override { return kernel_.memlock_limit(bytes); }
    int noiommu_get_pa(int iommufd, std::uint32_t ioas_id, std::span<PaQuery> queries) override;
    [[nodiscard]] std::size_t pa_batch() const override { return max_queries; }

    // A batch: answers[i] is that of queries[i]. A negative errno if none was answered.
    int get_pa(int iommufd, std::uint32_t ioas, std::span<const Query> queries,
               std::span<Answer> answers);

    // The broker's devices, in the order it was given them.
    int list_devices(std::vector<Listed> *devices);

private:
    struct Cdev {
        std::string name;
        pid_t owner; // a child that closes its copy gives nothing back
        bool is_bound;
    };

    int open_device(std::string_view name);
    int bind_device(int fd, uapi::device_bind_iommufd *call);
    // What there is of a descriptor that this has opened: a copy, without a name if there is none.
    Cdev cdev_of(int fd);
    int ask(const Request &request, std::span<const Query> queries, int lend, Reply *reply,
            std::span<Answer> answers, int *fd);
    int exchange(std::span<const std::uint8_t> message, int lend, Reply *reply,
                 std::span<Answer> answers, int *fd) REQUIRES(mutex_);
    int connect() REQUIRES(mutex_);

    Kernel &kernel_;
    const int socket_;
    Mutex mutex_;
    Fd channel_ GUARDED_BY(mutex_); // of process owner_: after a fork the child makes its own
    pid_t owner_ GUARDED_BY(mutex_) = -1;
    std::map<int, Cdev> cdevs_ GUARDED_BY(mutex_);
};

// A connection to a broker that serves a named socket (dpdk-iommufd-run --serve), as good as the
// inherited socket. A negative errno: connect(2)'s; -EPERM it serves other users, -EUSERS this one
// has as many clients as one may, -ETIMEDOUT, -EBADMSG it is no such broker.
int connect_to(const std::string &path);

// The broker's if this process was started with one, else linux_kernel(). Never destroyed.
Kernel &process_kernel();

} // namespace iommufd::broker
