// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/sys/kernel.hpp"

#include <cerrno>

#include "core/sys/uapi.hpp"

namespace iommufd {

int ioas_alloc(Kernel &kernel, int iommufd, std::uint32_t *ioas_id) {
    uapi::ioas_alloc arg{.size = sizeof(arg), .flags = 0, .out_ioas_id = 0};
    const int ret = kernel.ioctl(iommufd, uapi::ioas_alloc_request, &arg);
    if (ret < 0)
        return ret;
    *ioas_id = arg.out_ioas_id;
    return 0;
}

int ioas_map(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t va,
             std::uint64_t length) {
    return ioas_map_at(kernel, iommufd, ioas_id, va, length, va);
}

int ioas_map_at(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t va,
                std::uint64_t length, std::uint64_t iova) {
    uapi::ioas_map arg{
        .size = sizeof(arg),
        .flags = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable,
        .ioas_id = ioas_id,
        .reserved = 0,
        .user_va = va,
        .length = length,
        .iova = iova,
    };
    return kernel.ioctl(iommufd, uapi::ioas_map_request, &arg);
}

int ioas_map_file(Kernel &kernel, int iommufd, std::uint32_t ioas_id, int fd, std::uint64_t iova,
                  std::uint64_t length) {
    uapi::ioas_map_file arg{
        .size = sizeof(arg),
        .flags = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable,
        .ioas_id = ioas_id,
        .fd = fd,
        .start = 0,
        .length = length,
        .iova = iova,
    };
    return kernel.ioctl(iommufd, uapi::ioas_map_file_request, &arg);
}

int option_rlimit_mode(Kernel &kernel, int iommufd, std::uint64_t mode) {
    uapi::option arg{
        .size = sizeof(arg),
        .option_id = uapi::option_rlimit_mode,
        .op = uapi::option_op_set,
        .reserved = 0,
        .object_id = 0,
        .val64 = mode,
    };
    return kernel.ioctl(iommufd, uapi::option_request, &arg);
}

int ioas_unmap(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t iova,
               std::uint64_t length) {
    uapi::ioas_unmap arg{.size = sizeof(arg), .ioas_id = ioas_id, .iova = iova, .length = length};
    const int ret = kernel.ioctl(iommufd, uapi::ioas_unmap_request, &arg);
    if (ret < 0)
        return ret;
    return arg.length == length ? 0 : -ENOENT;
}

int ioas_noiommu_get_pa(Kernel &kernel, int iommufd, std::uint32_t ioas_id, std::uint64_t iova,
                        std::uint64_t *length, std::uint64_t *pa) {
    uapi::ioas_noiommu_get_pa arg{
        .size = sizeof(arg),
        .flags = 0,
        .ioas_id = ioas_id,
        .reserved = 0,
        .iova = iova,
        .length = *length,
        .out_phys = 0,
    };
    const int ret = kernel.ioctl(iommufd, uapi::ioas_noiommu_get_pa_request, &arg);
    if (ret < 0)
        return ret;
    *length = arg.length;
    *pa = arg.out_phys;
    return 0;
}

int Kernel::noiommu_get_pa(int iommufd, std::uint32_t ioas_id, std::span<PaQuery> queries) {
    for (PaQuery &query : queries) {
        query.run = query.limit;
        query.error =
            ioas_noiommu_get_pa(*this, iommufd, ioas_id, query.iova, &query.run, &query.pa);
    }
    return 0;
}

int device_bind_iommufd(Kernel &kernel, int cdev, int iommufd, const VfToken *token) {
    uapi::device_bind_iommufd arg{.argsz = sizeof(arg),
                                  .flags = token == nullptr ? 0 : uapi::bind_flag_token,
                                  .iommufd = iommufd,
                                  .out_devid = 0,
                                  .token_uuid_ptr = reinterpret_cast<std::uintptr_t>(token)};
    return kernel.ioctl(cdev, uapi::device_bind_iommufd_request, &arg);
}

int device_attach_iommufd_pt(Kernel &kernel, int cdev, std::uint32_t ioas_id) {
    uapi::device_attach_iommufd_pt arg{
        .argsz = sizeof(arg), .flags = 0, .pt_id = ioas_id, .pasid = 0};
    return kernel.ioctl(cdev, uapi::device_attach_iommufd_pt_request, &arg);
}

int device_detach_iommufd_pt(Kernel &kernel, int cdev) {
    uapi::device_detach_iommufd_pt arg{.argsz = sizeof(arg), .flags = 0, .pasid = 0};
    return kernel.ioctl(cdev, uapi::device_detach_iommufd_pt_request, &arg);
}

int device_get_info(Kernel &kernel, int cdev, DeviceInfo *info) {
    uapi::device_info arg{};
    arg.argsz = sizeof(arg);
    const int ret = kernel.ioctl(cdev, uapi::device_get_info_request, &arg);
    if (ret < 0)
        return ret;
    *info = {
        .can_reset = (arg.flags & uapi::device_flag_reset) != 0,
        .is_pci = (arg.flags & uapi::device_flag_pci) != 0,
        .regions = arg.num_regions,
    };
    return 0;
}

int device_get_region_info(Kernel &kernel, int cdev, std::uint32_t index, RegionInfo *info) {
    uapi::region_info arg{};
    arg.argsz = sizeof(arg);
    arg.index = index;
    const int ret = kernel.ioctl(cdev, uapi::device_get_region_info_request, &arg);
    if (ret < 0)
        return ret;
    *info = {
        .size = arg.size,
        .offset = arg.offset,
        .can_read = (arg.flags & uapi::region_flag_read) != 0,
        .can_write = (arg.flags & uapi::region_flag_write) != 0,
        .can_mmap = (arg.flags & uapi::region_flag_mmap) != 0,
    };
    return 0;
}

int device_reset(Kernel &kernel, int cdev) {
    return kernel.ioctl(cdev, uapi::device_reset_request, nullptr);
}

} // namespace iommufd
