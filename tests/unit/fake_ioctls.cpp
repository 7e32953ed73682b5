// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the ioctls of the model do, each after the function of Linux 7.3 that is named.

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>

#include <gtest/gtest.h>

#include "fake_kernel.hpp"

namespace iommufd::test {
namespace {

const char *name_of(unsigned long request) {
    static const std::map<unsigned long, const char *> names = {
        {uapi::ioas_alloc_request, "IOMMU_IOAS_ALLOC"},
        {uapi::ioas_map_request, "IOMMU_IOAS_MAP"},
        {uapi::ioas_map_file_request, "IOMMU_IOAS_MAP_FILE"},
        {uapi::option_request, "IOMMU_OPTION"},
        {uapi::ioas_unmap_request, "IOMMU_IOAS_UNMAP"},
        {uapi::ioas_noiommu_get_pa_request, "IOMMU_IOAS_NOIOMMU_GET_PA"},
        {uapi::device_get_info_request, "VFIO_DEVICE_GET_INFO"},
        {uapi::device_get_region_info_request, "VFIO_DEVICE_GET_REGION_INFO"},
        {uapi::device_reset_request, "VFIO_DEVICE_RESET"},
        {uapi::device_bind_iommufd_request, "VFIO_DEVICE_BIND_IOMMUFD"},
        {uapi::device_attach_iommufd_pt_request, "VFIO_DEVICE_ATTACH_IOMMUFD_PT"},
        {uapi::device_detach_iommufd_pt_request, "VFIO_DEVICE_DETACH_IOMMUFD_PT"},
    };
    const auto found = names.find(request);
    return found == names.end() ? nullptr : found->second;
}

bool any_live(const std::vector<FakeDevice *> &devices) {
    return std::any_of(devices.begin(), devices.end(),
                       [](const FakeDevice *device) { return device->dma_live; });
}

} // namespace

int FakeKernel::ioctl(int fd, unsigned long request, void *arg) {
    const char *name = name_of(request);
    if (name == nullptr) {
        ADD_FAILURE() << "ioctl 0x" << std::hex << request << ", which is not known";
        return -ENOTTY;
    }
    File *file = find(fd, name);
    if (file == nullptr)
        return -EBADF;
    const bool is_iommu = (request & 0xff) >= 0x80; // IOMMUFD_CMD_BASE
    if (is_iommu != static_cast<bool>(file->iommu)) {
        ADD_FAILURE() << name << " on the wrong kind of fd";
        return -ENOTTY;
    }
    if (const int ret = enter(name); ret < 0)
        return ret;
    return is_iommu ? iommu_ioctl(*file->iommu, request, arg)
                    : cdev_ioctl(*file->cdev, request, arg);
}

// iommufd_fops_ioctl()
int FakeKernel::iommu_ioctl(Context &context, unsigned long request, void *arg) {
    switch (request) {
    case uapi::ioas_alloc_request:
        return ioas_alloc(context, static_cast<uapi::ioas_alloc *>(arg));
    case uapi::ioas_map_request:
        return ioas_map(context, static_cast<uapi::ioas_map *>(arg));
    case uapi::ioas_map_file_request:
        return ioas_map_file(context, static_cast<uapi::ioas_map_file *>(arg));
    case uapi::option_request:
        return option(context, static_cast<uapi::option *>(arg));
    case uapi::ioas_unmap_request:
        return ioas_unmap(context, static_cast<uapi::ioas_unmap *>(arg));
    default:
        return has_get_pa ? ioas_get_pa(context, static_cast<uapi::ioas_noiommu_get_pa *>(arg))
                          : -ENOTTY;
    }
}

// iommufd_ioas_alloc_ioctl()
int FakeKernel::ioas_alloc(Context &context, uapi::ioas_alloc *arg) {
    if (arg->size < sizeof(*arg))
        return -EINVAL;
    if (arg->flags != 0)
        return -EOPNOTSUPP;
    arg->out_ioas_id = context.next_id++;
    context.ioas.emplace(arg->out_ioas_id, Ioas{});
    return 0;
}

// iommufd_ioas_map(), iopt_alloc_area_pages(), iopt_area_fill_domains()
int FakeKernel::ioas_map(Context &context, const uapi::ioas_map *arg) {
    constexpr std::uint32_t known = uapi::map_fixed_iova | uapi::map_readable | uapi::map_writeable;
    if (arg->size < sizeof(*arg))
        return -EINVAL;
    if ((arg->flags & ~known) != 0 || arg->reserved != 0)
        return -EOPNOTSUPP;
    if (arg->iova == UINT64_MAX || arg->length == UINT64_MAX)
        return -EOVERFLOW;
    if ((arg->flags & (uapi::map_readable | uapi::map_writeable)) == 0)
        return -EINVAL;
    if ((arg->flags & uapi::map_fixed_iova) == 0) {
        ADD_FAILURE() << "IOMMU_IOAS_MAP without IOMMU_IOAS_MAP_FIXED_IOVA is not modelled";
        return -EOPNOTSUPP;
    }
    const auto found = context.ioas.find(arg->ioas_id);
    if (found == context.ioas.end())
        return -ENOENT;
    auto &[id, ioas] = *found;
    const std::uint64_t alignment = ioas.attached.empty() ? 1 : page_4k;
    if (arg->length == 0 || !is_aligned(arg->length | arg->iova, alignment))
        return -EINVAL;
    if (arg->iova + arg->length - 1 < arg->iova || arg->user_va + arg->length - 1 < arg->user_va)
        return -EOVERFLOW;
    const auto next = ioas.areas.lower_bound(arg->iova);
    if (next != ioas.areas.end() && next->first < arg->iova + arg->length)
        return -EEXIST;
    if (next != ioas.areas.begin() && std::prev(next)->first + std::prev(next)->second > arg->iova)
        return -EEXIST;
    if (!ioas.attached.empty()) {
        if (arg->length > memlock - std::min(memlock, pinned()))
            return -ENOMEM;
        if (!memory.is_backed(arg->user_va, arg->length))
            return -EFAULT;
    }
    EXPECT_EQ(arg->flags, known) << "devices here read and write";
    if (arg->iova != arg->user_va)
        ioas.vas[arg->iova] = arg->user_va;
    ioas.areas.emplace(arg->iova, arg->length);
    return 0;
}

// iommufd_ioas_unmap(), iopt_unmap_iova_range(): whole areas only, and those before a part of
// one are gone when it is found.
int FakeKernel::ioas_unmap(Context &context, uapi::ioas_unmap *arg) {
    if (arg->size < sizeof(*arg))
        return -EINVAL;
    const auto found = context.ioas.find(arg->ioas_id);
    if (found == context.ioas.end())
        return -ENOENT;
    if (arg->length == 0)
        return -EINVAL;
    if (arg->iova + arg->length - 1 < arg->iova)
        return -EOVERFLOW;
    auto &areas = found->second.areas;
    const std::uint64_t last = arg->iova + arg->length - 1;
    std::uint64_t unmapped = 0;
    auto it = areas.upper_bound(arg->iova);
    if (it != areas.begin() && std::prev(it)->first + std::prev(it)->second > arg->iova)
        --it;
    while (it != areas.end() && it->first <= last) {
        if (it->first < arg->iova || it->first + it->second - 1 > last)
            return -ENOENT;
        const bool reachable = found->second.vas.count(it->first) == 0;
        if (!may_unmap_under_dma && reachable && any_live(found->second.attached))
            ADD_FAILURE() << "IOMMU_IOAS_UNMAP while a device may write to the memory";
        unmapped += it->second;
        found->second.vas.erase(it->first);
        it = areas.erase(it);
    }
    if (unmapped == 0)
        return -ENOENT;
    arg->length = unmapped;
    return 0;
}

// iommufd_ioas_noiommu_get_pa(), iopt_get_phys()
// iommufd_ioas_map_file(): where page o of the file is, the model has at the IOVA of page o.
int FakeKernel::ioas_map_file(Context &context, const uapi::ioas_map_file *arg) {
    if (arg->size < sizeof(*arg))
        return -EINVAL;
    const auto file = fds_.find(arg->fd);
    if (file == fds_.end() || file->second.hugepage == 0)
        return -EBADF;
    if (arg->start + arg->length > file->second.length)
        return -EINVAL;
    const uapi::ioas_map same{.size = sizeof(same),
                              .flags = arg->flags,
                              .ioas_id = arg->ioas_id,
                              .reserved = 0,
                              .user_va = arg->iova,
                              .length = arg->length,
                              .iova = arg->iova};
    return ioas_map(context, &same);
}

// iommufd_option_rlimit_mode()
int FakeKernel::option(Context &context, const uapi::option *arg) {
    if (arg->size < sizeof(*arg))
        return -EINVAL;
    if (arg->option_id != uapi::option_rlimit_mode || arg->op != uapi::option_op_set ||
        arg->object_id != 0)
        return -EOPNOTSUPP;
    if (!has_sys_resource)
        return -EPERM;
    if (!context.ioas.empty())
        return -EBUSY;
    if (arg->val64 > 1)
        return -EINVAL;
    rlimit_mode = arg->val64;
    return 0;
}

int FakeKernel::ioas_get_pa(Context &context, uapi::ioas_noiommu_get_pa *arg) {
    if (arg->size < sizeof(*arg))
        return -EINVAL;
    if (!has_rawio)
        return -EPERM;
    if (arg->flags != 0 || arg->reserved != 0)
        return -EOPNOTSUPP;
    if (arg->length == 0)
        return -EINVAL;
    const auto found = context.ioas.find(arg->ioas_id);
    if (found == context.ioas.end())
        return -ENOENT;
    const auto &areas = found->second.areas;
    const auto next = areas.upper_bound(arg->iova);
    if (next == areas.begin() || std::prev(next)->first + std::prev(next)->second <= arg->iova)
        return -ENOENT;
    if (found->second.attached.empty())
        return -EOPNOTSUPP;
    const std::uint64_t rest = std::prev(next)->first + std::prev(next)->second - arg->iova;
    const auto moved = found->second.vas.find(std::prev(next)->first);
    const std::uint64_t va =
        moved == found->second.vas.end() ? arg->iova : moved->second + (arg->iova - moved->first);
    const auto pa = memory.pa(va);
    if (!pa) {
        ADD_FAILURE() << "pinned memory has been removed";
        return -ENOENT;
    }
    arg->out_phys = *pa;
    arg->length = memory.contiguous(va, std::min(arg->length, rest));
    if (distort_get_pa)
        distort_get_pa(arg->iova, &arg->length, &arg->out_phys);
    return 0;
}

// vfio_device_fops_unl_ioctl(): nothing but BIND before BIND.
int FakeKernel::cdev_ioctl(CdevFile &file, unsigned long request, void *arg) {
    if (request == uapi::device_bind_iommufd_request)
        return bind(file, static_cast<const uapi::device_bind_iommufd *>(arg));
    if (!file.context)
        return -EINVAL;
    FakeDevice &device = *file.device;
    switch (request) {
    case uapi::device_attach_iommufd_pt_request:
        return attach(file, static_cast<const uapi::device_attach_iommufd_pt *>(arg));
    case uapi::device_detach_iommufd_pt_request:
        return detach(file, static_cast<const uapi::device_detach_iommufd_pt *>(arg));
    case uapi::device_get_region_info_request:
        return region_info(file, static_cast<uapi::region_info *>(arg));
    case uapi::device_reset_request:
        if (!device.can_reset)
            return -EINVAL;
        // pci_try_reset_function() puts configuration space back, the bus master bit with it;
        // the function has forgotten its queues.
        ++device.resets;
        device.dma_live = false;
        return 0;
    default: {
        auto *info = static_cast<uapi::device_info *>(arg);
        if (info->argsz < offsetof(uapi::device_info, cap_offset))
            return -EINVAL;
        info->flags = (device.is_pci ? uapi::device_flag_pci : 0) |
                      (device.can_reset ? uapi::device_flag_reset : 0);
        info->num_regions = device.regions;
        info->num_irqs = 5;
        return 0;
    }
    }
}

// vfio_df_ioctl_bind_iommufd(), vfio_pci_core_enable()
int FakeKernel::bind(CdevFile &file, const uapi::device_bind_iommufd *arg) {
    const bool has_token = (arg->flags & uapi::bind_flag_token) != 0;
    if (arg->argsz < offsetof(uapi::device_bind_iommufd, token_uuid_ptr) ||
        (arg->flags & ~uapi::bind_flag_token) != 0 || arg->iommufd < 0)
        return -EINVAL;
    if (file.device->group_open)
        return -EBUSY;
    const bool elsewhere = std::any_of(cdevs_.begin(), cdevs_.end(), [&](const auto &weak) {
        const auto other = weak.lock();
        return other && other->context && other->device == file.device;
    });
    if (elsewhere || file.device->bound_elsewhere)
        return -EINVAL;
    // vfio_pci_validate_vf_token()
    if (!file.device->token && has_token)
        return -EINVAL;
    if (file.device->token && (!has_token || *reinterpret_cast<const VfToken *>(
                                                 arg->token_uuid_ptr) != *file.device->token))
        return -EACCES;
    const auto iommufd = fds_.find(arg->iommufd);
    if (iommufd == fds_.end() || !iommufd->second.iommu)
        return -EBADF;
    file.context = iommufd->second.iommu;
    file.device->config[4] &= static_cast<std::uint8_t>(~4U);
    file.device->dma_live = false;
    return 0;
}

// vfio_df_ioctl_attach_pt(), iopt_table_add_domain(): what is mapped already is pinned now.
int FakeKernel::attach(CdevFile &file, const uapi::device_attach_iommufd_pt *arg) {
    if (arg->argsz < offsetof(uapi::device_attach_iommufd_pt, pasid) || arg->flags != 0)
        return -EINVAL;
    const auto found = file.context->ioas.find(arg->pt_id);
    if (found == file.context->ioas.end())
        return -ENOENT;
    if (file.ioas != 0) {
        ADD_FAILURE() << "VFIO_DEVICE_ATTACH_IOMMUFD_PT of an attached device is not modelled";
        return -EINVAL;
    }
    Ioas &ioas = found->second;
    std::uint64_t bytes = 0;
    for (const auto &[start, length] : ioas.areas) {
        if (!is_aligned(start | length, page_4k))
            return -EADDRINUSE;
        if (!memory.is_backed(start, length))
            return -EFAULT;
        bytes += length;
    }
    if (ioas.attached.empty() && bytes > memlock - std::min(memlock, pinned()))
        return -ENOMEM;
    ioas.attached.push_back(file.device);
    file.ioas = arg->pt_id;
    return 0;
}

// vfio_df_ioctl_detach_pt(): the last device takes the pins with it, whatever it is doing.
int FakeKernel::detach(CdevFile &file, const uapi::device_detach_iommufd_pt *arg) {
    if (arg->argsz < offsetof(uapi::device_detach_iommufd_pt, pasid) || arg->flags != 0)
        return -EINVAL;
    if (file.device->dma_live)
        ADD_FAILURE() << "VFIO_DEVICE_DETACH_IOMMUFD_PT while the device may write to memory";
    file.detach();
    return 0;
}

// vfio_pci_ioctl_get_region_info()
int FakeKernel::region_info(const CdevFile &file, uapi::region_info *arg) {
    const FakeDevice &device = *file.device;
    if (arg->argsz < sizeof(*arg) || arg->index >= device.regions)
        return -EINVAL;
    arg->offset = bar_offset(arg->index);
    arg->flags = uapi::region_flag_read | uapi::region_flag_write;
    if (arg->index == uapi::pci_config_region) {
        arg->size = device.config_size;
    } else if (arg->index < device.bars.size() && device.bars[arg->index].size != 0) {
        arg->size = device.bars[arg->index].size;
        arg->flags |= device.bars[arg->index].can_mmap ? uapi::region_flag_mmap : 0;
    } else {
        arg->size = 0;
        arg->flags = 0;
    }
    return 0;
}

} // namespace iommufd::test
