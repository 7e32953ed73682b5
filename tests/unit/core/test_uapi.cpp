// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// kernel/uapi.hpp is a copy; here it is held against the original.

#include <gtest/gtest.h>

#include "core/sys/uapi.hpp"

#ifndef HAVE_UAPI_HEADERS

TEST(Uapi, IsThatOfTheRealHeaders) {
    GTEST_SKIP()
        << "no headers of Linux >= 7.3 to compare with: meson option uapi_headers is empty";
}

#else

#include <linux/iommufd.h>
#include <linux/vfio.h>

#ifndef IOMMU_IOAS_NOIOMMU_GET_PA
#error "the headers found are older than Linux 7.3"
#endif

namespace {

namespace uapi = iommufd::uapi;

#define EXPECT_SAME_SIZE(ours, theirs) EXPECT_EQ(sizeof(uapi::ours), sizeof(theirs))
#define EXPECT_SAME_FIELD_AS(ours, our_field, theirs, their_field)                                 \
    do {                                                                                           \
        EXPECT_EQ(offsetof(uapi::ours, our_field), offsetof(theirs, their_field)) << #our_field;   \
        EXPECT_EQ(sizeof(uapi::ours::our_field), sizeof(theirs::their_field)) << #our_field;       \
    } while (false)
#define EXPECT_SAME_FIELD(ours, theirs, field) EXPECT_SAME_FIELD_AS(ours, field, theirs, field)

TEST(Uapi, IoasAlloc) {
    EXPECT_SAME_SIZE(ioas_alloc, iommu_ioas_alloc);
    EXPECT_SAME_FIELD(ioas_alloc, iommu_ioas_alloc, size);
    EXPECT_SAME_FIELD(ioas_alloc, iommu_ioas_alloc, flags);
    EXPECT_SAME_FIELD(ioas_alloc, iommu_ioas_alloc, out_ioas_id);
    EXPECT_EQ(uapi::ioas_alloc_request, IOMMU_IOAS_ALLOC);
}

TEST(Uapi, IoasMap) {
    EXPECT_SAME_SIZE(ioas_map, iommu_ioas_map);
    EXPECT_SAME_FIELD(ioas_map, iommu_ioas_map, size);
    EXPECT_SAME_FIELD(ioas_map, iommu_ioas_map, flags);
    EXPECT_SAME_FIELD(ioas_map, iommu_ioas_map, ioas_id);
    EXPECT_SAME_FIELD_AS(ioas_map, reserved, iommu_ioas_map, __reserved);
    EXPECT_SAME_FIELD(ioas_map, iommu_ioas_map, user_va);
    EXPECT_SAME_FIELD(ioas_map, iommu_ioas_map, length);
    EXPECT_SAME_FIELD(ioas_map, iommu_ioas_map, iova);
    EXPECT_EQ(uapi::ioas_map_request, IOMMU_IOAS_MAP);
    EXPECT_EQ(uapi::map_fixed_iova, IOMMU_IOAS_MAP_FIXED_IOVA);
    EXPECT_EQ(uapi::map_writeable, IOMMU_IOAS_MAP_WRITEABLE);
    EXPECT_EQ(uapi::map_readable, IOMMU_IOAS_MAP_READABLE);
}

TEST(Uapi, IoasMapFile) {
    EXPECT_SAME_SIZE(ioas_map_file, iommu_ioas_map_file);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, size);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, flags);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, ioas_id);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, fd);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, start);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, length);
    EXPECT_SAME_FIELD(ioas_map_file, iommu_ioas_map_file, iova);
    EXPECT_EQ(uapi::ioas_map_file_request, IOMMU_IOAS_MAP_FILE);
}

TEST(Uapi, Option) {
    EXPECT_SAME_SIZE(option, iommu_option);
    EXPECT_SAME_FIELD(option, iommu_option, size);
    EXPECT_SAME_FIELD(option, iommu_option, option_id);
    EXPECT_SAME_FIELD(option, iommu_option, op);
    EXPECT_SAME_FIELD_AS(option, reserved, iommu_option, __reserved);
    EXPECT_SAME_FIELD(option, iommu_option, object_id);
    EXPECT_SAME_FIELD(option, iommu_option, val64);
    EXPECT_EQ(uapi::option_request, IOMMU_OPTION);
    EXPECT_EQ(uapi::option_rlimit_mode, unsigned{IOMMU_OPTION_RLIMIT_MODE});
    EXPECT_EQ(uapi::option_op_set, unsigned{IOMMU_OPTION_OP_SET});
}

TEST(Uapi, IoasUnmap) {
    EXPECT_SAME_SIZE(ioas_unmap, iommu_ioas_unmap);
    EXPECT_SAME_FIELD(ioas_unmap, iommu_ioas_unmap, size);
    EXPECT_SAME_FIELD(ioas_unmap, iommu_ioas_unmap, ioas_id);
    EXPECT_SAME_FIELD(ioas_unmap, iommu_ioas_unmap, iova);
    EXPECT_SAME_FIELD(ioas_unmap, iommu_ioas_unmap, length);
    EXPECT_EQ(uapi::ioas_unmap_request, IOMMU_IOAS_UNMAP);
}

