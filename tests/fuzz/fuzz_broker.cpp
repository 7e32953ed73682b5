// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the broker, which has CAP_SYS_RAWIO, does with a message of its client's. The first byte
// says whether a descriptor comes with it and whether that is an iommufd.

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "core/broker/server.hpp"
#include "core/sys/uapi.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace {

using namespace iommufd;

constexpr int iommufd_number = 1000;
constexpr int cdev_number = 2000;
constexpr std::string_view cdev = "/dev/vfio/devices/noiommu-vfio0";

// Nothing but GET_PA on the iommufd, and on the one device what binds it: the machine that runs
// this may have no devices.
class Strict final : public Kernel {
public:
    int open(const char *path, int /*flags*/) override {
        if (path == cdev)
            return cdev_number;
        if (std::string_view(path) != "/dev/iommu")
            std::abort();
        return -EMFILE;
    }
    int close(int fd) override {
        if (fd != cdev_number)
            std::abort();
        return 0;
    }
    int ioctl(int fd, unsigned long request, void *arg) override {
        if (fd == iommufd_number && request == uapi::ioas_noiommu_get_pa_request)
            return -ENOENT;
        if (fd != cdev_number)
            std::abort();
        if (request == uapi::device_get_region_info_request)
            return 0;
        const auto *call = static_cast<uapi::device_bind_iommufd *>(arg);
        if (request != uapi::device_bind_iommufd_request || call->iommufd != iommufd_number ||
            call->argsz != sizeof(*call) || call->flags > broker::bind_with_token)
            std::abort();
        return 0;
    }
    ssize_t pread(int fd, void *buf, std::size_t length, off_t) override {
        if (fd != cdev_number)
            std::abort();
        std::memset(buf, 0, length);
        return static_cast<ssize_t>(length);
    }
    int set_cloexec(int) override { std::abort(); }
    int mmap(std::size_t, int, off_t, void **) override { std::abort(); }
    int munmap(void *, std::size_t) override { std::abort(); }
    ssize_t pwrite(int, const void *, std::size_t, off_t) override { std::abort(); }
    int memlock_limit(std::uint64_t *) override { std::abort(); }
};

// A sysfs of the device that the policy has, and of another.
std::filesystem::path make_sysfs() {
    std::string name = (std::filesystem::temp_directory_path() / "fuzz-XXXXXX").string();
    const std::filesystem::path root = mkdtemp(name.data());
    for (const char *bdf : {"0000:01:00.0", "0000:02:00.0"}) {
        const auto folder = root / "bus/pci/devices" / bdf;
        std::filesystem::create_directories(folder / "vfio-dev" /
                                            (bdf[6] == '1' ? "noiommu-vfio0" : "noiommu-vfio1"));
        for (const char *file : {"vendor", "device", "subsystem_vendor", "subsystem_device"})
            std::ofstream(folder / file) << "0x8086\n";
        std::ofstream(folder / "class") << "0x020000\n";
    }
    return root;
}

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
    static Strict kernel;
    static const auto leases = broker::Leases::create();
    static const broker::Policy policy{
        .devices = {"0000:01:00.0"},
        .clients = {},
        .is_iommufd = [](int fd) { return fd == iommufd_number; },
        .leases = &*leases,
        .on_connect = {},
        .patience_ms = 0,
        .sysfs = make_sysfs(),
    };
    if (size == 0)
        return 0;
    const int lent = data[0] % 3 == 0 ? -1 : data[0] % 3 == 1 ? iommufd_number : 5;
    const auto outcome = broker::answer(kernel, policy, {data + 1, size - 1}, lent);
    if (outcome.reply.size() > broker::max_reply ||
        (outcome.fd && (outcome.fd.get() != cdev_number || lent != iommufd_number)))
        std::abort();
    return 0;
}
