// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The functions of EAL that stand open to LD_PRELOAD, and what they do here (who calls them:
// DPDK v22.11 to v25.11, lib/eal/linux/eal_memory.c and drivers/bus/pci/linux/):
//
//     rte_mem_virt2phy              pin and GET_PA instead of /proc/self/pagemap
//     rte_vfio_setup_device         the cdev, bound to iommufd, instead of the group's device
//     rte_vfio_release_device       its safe end
//     rte_vfio_is_enabled           yes, where a device is ours
//     rte_vfio_noiommu_is_enabled   the same
//     rte_bus_get_iommu_class       IOVA mode PA, where no bus has a wish and --device names one
//     rte_vfio_container_dma_map    pin what an application has said devices will reach
//     rte_vfio_container_dma_unmap
//
// Devices that are not no-IOMMU cdevs, and processes that have none, get DPDK's own functions.

#include <atomic>
#include <cinttypes>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "core/broker/client.hpp"
#include "core/sys/mutex.hpp"
#include "core/sys/uapi.hpp"
#include "preload/allow.hpp"
#include "preload/devices.hpp"
#include "preload/eal_api.hpp"
#include "preload/log.hpp"
#include "preload/process.hpp"
#include "preload/telemetry.hpp"
#include "preload/virt2phy.hpp"

namespace iommufd::preload {
namespace {

struct Process {
    explicit Process(const EalApi &api)
        : eal(api), memory(broker::process_kernel(), api),
          devices(broker::process_kernel(), api, memory, std::getenv(given_variable)),
          pages(broker::process_kernel()) {}

    const EalApi &eal;
    Mutex mutex;
    Virt2Phy memory;
    Devices devices GUARDED_BY(mutex);
    // Of a secondary process: what the primary has lent.
    LentDescriptor lent GUARDED_BY(mutex);
    PagePins pages GUARDED_BY(mutex);
    std::set<std::string> borrowed GUARDED_BY(mutex);

