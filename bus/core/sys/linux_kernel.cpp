// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/sys/kernel.hpp"

#include <cerrno>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

namespace iommufd {
namespace {

int result(long ret) {
    return ret < 0 ? -errno : static_cast<int>(ret);
}

class LinuxKernel final : public Kernel {
public:
    int open(const char *path, int flags) override {
        return result(::open(path, flags | O_CLOEXEC)); // NOLINT(*-vararg)
    }

    // Linux gives the descriptor back even when close(2) fails (close(2), "Dealing with error
    // returns from close()"), so nobody may call it a second time.
    int close(int fd) override { return result(::close(fd)); }

    int set_cloexec(int fd) override {
        return result(::fcntl(fd, F_SETFD, FD_CLOEXEC)); // NOLINT(*-vararg)
    }

    int ioctl(int fd, unsigned long request, void *arg) override {
        long ret = 0;
        do {
            ret = ::ioctl(fd, request, arg); // NOLINT(*-vararg)
        } while (ret < 0 && errno == EINTR);
        return result(ret);
    }

    int mmap(std::size_t length, int fd, off_t offset, void **addr) override {
        void *mapped = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
        if (mapped == MAP_FAILED) // NOLINT(*-cstyle-cast)
            return -errno;
        *addr = mapped;
        return 0;
    }

    int munmap(void *addr, std::size_t length) override { return result(::munmap(addr, length)); }

    ssize_t pread(int fd, void *buf, std::size_t length, off_t offset) override {
        const ssize_t ret = ::pread(fd, buf, length, offset);
        return ret < 0 ? -errno : ret;
    }

    ssize_t pwrite(int fd, const void *buf, std::size_t length, off_t offset) override {
        const ssize_t ret = ::pwrite(fd, buf, length, offset);
        return ret < 0 ? -errno : ret;
    }

    int memlock_limit(std::uint64_t *bytes) override {
        rlimit limit{};
        if (::getrlimit(RLIMIT_MEMLOCK, &limit) < 0)
            return -errno;
        *bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
        return 0;
    }
};

} // namespace

Kernel &linux_kernel() {
    static auto *kernel = new LinuxKernel; // stateless; other threads may call until the very end
    return *kernel;
}

} // namespace iommufd
