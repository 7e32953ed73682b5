// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the broker, which has CAP_SYS_RAWIO, does with a message of its client's. The first byte
// says whether a descriptor comes with it and whether that is an iommufd.

#include <cerrno>
#include <cstdlib>
#include <string_view>

#include "core/broker/server.hpp"
#include "core/sys/uapi.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace {

using namespace iommufd;

constexpr int iommufd_number = 1000;

// Nothing but GET_PA, on the iommufd alone, and no node but /dev/iommu: the machine that runs this
// may have no devices.
class Strict final : public Kernel {
public:
    int open(const char *path, int /*flags*/) override {
        if (std::string_view(path) != "/dev/iommu")
            std::abort();
        return -EMFILE;
    }
    int close(int /*fd*/) override { return 0; }
    int ioctl(int fd, unsigned long request, void * /*arg*/) override {
        if (fd != iommufd_number || request != uapi::ioas_noiommu_get_pa_request)
            std::abort();
        return -ENOENT;
    }
    int mmap(std::size_t, int, off_t, void **) override { std::abort(); }
    int munmap(void *, std::size_t) override { std::abort(); }
    ssize_t pread(int, void *, std::size_t, off_t) override { std::abort(); }
    ssize_t pwrite(int, const void *, std::size_t, off_t) override { std::abort(); }
    int memlock_limit(std::uint64_t *) override { std::abort(); }
};

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static Strict kernel;
    static const broker::Policy policy{
        .devices = {"0000:01:00.0"},
        .clients = {},
        .is_iommufd = [](int fd) { return fd == iommufd_number; },
        .leases = nullptr,
        .on_connect = {},
        .patience_ms = 0,
        .sysfs = "/nonexistent",
    };
    if (size == 0)
        return 0;
    const int lent = data[0] % 3 == 0 ? -1 : data[0] % 3 == 1 ? iommufd_number : 5;
    const auto outcome = broker::answer(kernel, policy, {data + 1, size - 1}, lent);
    if (outcome.reply.size() > broker::max_reply || outcome.fd)
        std::abort();
    return 0;
}
