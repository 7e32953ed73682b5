// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The seam: everything this project asks of the kernel goes through Kernel, one function per
// system call, without policy. linux_kernel() is the real one; tests put a model there.
//
// Convention: a negative errno for failure, never the thread's errno.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <sys/types.h>

namespace iommufd {

// One of several questions to IOMMU_IOAS_NOIOMMU_GET_PA.
struct PaQuery {
    std::uint64_t iova;
    std::uint64_t limit;   // how far to look
    std::uint64_t run = 0; // answer: contiguous bytes from pa on
    std::uint64_t pa = 0;
    int error = 0; // a negative errno
};

class Kernel {
public:
    Kernel() = default;
    Kernel(const Kernel &) = delete;
    Kernel &operator=(const Kernel &) = delete;
    virtual ~Kernel() = default;

    // open(2); O_CLOEXEC is always added.
    virtual int open(const char *path, int flags) = 0;
    virtual int close(int fd) = 0;
    // FD_CLOEXEC for a descriptor that somebody else has made.
    virtual int set_cloexec(int fd) = 0;
    virtual int ioctl(int fd, unsigned long request, void *arg) = 0;
    // mmap(2) of a shared, read-write mapping of fd; the address goes to *addr.
    virtual int mmap(std::size_t length, int fd, off_t offset, void **addr) = 0;
    virtual int munmap(void *addr, std::size_t length) = 0;
    virtual ssize_t pread(int fd, void *buf, std::size_t length, off_t offset) = 0;
    virtual ssize_t pwrite(int fd, const void *buf, std::size_t length, off_t offset) = 0;
    // Soft RLIMIT_MEMLOCK of the process in bytes; UINT64_MAX is no limit.
    virtual int memlock_limit(std::uint64_t *bytes) = 0;

    // IOMMU_IOAS_NOIOMMU_GET_PA for each of them, one ioctl after another. A negative errno if none
    // was answered. Who has to ask somebody else for it does so for pa_batch() at once.
    virtual int noiommu_get_pa(int iommufd, std::uint32_t ioas_id, std::span<PaQuery> queries);
    // How many questions cost little more than one.
    [[nodiscard]] virtual std::size_t pa_batch() const { return 1; }
};

// The running kernel. Never destroyed; usable from any thread.
Kernel &linux_kernel();

// --- one function per ioctl, named after it ----------------------------------------------

int ioas_alloc(Kernel &kernel, int iommufd, std::uint32_t *ioas_id);
// Fixed at iova == user_va, readable and writeable by the device.
int ioas_map(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t va,
             std::uint64_t length);
// The same at an iova of its own: pages that may be mapped at their VA as well.
int ioas_map_at(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t va,
                std::uint64_t length, std::uint64_t iova);
// The file from its start, at iova; its pages need not be mapped into the process.
int ioas_map_file(Kernel &kernel, int iommufd, std::uint32_t ioas_id, int fd, std::uint64_t iova,
                  std::uint64_t length);
// What pins are charged against: 0 the user's RLIMIT_MEMLOCK, 1 the process's.
int option_rlimit_mode(Kernel &kernel, int iommufd, std::uint64_t mode);
// -ENOENT unless exactly the mapped area was unmapped.
int ioas_unmap(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t iova,
               std::uint64_t length);
// *length: in, how far to look; out, contiguous bytes from *pa on.
int ioas_noiommu_get_pa(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t iova,
                        std::uint64_t *length, std::uint64_t *pa);

struct DeviceInfo {
    bool can_reset;
    bool is_pci;
    std::uint32_t regions;
};

struct RegionInfo {
    std::uint64_t size; // bytes
    std::uint64_t offset;
    bool can_read;
    bool can_write;
    bool can_mmap;
};

// What the driver of a port and that of its virtual functions share
// (VFIO_DEVICE_FEATURE_PCI_VF_TOKEN).
using VfToken = std::array<std::uint8_t, 16>;
int device_bind_iommufd(Kernel &kernel, int cdev, int iommufd, const VfToken *token = nullptr);
int device_attach_iommufd_pt(Kernel &kernel, int cdev, std::uint32_t ioas_id);
int device_detach_iommufd_pt(Kernel &kernel, int cdev);
int device_get_info(Kernel &kernel, int cdev, DeviceInfo *info);
int device_get_region_info(Kernel &kernel, int cdev, std::uint32_t index, RegionInfo *info);
int device_reset(Kernel &kernel, int cdev);

} // namespace iommufd
