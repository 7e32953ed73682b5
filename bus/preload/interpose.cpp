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

#include <cstring>

#include "core/sys/uapi.hpp"
#include "preload/allow.hpp"
#include "preload/library.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

// Why DPDK would give this device addresses that are not physical; empty if it does not.
std::string wrong_mode(const Library &p) REQUIRES(p.mutex) {
    if (p.eal.rte_eal_iova_mode() != RTE_IOVA_PA && !p.start_error.empty())
        return "there was no physical address when DPDK started (" + p.start_error +
               "): start the application again when that is no longer so";
    if (p.eal.rte_eal_iova_mode() != RTE_IOVA_PA)
        return "DPDK runs in IOVA mode VA, and without an IOMMU a device needs physical addresses: "
               "leave --iova-mode=va out";
    if (!p.was_asked)
        return "this DPDK does not look physical addresses up where it can be led: it must be a "
               "shared library whose own calls go through its PLT (no -Bsymbolic, no static link)";
    return {};
}

// Whether the device may be set up; what serves nothing then is closed.
bool is_right_mode(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    auto why = wrong_mode(p);
    if (why.empty())
        return true;
    p.devices.close_unused();
    (void)log_error(bdf.c_str(), Error{EINVAL, "set-up of the device", std::move(why)});
    return false;
}

int borrow(Library &p, const std::string &bdf, int *fd) {
    const auto lent = ask_primary(broker::process_kernel(), p.eal, bdf);
    if (!lent)
        return log_error(bdf.c_str(), lent.error());
    const LockGuard lock(p.mutex);
    p.borrowed.insert(bdf);
    *fd = lent->fd;
    return 0;
}

int set_up(Library &p, const PciFunction &function, int *fd) {
    if (!is_right_mode(p, function.bdf))
        return -1;
    if (is_secondary(p))
        return borrow(p, function.bdf, fd);
    // Between the walk of EAL's memory and the next event no page may come or go.
    p.eal.rte_mcfg_mem_read_lock();
    const int ret = guarded(-1, [&] {
        const LockGuard lock(p.mutex);
        register_callbacks(p);
        auto cdev = p.devices.set_up(function);
        if (!cdev)
            return log_error(function.bdf.c_str(), cdev.error());
        p.ours = true;
        *fd = *cdev;
        return 0;
    });
    p.eal.rte_mcfg_mem_read_unlock();
    return ret;
}

int release_device(Library &p, const std::string &bdf, int fd) {
    p.eal.rte_mcfg_mem_read_lock();
    const int ret = guarded(-1, [&] {
        const LockGuard lock(p.mutex);
        if (p.borrowed.erase(bdf) != 0) {
            (void)broker::process_kernel().close(fd); // the primary goes on with the device
            return 0;
        }
        auto ok = p.devices.release(bdf);
        return ok ? 0 : log_error(bdf.c_str(), ok.error());
    });
    p.eal.rte_mcfg_mem_read_unlock();
    return ret;
}

bool has(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.borrowed.count(bdf) != 0 || p.devices.cdev(bdf) >= 0;
}

bool may_probe(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.devices.may_probe(bdf);
}

std::optional<PciFunction> find_function(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.devices.find(bdf);
}

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
        const auto bdf = normal_bdf(dev_addr);
        const auto function = bdf ? find_function(*p, *bdf) : std::nullopt;
        if (!function)
            return p->eal.rte_vfio_setup_device(sysfs_base, dev_addr, vfio_dev_fd, device_info);
        if (read_allowed(p->eal, nullptr).is_plugins(*bdf)) {
            log(RTE_LOG_NOTICE, "%s: left to the iommufd bus, which -a names for it", bdf->c_str());
            return 1;
        }
        if (!may_probe(*p, *bdf)) {
            log(RTE_LOG_NOTICE,
                "%s: left alone: dpdk-iommufd-run --device has named others, and not it",
                bdf->c_str());
            return 1;
        }
        int fd = -1;
        if (const int ret = set_up(*p, *function, &fd); ret != 0)
            return ret;
        // Of the caller's size, which is in argsz.
        if (broker::process_kernel().ioctl(fd, uapi::device_get_info_request, device_info) < 0) {
            log(RTE_LOG_ERR, "%s: VFIO_DEVICE_GET_INFO has failed", bdf->c_str());
            (void)release_device(*p, *bdf, fd);
            return -1;
        }
        log(RTE_LOG_INFO, "%s: %s", bdf->c_str(), function->cdev_path().c_str());
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
        const auto bdf = normal_bdf(dev_addr);
        if (bdf && has(*p, *bdf))
            return release_device(*p, *bdf, fd);
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
        log(RTE_LOG_ERR, "rte_vfio_container_create: without an IOMMU all devices of a process "
                         "share one address "
                         "space: use RTE_VFIO_DEFAULT_CONTAINER_FD");
        return -1;
    });
}

} // extern "C"
