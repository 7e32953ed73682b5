// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The part of Linux 7.3's include/uapi/linux/{iommufd,vfio}.h that this project calls, as
// Debian 12's own linux-libc-dev (6.1) has neither iommufd nor the vfio cdev.
//
// Sizes, offsets and numbers are compared with the real headers of Linux >= 7.3 in
// tests/unit/test_uapi.cpp.

#include <cstdint>

#include <linux/ioctl.h>

namespace iommufd::uapi {

// _IO(';', n): both interfaces share the type and carry no size in the number.
constexpr unsigned long request(unsigned int number) {
    return _IO(';', number);
}

// --- iommufd: ioctls on /dev/iommu -------------------------------------------------------

constexpr unsigned long ioas_alloc_request = request(0x81);
constexpr unsigned long ioas_map_request = request(0x85);
constexpr unsigned long ioas_unmap_request = request(0x86);
constexpr unsigned long option_request = request(0x87);
constexpr unsigned long ioas_map_file_request = request(0x8f);
constexpr unsigned long ioas_noiommu_get_pa_request = request(0x95);

struct ioas_alloc {
    std::uint32_t size;
    std::uint32_t flags;
    std::uint32_t out_ioas_id;
};

constexpr std::uint32_t map_fixed_iova = 1U << 0;
constexpr std::uint32_t map_writeable = 1U << 1;
constexpr std::uint32_t map_readable = 1U << 2;

struct ioas_map {
    std::uint32_t size;
    std::uint32_t flags;
    std::uint32_t ioas_id;
    std::uint32_t reserved;
    std::uint64_t user_va;
    std::uint64_t length;
    std::uint64_t iova;
};

struct ioas_map_file { // of a memfd or a hugetlbfs file
    std::uint32_t size;
    std::uint32_t flags;
    std::uint32_t ioas_id;
    std::int32_t fd;
    std::uint64_t start; // in the file
    std::uint64_t length;
    std::uint64_t iova;
};

constexpr std::uint32_t option_rlimit_mode = 0; // 0 charges the user, 1 the process
constexpr std::uint16_t option_op_set = 0;

struct option {
    std::uint32_t size;
    std::uint32_t option_id;
    std::uint16_t op;
    std::uint16_t reserved;
    std::uint32_t object_id;
    std::uint64_t val64;
};

struct ioas_unmap {
    std::uint32_t size;
    std::uint32_t ioas_id;
    std::uint64_t iova;
    std::uint64_t length; // in: bytes asked for; out: bytes unmapped
};

struct ioas_noiommu_get_pa {
    std::uint32_t size;
    std::uint32_t flags;
    std::uint32_t ioas_id;
    std::uint32_t reserved;
    std::uint64_t iova;
    std::uint64_t length; // in: bytes asked for; out: contiguous bytes, no more than that
    std::uint64_t out_phys;
};

// --- vfio: ioctls on /dev/vfio/devices/* -------------------------------------------------

constexpr unsigned long device_get_info_request = request(107);
constexpr unsigned long device_get_region_info_request = request(108);
constexpr unsigned long device_reset_request = request(111);
constexpr unsigned long device_bind_iommufd_request = request(118);
constexpr unsigned long device_attach_iommufd_pt_request = request(119);
constexpr unsigned long device_detach_iommufd_pt_request = request(120);

constexpr std::uint32_t device_flag_reset = 1U << 0;
constexpr std::uint32_t device_flag_pci = 1U << 1;

struct device_info {
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t num_regions;
    std::uint32_t num_irqs;
    std::uint32_t cap_offset;
    std::uint32_t pad;
};

constexpr std::uint32_t region_flag_read = 1U << 0;
constexpr std::uint32_t region_flag_write = 1U << 1;
constexpr std::uint32_t region_flag_mmap = 1U << 2;

constexpr std::uint32_t pci_bar0_region = 0;
constexpr std::uint32_t pci_config_region = 7;

struct region_info {
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t cap_offset;
    std::uint64_t size;
    std::uint64_t offset;
};

constexpr std::uint32_t bind_flag_token = 1U << 0;
struct device_bind_iommufd {
    std::uint32_t argsz;
    std::uint32_t flags;
    std::int32_t iommufd;
    std::uint32_t out_devid;
    std::uint64_t token_uuid_ptr;
};

struct device_attach_iommufd_pt {
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t pt_id;
    std::uint32_t pasid;
};

struct device_detach_iommufd_pt {
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t pasid;
};

} // namespace iommufd::uapi