    bool has_callbacks GUARDED_BY(mutex) = false;
    std::atomic<bool> has_complained{false};
    std::atomic<bool> ours{false}; // a device of this process has ever been ours
    std::atomic<bool> was_asked{false};
};

// Made at first use, never destroyed: EAL may call while the process ends. nullptr if this DPDK
// is none we know.
Process *process() {
    static auto *the_process = eal() == nullptr ? nullptr : new Process(*eal());
    return the_process;
}

bool is_secondary(const Process &p) {
    return p.eal.rte_eal_process_type() == RTE_PROC_SECONDARY;
}

void on_memory(rte_mem_event type, const void *addr, size_t length, void * /*arg*/) {
    (void)guarded(0, [&] {
        Virt2Phy &memory = process()->memory;
        if (type == RTE_MEM_EVENT_ALLOC)
            memory.added(va_of(addr), length);
        else
            memory.freed(va_of(addr), length);
        return 0;
    });
}

// EAL asks before each attempt to take memory; every answer is yes.
int on_allocation(int /*socket*/, size_t /*limit*/, size_t /*length*/) {
    return guarded(0, [] {
        process()->memory.before_allocation();
        return 0;
    });
}

LentDescriptor lend(const std::string &bdf) {
    Process &p = *process();
    const LockGuard lock(p.mutex);
    if (!p.devices.attached())
        return {};
    if (bdf.empty())
        return {.fd = p.memory.space().iommufd(), .ioas = p.memory.space().ioas()};
    return {.fd = p.devices.cdev(bdf), .ioas = p.memory.space().ioas()};
}

// In time for the first event and the first secondary.
void register_callbacks(Process &p) REQUIRES(p.mutex) {
    if (p.has_callbacks)
        return;
    p.has_callbacks = true;
    // Static memory (--legacy-mem) has no events.
    (void)p.eal.rte_mem_event_callback_register("iommufd_preload", on_memory, nullptr);
    for (int socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket)
        (void)p.eal.rte_mem_alloc_validator_register("iommufd_preload", on_allocation, socket, 0);
    serve_secondaries(p.eal, lend);
    register_telemetry([](std::vector<Devices::Held> *held) {
        Process &all = *process();
        const LockGuard lock(all.mutex);
        *held = all.devices.held();
        return all.memory.census();
    });
}

bool is_ours(Process &p) {
    if (p.ours)
        return true;
    const LockGuard lock(p.mutex);
    p.ours = p.devices.any();
    return p.ours;
}

// A refusal that would repeat itself for every page is said once.
phys_addr_t no_address(Process &p, const char *who, const Error &error) {
    const bool first = !p.has_complained.exchange(true);
    log(first ? RTE_LOG_ERR : RTE_LOG_DEBUG, "%s: %s", who, error.message().c_str());
    return RTE_BAD_IOVA;
}

phys_addr_t physical_of_secondary(Process &p, const void *address) {
    const rte_memseg_list *msl = p.eal.rte_mem_virt2memseg_list(address);
    if (msl != nullptr) {
        const rte_memseg *ms = p.eal.rte_mem_virt2memseg(address, msl);
        if (ms == nullptr || ms->len == 0 || ms->iova == RTE_BAD_IOVA)
            return RTE_BAD_IOVA;
        return ms->iova + (va_of(address) - va_of(ms->addr)); // the primary has pinned it
    }
    const LockGuard lock(p.mutex);
    const bool is_first = p.lent.fd < 0; // rte_eal_init()'s test of a variable on its stack
    if (is_first) {
        auto lent = ask_primary(broker::process_kernel(), p.eal, "");
        if (!lent)
            return no_address(p, "secondary process", lent.error());
        p.lent = *lent;
        p.pages.use(lent->fd, lent->ioas, static_cast<std::uint32_t>(getpid()));
    }
    const Va va = va_of(address);
    auto pa = is_first ? p.pages.probe(va) : p.pages.pin(va);
    return pa ? *pa : no_address(p, "physical address", pa.error());
}

phys_addr_t physical(Process &p, const void *address) {
    p.was_asked = true;
    if (is_secondary(p))
        return physical_of_secondary(p, address);
    {
        const LockGuard lock(p.mutex);
        register_callbacks(p);
        if (auto ok = p.devices.attach_any(); !ok)
            return no_address(p, "no device for physical addresses", ok.error());
    }
    auto pa = p.memory.physical(address);
    return pa ? *pa : no_address(p, "physical address", pa.error());
}

// Why DPDK would give this device addresses that are not physical; empty if it does not.
std::string wrong_mode(const Process &p) {
    if (p.eal.rte_eal_iova_mode() != RTE_IOVA_PA)
        return "DPDK runs in IOVA mode VA, and without an IOMMU a device needs physical addresses: "
               "start it with --iova-mode=pa";
    if (!p.was_asked)
        return "this DPDK does not look physical addresses up where it can be led: it must be a "
               "shared library whose own calls go through its PLT (no -Bsymbolic, no static link)";
    return {};
}

int borrow(Process &p, const std::string &bdf, int *fd) {
    const auto lent = ask_primary(broker::process_kernel(), p.eal, bdf);
    if (!lent)
        return log_error(bdf.c_str(), lent.error());
    const LockGuard lock(p.mutex);
    p.borrowed.insert(bdf);
    *fd = lent->fd;
    return 0;
}

int set_up(Process &p, const PciFunction &function, int *fd) {
    if (auto why = wrong_mode(p); !why.empty())
        return log_error(function.bdf.c_str(),
                         Error{EINVAL, "set-up of the device", std::move(why)});
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

int release_device(Process &p, const std::string &bdf, int fd) {
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

bool has(Process &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.borrowed.count(bdf) != 0 || p.devices.cdev(bdf) >= 0;
}

bool may_probe(Process &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.devices.may_probe(bdf);
}

std::optional<PciFunction> find_function(Process &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.devices.find(bdf);
}

bool is_attached(Process &p) {
    const LockGuard lock(p.mutex);
    return p.devices.attached();
}

} // namespace
} // namespace iommufd::preload

using namespace iommufd;
using namespace iommufd::preload;

extern "C" {

[[gnu::visibility("default")]] phys_addr_t rte_mem_virt2phy(const void *virt) {
    return guarded<phys_addr_t>(RTE_BAD_IOVA, [&]() -> phys_addr_t {
        Process *p = process();
        if (p == nullptr)
            return RTE_BAD_IOVA;
        p->was_asked = true;
        return is_ours(*p) ? physical(*p, virt) : p->eal.rte_mem_virt2phy(virt);
    });
}

[[gnu::visibility("default")]] int rte_vfio_setup_device(const char *sysfs_base,
                                                         const char *dev_addr, int *vfio_dev_fd,
                                                         struct vfio_device_info *device_info) {
    return guarded(-1, [&] {
        Process *p = process();
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
        Process *p = process();
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
        Process *p = process();
        if (p == nullptr)
            return 0;
        const bool vfio = modname != nullptr && (std::strcmp(modname, "vfio") == 0 ||
                                                 std::strcmp(modname, "vfio_pci") == 0);
        return vfio && is_ours(*p) ? 1 : p->eal.rte_vfio_is_enabled(modname);
    });
}

[[gnu::visibility("default")]] int rte_vfio_noiommu_is_enabled() {
    return guarded(-1, [&] {
        Process *p = process();
        if (p == nullptr)
            return -1;
        return is_ours(*p) ? 1 : p->eal.rte_vfio_noiommu_is_enabled();
    });
}

// An application that allows no device at start and attaches one later: no bus has a wish then, and
// EAL would choose VA, for good, as vfio's no-IOMMU groups look like an IOMMU to it (v22.11,
// lib/eal/linux/eal.c, is_iommu_enabled()).
[[gnu::visibility("default")]] enum rte_iova_mode rte_bus_get_iommu_class() {
    return guarded(RTE_IOVA_DC, [] {
        Process *p = process();
        if (p == nullptr)
            return RTE_IOVA_DC;
        const rte_iova_mode wish = p->eal.rte_bus_get_iommu_class();
        return wish == RTE_IOVA_DC && is_ours(*p) ? RTE_IOVA_PA : wish;
    });
}

[[gnu::visibility("default")]] int rte_vfio_container_dma_map(int container_fd, uint64_t vaddr,
                                                              uint64_t iova, uint64_t len) {
    return guarded(-1, [&] {
        Process *p = process();
        if (p == nullptr)
            return -1;
        if (container_fd != RTE_VFIO_DEFAULT_CONTAINER_FD || !is_attached(*p))
            return p->eal.rte_vfio_container_dma_map(container_fd, vaddr, iova, len);
        auto ok = p->memory.map_external(Va{vaddr}, iova, len);
        return ok ? 0 : log_error("external memory", ok.error());
    });
}

[[gnu::visibility("default")]] int rte_vfio_container_dma_unmap(int container_fd, uint64_t vaddr,
                                                                uint64_t iova, uint64_t len) {
    return guarded(-1, [&] {
        Process *p = process();
        if (p == nullptr)
            return -1;
        if (container_fd != RTE_VFIO_DEFAULT_CONTAINER_FD || !is_attached(*p))
            return p->eal.rte_vfio_container_dma_unmap(container_fd, vaddr, iova, len);
        auto ok = p->memory.unmap_external(Va{vaddr}, len);
        return ok ? 0 : log_error("external memory", ok.error());
    });
}

} // extern "C"
