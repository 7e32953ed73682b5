// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// VFIO's functions as they are called in DPDK 26.11, which has made them internal
// (lib/eal/include/dev_vfio.h and lib/eal/linux/eal_vfio.c), and what they do here:
//
//     dev_vfio_enable             nothing, where a device is ours: DPDK would look for a container,
//                                 and for /dev/iommu next, which belong to the broker
//     dev_vfio_is_enabled         yes then
//     dev_vfio_get_iova_mode      PA then, once EAL is in that mode (see
//     rte_vfio_noiommu_is_enabled) dev_vfio_setup_device       the cdev, bound; without the
//     device's information dev_vfio_get_device_info    that dev_vfio_release_device     its safe
//     end dev_vfio_container_create   no
//
// The container's DMA functions are in interpose_memory.cpp. What fails leaves an errno in
// rte_errno: ENODEV makes the PCI bus go on without the device.

#include <cerrno>

#include <dlfcn.h>

#include "preload/device_calls.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

// This thread's rte_errno: a variable of EAL's, which this library is not linked with.
int fail(int error) {
    if (auto *variable = static_cast<int *>(dlsym(RTLD_DEFAULT, "per_lcore__rte_errno")))
        *variable = error;
    return -1;
}

} // namespace
} // namespace iommufd::preload

using namespace iommufd;
using namespace iommufd::preload;

extern "C" {

[[gnu::visibility("default")]] int dev_vfio_enable() {
    return guarded(-1, [] {
        Library *p = library();
        if (p == nullptr)
            return fail(ENXIO);
        return is_ours(*p) ? 0 : p->eal.dev_vfio_enable();
    });
}

[[gnu::visibility("default")]] int dev_vfio_is_enabled() {
    return guarded(0, [] {
        Library *p = library();
        if (p == nullptr)
            return 0;
        return is_ours(*p) ? 1 : p->eal.dev_vfio_is_enabled();
    });
}

[[gnu::visibility("default")]] DevVfioIovaMode dev_vfio_get_iova_mode() {
    return guarded(DevVfioIovaMode::unknown, [] {
        Library *p = library();
        if (p == nullptr)
            return DevVfioIovaMode::unknown;
        if (!is_ours(*p))
            return p->eal.dev_vfio_get_iova_mode();
        return p->eal.rte_eal_iova_mode() == RTE_IOVA_PA ? DevVfioIovaMode::pa
                                                         : DevVfioIovaMode::va;
    });
}

[[gnu::visibility("default")]] int dev_vfio_setup_device(const char *sysfs_base,
                                                         const char *dev_addr, int *vfio_dev_fd) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return fail(ENXIO);
        switch (set_up_device(*p, dev_addr, vfio_dev_fd)) {
        case SetUp::not_ours:
            return p->eal.dev_vfio_setup_device(sysfs_base, dev_addr, vfio_dev_fd);
        case SetUp::left:
            return fail(ENODEV);
        case SetUp::failed:
            return fail(EIO);
        case SetUp::done:
            break;
        }
        return 0;
    });
}

[[gnu::visibility("default")]] int dev_vfio_get_device_info(int vfio_dev_fd,
                                                            struct vfio_device_info *device_info) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return fail(ENXIO);
        if (!is_ours(*p))
            return p->eal.dev_vfio_get_device_info(vfio_dev_fd, device_info);
        return get_device_info("a device", vfio_dev_fd, device_info) == 0 ? 0 : fail(EIO);
    });
}

[[gnu::visibility("default")]] int dev_vfio_release_device(const char *sysfs_base,
                                                           const char *dev_addr, int fd) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return fail(ENXIO);
        if (const auto ret = release_device(*p, dev_addr, fd))
            return *ret == 0 ? 0 : fail(EIO);
        return p->eal.dev_vfio_release_device(sysfs_base, dev_addr, fd);
    });
}

[[gnu::visibility("default")]] int dev_vfio_container_create() {
    return guarded(-1, [] {
        Library *p = library();
        if (p == nullptr)
            return fail(ENXIO);
        if (!is_ours(*p))
            return p->eal.dev_vfio_container_create();
        (void)refuse_container("dev_vfio_container_create");
        return fail(ENOTSUP);
    });
}

} // extern "C"
