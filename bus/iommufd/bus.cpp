// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The rte_bus: what EAL calls, and the list of devices. Which devices are taken:
//
//     -a iommufd:BDF           those
//     -b iommufd:BDF           all others
//     neither, with --no-pci   all
//     neither                  none: DPDK's PCI bus has them

#include "iommufd/bus.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_kvargs.h>
#include <rte_version.h>

#include "iommufd/device.hpp"
#include "iommufd/dpdk_compat.hpp"
#include "iommufd/log.hpp"
#include "iommufd/physical_addresses.hpp"
#include "iommufd/process_memory.hpp"

namespace iommufd::eal {
namespace {

constexpr const char *prefix = "iommufd:";

int scan();
int probe();
int cleanup();
int plug(rte_device *device);
int unplug(rte_device *device);
int parse(const char *name, void *addr);
int dma_map(rte_device *device, void *addr, std::uint64_t iova, std::size_t length);
int dma_unmap(rte_device *device, void *addr, std::uint64_t iova, std::size_t length);
rte_iova_mode iommu_class();
rte_device *find_device(const rte_device *start, rte_dev_cmp_t cmp, const void *data);
void *iterate(const void *start, const char *str, const rte_dev_iterator *it);
bool match(const rte_driver *driver, const rte_device *device);

constexpr BusOperations operations = {
    .scan = scan,
    .probe = probe,
    .cleanup = cleanup,
    .plug = plug,
    .unplug = unplug,
    .parse = parse,
    .dma_map = dma_map,
    .dma_unmap = dma_unmap,
    .iommu_class = iommu_class,
    .find_device = find_device,
    .iterate = iterate,
    .match = match,
};

// EAL keeps a pointer to it and writes its name, so it must be there before constructors run:
// a dynamically initialised object would be overwritten after RTE_REGISTER_BUS.
constinit rte_bus the_bus = make_bus<operations>();

// Never destroyed: EAL may call back while the process exits.
std::vector<std::unique_ptr<Device>> &devices() {
    static auto *all = new std::vector<std::unique_ptr<Device>>;
    return *all;
}

Device *to_device(rte_device *device) {
    return device_of(RTE_DEV_TO_IOMMUFD(device));
}

bool is_probed(const Device &dev) {
    return dev.driver != nullptr;
}

rte_devargs *find_devargs(const rte_pci_addr &addr) {
    rte_devargs *devargs = nullptr;
    RTE_EAL_DEVARGS_FOREACH("iommufd", devargs) {
        rte_pci_addr named{};
        if (parse_name(devargs->name, &named) && rte_pci_addr_cmp(&named, &addr) == 0)
            return devargs;
    }
    return nullptr;
}

// Whether EAL's arguments give the device to this bus.
bool is_selected(const Device &dev) {
    const rte_devargs *devargs = dev.device.devargs;
    switch (the_bus.conf.scan_mode) {
    case RTE_BUS_SCAN_ALLOWLIST:
        return devargs != nullptr && devargs->policy == RTE_DEV_ALLOWED;
    case RTE_BUS_SCAN_BLOCKLIST:
        return devargs == nullptr || devargs->policy != RTE_DEV_BLOCKED;
    default:
        return rte_eal_has_pci() == 0;
    }
}

bool wants(const Device &dev) {
    return is_selected(dev) && find_driver(dev.id) != nullptr;
}

bool any_wanted() {
    for (const auto &dev : devices())
        if (wants(*dev))
            return true;
    return false;
}

// Take over what sysfs shows now: devices in use stay, others follow it.
void update_devices(const std::vector<PciFunction> &found) {
    std::erase_if(devices(), [&](const auto &dev) { return !is_probed(*dev); });
    for (const PciFunction &f : found) {
        const bool known = std::any_of(devices().begin(), devices().end(),
                                       [&](const auto &dev) { return dev->function.bdf == f.bdf; });
        if (known)
            continue;
        if (!f.is_noiommu()) {
            log(RTE_LOG_INFO, "%s is behind a hardware IOMMU (%s) and left alone", f.bdf.c_str(),
                f.cdev.c_str());
            continue;
        }
        auto dev = std::make_unique<Device>(f);
        dev->device.bus = &the_bus;
        dev->device.devargs = find_devargs(dev->addr);
        // The name an application asks for again is the one it gave.
        if (dev->device.devargs != nullptr)
            (void)std::snprintf(dev->name, sizeof(dev->name), "%.*s", RTE_IOMMUFD_NAME_SIZE - 1,
                                dev->device.devargs->name);
        log(RTE_LOG_DEBUG, "%s: %04x:%04x, %s", dev->name, f.vendor_id, f.device_id,
            f.cdev.c_str());
        devices().push_back(std::move(dev));
    }
}

// Devices that were asked for by name and are not there.
int explain_missing() {
    int missing = 0;
    rte_devargs *devargs = nullptr;
    RTE_EAL_DEVARGS_FOREACH("iommufd", devargs) {
        rte_pci_addr addr{};
        if (devargs->policy != RTE_DEV_ALLOWED || !parse_name(devargs->name, &addr))
            continue;
        const bool there = std::any_of(devices().begin(), devices().end(), [&](const auto &dev) {
            return rte_pci_addr_cmp(&dev->addr, &addr) == 0;
        });
        if (there)
            continue;
        char bdf[PCI_PRI_STR_SIZE];
        rte_pci_device_name(&addr, bdf, sizeof(bdf));
        log(RTE_LOG_ERR, "%s cannot be used: %s", devargs->name,
            explain_missing_cdev("/sys", bdf).c_str());
        ++missing;
    }
    return missing;
}

int scan() {
    return guarded([] {
        if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
            log(RTE_LOG_INFO, "secondary processes have no devices on this bus");
            return 0;
        }
        update_devices(scan_vfio_cdevs("/sys"));
        static bool first = true;
        if (!std::exchange(first, false)) {
            // Hotplug: EAL looks for the device that it has just put among the devargs, and
            // says no more than that there is none.
            (void)explain_missing();
            return 0;
        }
        if (!any_wanted())
            return 0;
        if (rte_eal_has_pci() != 0)
            log(RTE_LOG_WARNING, "DPDK's PCI bus is on beside this one and may take the same "
                                 "devices, by the vfio group and physical addresses: add --no-pci");
        else if (!pa_mode_asked_for("/proc/self/cmdline"))
            answer_pagemap_test();
        return 0;
    });
}

int probe() {
    return guarded([] {
        if (rte_eal_process_type() != RTE_PROC_PRIMARY)
            return 0;
        int failed = explain_missing();
        for (const auto &dev : devices()) {
            if (is_probed(*dev) || !is_selected(*dev))
                continue;
            // Asked for by name: no driver is an error. Otherwise it is merely not ours.
            if (dev->device.devargs == nullptr && find_driver(dev->id) == nullptr)
                continue;
            if (probe_device(dev.get()) < 0)
                ++failed;
        }
        return failed == 0 ? 0 : -1;
    });
}

int cleanup() {
    return guarded([] {
        for (const auto &dev : devices())
            if (is_probed(*dev))
                (void)remove_device(dev.get(), true);
        devices().clear();
        return 0;
    });
}

int plug(rte_device *device) {
    return guarded([=] {
        Device *dev = to_device(device);
        return is_probed(*dev) ? -EEXIST : probe_device(dev);
    });
}

int unplug(rte_device *device) {
    return guarded([=] {
        Device *dev = to_device(device);
        if (!is_probed(*dev))
            return -ENODEV;
        const int ret = remove_device(dev, false);
        if (ret < 0)
            return ret;
        if (dev->device.devargs != nullptr)
            (void)rte_devargs_remove(dev->device.devargs);
        dev->device.devargs = nullptr;
        return 0;
    });
}

int parse(const char *name, void *addr) {
    rte_pci_addr parsed{};
    if (!parse_name(name, &parsed))
        return -EINVAL;
    if (addr != nullptr)
        std::memcpy(addr, &parsed, sizeof(parsed));
    return 0;
}

// The application's IOVA is its own guess; devices on this bus are given the table's answer.
int dma_map(rte_device *device, void *addr, std::uint64_t /*iova*/, std::size_t length) {
    const int ret = guarded([=] {
        auto ok = process_memory().map_external(to_device(device), va_of(addr), length);
        return ok ? 0 : log_error(device->name, ok.error());
    });
    rte_errno = -ret;
    return ret == 0 ? 0 : -1;
}

int dma_unmap(rte_device *device, void *addr, std::uint64_t /*iova*/, std::size_t length) {
    const int ret = guarded([=] {
        auto ok = process_memory().unmap_external(to_device(device), va_of(addr), length);
        return ok ? 0 : log_error(device->name, ok.error());
    });
    rte_errno = -ret;
    return ret == 0 ? 0 : -1;
}

// Addresses come from the table, so virtual ones serve as IOVAs and EAL needs no physical one.
rte_iova_mode iommu_class() {
    return any_wanted() ? RTE_IOVA_VA : RTE_IOVA_DC;
}

rte_device *find_device(const rte_device *start, rte_dev_cmp_t cmp, const void *data) {
    for (const auto &dev : devices()) {
        if (start != nullptr) {
            if (start == &dev->device)
                start = nullptr;
            continue;
        }
        if (cmp(&dev->device, data) == 0)
            return &dev->device;
    }
    return nullptr;
}

// Matches "addr=<BDF>", as the PCI bus does; every device without it.
void *iterate(const void *start, const char *str, const rte_dev_iterator * /*it*/) {
    static const char *const keys[] = {"addr", nullptr};
    rte_pci_addr want{};
    bool any = true;
    if (str != nullptr && *str != '\0') {
        rte_kvargs *args = rte_kvargs_parse(str, keys);
        const char *value = args == nullptr ? nullptr : rte_kvargs_get(args, "addr");
        any = args != nullptr && value == nullptr;
        const bool valid = any || (value != nullptr && rte_pci_addr_parse(value, &want) == 0);
        rte_kvargs_free(args);
        if (!valid) {
            rte_errno = EINVAL;
            return nullptr;
        }
    }
    const auto *from = static_cast<const rte_device *>(start);
    for (const auto &dev : devices()) {
        if (from != nullptr) {
            if (from == &dev->device)
                from = nullptr;
            continue;
        }
        if (any || rte_pci_addr_cmp(&dev->addr, &want) == 0)
            return &dev->device;
    }
    return nullptr;
}

bool match(const rte_driver *driver, const rte_device *device) {
    return has_id(*container_of(driver, rte_iommufd_driver, driver),
                  RTE_DEV_TO_IOMMUFD(device)->id);
}

// Built for another DPDK, the bus is in none of its lists, and lists are not to be trusted.
bool is_registered() {
    return the_bus.name != nullptr;
}

std::vector<rte_iommufd_driver *> &all_drivers() {
    static auto *all = new std::vector<rte_iommufd_driver *>;
    return *all;
}

} // namespace