TEST(Uapi, IoasNoiommuGetPa) {
    EXPECT_SAME_SIZE(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa);
    EXPECT_SAME_FIELD(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, size);
    EXPECT_SAME_FIELD(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, flags);
    EXPECT_SAME_FIELD(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, ioas_id);
    EXPECT_SAME_FIELD_AS(ioas_noiommu_get_pa, reserved, iommu_ioas_noiommu_get_pa, __reserved);
    EXPECT_SAME_FIELD(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, iova);
    EXPECT_SAME_FIELD(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, length);
    EXPECT_SAME_FIELD(ioas_noiommu_get_pa, iommu_ioas_noiommu_get_pa, out_phys);
    EXPECT_EQ(uapi::ioas_noiommu_get_pa_request, IOMMU_IOAS_NOIOMMU_GET_PA);
}

TEST(Uapi, DeviceInfo) {
    EXPECT_SAME_SIZE(device_info, vfio_device_info);
    EXPECT_SAME_FIELD(device_info, vfio_device_info, argsz);
    EXPECT_SAME_FIELD(device_info, vfio_device_info, flags);
    EXPECT_SAME_FIELD(device_info, vfio_device_info, num_regions);
    EXPECT_SAME_FIELD(device_info, vfio_device_info, num_irqs);
    EXPECT_SAME_FIELD(device_info, vfio_device_info, cap_offset);
    EXPECT_SAME_FIELD(device_info, vfio_device_info, pad);
    EXPECT_EQ(uapi::device_get_info_request, VFIO_DEVICE_GET_INFO);
    EXPECT_EQ(uapi::device_flag_reset, VFIO_DEVICE_FLAGS_RESET);
    EXPECT_EQ(uapi::device_flag_pci, VFIO_DEVICE_FLAGS_PCI);
    EXPECT_EQ(uapi::device_reset_request, VFIO_DEVICE_RESET);
}

TEST(Uapi, RegionInfo) {
    EXPECT_SAME_SIZE(region_info, vfio_region_info);
    EXPECT_SAME_FIELD(region_info, vfio_region_info, argsz);
    EXPECT_SAME_FIELD(region_info, vfio_region_info, flags);
    EXPECT_SAME_FIELD(region_info, vfio_region_info, index);
    EXPECT_SAME_FIELD(region_info, vfio_region_info, cap_offset);
    EXPECT_SAME_FIELD(region_info, vfio_region_info, size);
    EXPECT_SAME_FIELD(region_info, vfio_region_info, offset);
    EXPECT_EQ(uapi::device_get_region_info_request, VFIO_DEVICE_GET_REGION_INFO);
    EXPECT_EQ(uapi::region_flag_read, VFIO_REGION_INFO_FLAG_READ);
    EXPECT_EQ(uapi::region_flag_write, VFIO_REGION_INFO_FLAG_WRITE);
    EXPECT_EQ(uapi::region_flag_mmap, VFIO_REGION_INFO_FLAG_MMAP);
    EXPECT_EQ(uapi::pci_bar0_region, unsigned{VFIO_PCI_BAR0_REGION_INDEX});
    EXPECT_EQ(uapi::pci_config_region, unsigned{VFIO_PCI_CONFIG_REGION_INDEX});
}

TEST(Uapi, DeviceBindIommufd) {
    EXPECT_SAME_SIZE(device_bind_iommufd, vfio_device_bind_iommufd);
    EXPECT_SAME_FIELD(device_bind_iommufd, vfio_device_bind_iommufd, argsz);
    EXPECT_SAME_FIELD(device_bind_iommufd, vfio_device_bind_iommufd, flags);
    EXPECT_SAME_FIELD(device_bind_iommufd, vfio_device_bind_iommufd, iommufd);
    EXPECT_SAME_FIELD(device_bind_iommufd, vfio_device_bind_iommufd, out_devid);
    EXPECT_SAME_FIELD(device_bind_iommufd, vfio_device_bind_iommufd, token_uuid_ptr);
    EXPECT_EQ(uapi::device_bind_iommufd_request, VFIO_DEVICE_BIND_IOMMUFD);
    EXPECT_EQ(uapi::bind_flag_token, VFIO_DEVICE_BIND_FLAG_TOKEN);
}

TEST(Uapi, DeviceAttachAndDetach) {
    EXPECT_SAME_SIZE(device_attach_iommufd_pt, vfio_device_attach_iommufd_pt);
    EXPECT_SAME_FIELD(device_attach_iommufd_pt, vfio_device_attach_iommufd_pt, argsz);
    EXPECT_SAME_FIELD(device_attach_iommufd_pt, vfio_device_attach_iommufd_pt, flags);
    EXPECT_SAME_FIELD(device_attach_iommufd_pt, vfio_device_attach_iommufd_pt, pt_id);
    EXPECT_SAME_FIELD(device_attach_iommufd_pt, vfio_device_attach_iommufd_pt, pasid);
    EXPECT_EQ(uapi::device_attach_iommufd_pt_request, VFIO_DEVICE_ATTACH_IOMMUFD_PT);
    EXPECT_SAME_SIZE(device_detach_iommufd_pt, vfio_device_detach_iommufd_pt);
    EXPECT_SAME_FIELD(device_detach_iommufd_pt, vfio_device_detach_iommufd_pt, argsz);
    EXPECT_SAME_FIELD(device_detach_iommufd_pt, vfio_device_detach_iommufd_pt, flags);
    EXPECT_SAME_FIELD(device_detach_iommufd_pt, vfio_device_detach_iommufd_pt, pasid);
    EXPECT_EQ(uapi::device_detach_iommufd_pt_request, VFIO_DEVICE_DETACH_IOMMUFD_PT);
}

} // namespace

#endif
