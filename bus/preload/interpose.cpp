// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The functions of EAL that stand open to LD_PRELOAD, and what they do here (who calls them:
// DPDK v22.11 to v25.11, lib/eal/linux/eal_memory.c and drivers/bus/pci/linux/):
//
//     rte_mem_virt2phy              pin and GET_PA instead of /proc/self/pagemap
//     rte_vfio_setup_device         the cdev, bound to iommufd, instead of the group's device
//     rte_vfio_release_device       its safe end
//     rte_vfio_is_enabled           yes, where a device is ours
//     rte_vfio_noiommu_is_enabled   the same, once EAL is in IOVA mode PA
//     rte_bus_get_iommu_class       IOVA mode PA, where a device is ours
//     rte_vfio_container_dma_map    pin what an application has said devices will reach
//     rte_vfio_container_dma_unmap
//     rte_vfio_container_create     no: without an IOMMU there is one address space
//     rte_extmem_unregister, munmap unpin what was pinned of the memory page by page
//
// Devices that are not no-IOMMU cdevs, and processes that have none, get DPDK's own functions.
// VFIO's under the names of 26.11 are in interpose_dev_vfio.cpp.

#include <cstring>

#include "preload/device_calls.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

bool has_start_error(Library &p) {
    const LockGuard lock(p.mutex);
    return !p.start_error.empty();
}

} // namespace
} // namespace iommufd::preload

using namespace iommufd;
using namespace iommufd::preload;

extern "C" {

[[gnu::visibility("default")]] int rte_vfio_setup_device(const char *sysfs_base,
                                                         const char *dev_addr, int *vfio_dev_fd,
                                                         struct vfio_device_info *device_info) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return -1;
        int fd = -1;
        switch (set_up_device(*p, dev_addr, &fd)) {
        case SetUp::not_ours:
            return p->eal.rte_vfio_setup_device(sysfs_base, dev_addr, vfio_dev_fd, device_info);
        case SetUp::left:
            return 1;
        case SetUp::failed:
            return -1;
        case SetUp::done:
            break;
        }
        if (get_device_info(dev_addr, fd, device_info) != 0) {
            (void)release_device(*p, dev_addr, fd);
            return -1;
        }
        *vfio_dev_fd = fd;
        return 0;
    });
}

[[gnu::visibility("default")]] int rte_vfio_release_device(const char *sysfs_base,
                                                           const char *dev_addr, int fd) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return -1;
        if (const auto ret = release_device(*p, dev_addr, fd))
            return *ret;
        return p->eal.rte_vfio_release_device(sysfs_base, dev_addr, fd);
    });
}

[[gnu::visibility("default")]] int rte_vfio_is_enabled(const char *modname) {
    return guarded(0, [&] {
        Library *p = library();
        if (p == nullptr)
            return 0;
        const bool vfio = modname != nullptr && (std::strcmp(modname, "vfio") == 0 ||
                                                 std::strcmp(modname, "vfio_pci") == 0);
        return vfio && is_ours(*p) ? 1 : p->eal.rte_vfio_is_enabled(modname);
    });
}

// The PCI bus asks once, before EAL has chosen a mode, and takes a yes for a wish for PA: in mode
// VA it would end with "Expecting 'PA' IOVA mode", which tells nobody what to do (v22.11,
// drivers/bus/pci/linux/pci.c, pci_device_iova_mode(), and pci_common.c). With a no it has no wish,
// rte_bus_get_iommu_class() below has, and the bus asks for the device: set_up() says it. Who asks
// once the mode is PA, as drivers do, is told the truth.
[[gnu::visibility("default")]] int rte_vfio_noiommu_is_enabled() {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return -1;
        if (!is_ours(*p))
            return p->eal.rte_vfio_noiommu_is_enabled();
        return p->eal.rte_eal_iova_mode() == RTE_IOVA_PA ? 1 : 0;
    });
}

// PA where a device is ours, allowed at start or attached later: no bus has a wish for it, and EAL
// would choose VA, for good, as vfio's no-IOMMU groups look like an IOMMU to it (v22.11,
// lib/eal/linux/eal.c, is_iommu_enabled()). Where no address is to be had, as another process has
// the device, PA would end EAL with a message that does not say so (rte_eal_init()): it goes on in
// mode VA, without the device, which is refused with the reason.
[[gnu::visibility("default")]] enum rte_iova_mode rte_bus_get_iommu_class() {
    return guarded(RTE_IOVA_DC, [] {
        Library *p = library();
        if (p == nullptr)
            return RTE_IOVA_DC;
        const rte_iova_mode wish = p->eal.rte_bus_get_iommu_class();
        if (has_start_error(*p))
            return RTE_IOVA_VA;
        return is_ours(*p) ? RTE_IOVA_PA : wish;
    });
}

[[gnu::visibility("default")]] int rte_vfio_container_create() {
    return guarded(-1, [] {
        Library *p = library();
        if (p == nullptr)
            return -1;
        if (!is_ours(*p))
            return p->eal.rte_vfio_container_create();
        return refuse_container("rte_vfio_container_create");
    });
}

} // extern "C"