const std::vector<rte_iommufd_driver *> &drivers() {
    return all_drivers();
}

void add_driver(rte_iommufd_driver *driver) {
    all_drivers().push_back(driver);
    if (is_registered())
        list_driver(the_bus, driver->driver);
}

void remove_driver(rte_iommufd_driver *driver) {
    if (std::erase(all_drivers(), driver) != 0 && is_registered())
        unlist_driver(the_bus, driver->driver);
}

std::vector<rte_iommufd_remap_callback_t> &remap_callbacks() {
    static auto *all = new std::vector<rte_iommufd_remap_callback_t>;
    return *all;
}

bool parse_name(const char *name, rte_pci_addr *addr) {
    if (std::strncmp(name, prefix, std::strlen(prefix)) != 0)
        return false;
    return rte_pci_addr_parse(name + std::strlen(prefix), addr) == 0;
}

} // namespace iommufd::eal

using iommufd::eal::the_bus;

// RTE_REGISTER_BUS, unless the bus was built for another DPDK.
RTE_INIT_PRIO(iommufd_bus_register, BUS) {
    if (!rte_iommufd_check_dpdk_version("bus_iommufd", RTE_VER_YEAR, RTE_VER_MONTH))
        return;
    the_bus.name = "iommufd";
    rte_bus_register(&the_bus);
}
