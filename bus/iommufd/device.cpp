// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "iommufd/device.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_kvargs.h>
#include <rte_memory.h>

#include "core/broker/client.hpp"
#include "iommufd/bus.hpp"
#include "iommufd/bus_devargs.hpp"
#include "iommufd/log.hpp"
#include "iommufd/memory.hpp"

namespace iommufd::eal {
namespace {

unsigned int attached; // devices in the address space

bool id_matches(const rte_pci_id &entry, const rte_pci_id &id) {
    const auto match = [](std::uint16_t want, std::uint16_t have) {
        return want == RTE_PCI_ANY_ID || want == have;
    };
    return match(entry.vendor_id, id.vendor_id) && match(entry.device_id, id.device_id) &&
           match(entry.subsystem_vendor_id, id.subsystem_vendor_id) &&
           match(entry.subsystem_device_id, id.subsystem_device_id) &&
           (entry.class_id == RTE_CLASS_ANY_ID || entry.class_id == id.class_id);
}

bool is_listed(const char *const *keys, const char *key) {
    for (; keys != nullptr && *keys != nullptr; ++keys)
        if (std::strcmp(*keys, key) == 0)
            return true;
    return false;
}

std::string join(const char *const *keys) {
    std::string all;
    for (; keys != nullptr && *keys != nullptr; ++keys)
        all += (all.empty() ? "" : ", ") + std::string(*keys);
    return all.empty() ? "none" : all;
}

// Every key of the device's devargs must be one the driver reads.
Result<void> check_devargs(const rte_devargs *devargs, const rte_iommufd_driver *driver) {
    const char *args = devargs == nullptr ? nullptr : devargs->args;
    if (args == nullptr || *args == '\0')
        return {};
    const std::string what = std::string("device arguments '") + args + "'";
    rte_kvargs *parsed = rte_kvargs_parse(args, nullptr);
    if (parsed == nullptr)
        return failure(-EINVAL, what, "they are not a list of key=value");
    Result<void> result;
    for (unsigned int i = 0; i < parsed->count && result; ++i)
        if (!is_listed(driver->valid_devargs, parsed->pairs[i].key) &&
            !is_listed(bus_devargs, parsed->pairs[i].key))
            result =
                failure(-EINVAL, what,
                        std::string("unknown argument '") + parsed->pairs[i].key + "'; known to " +
                            driver->driver.name + ": " + join(driver->valid_devargs) +
                            ", to the bus: " + join(bus_devargs));
    rte_kvargs_free(parsed);
    return result;
}

void set_bars(Device *dev, bool mapped) {
    for (std::size_t i = 0; i < RTE_IOMMUFD_MAX_BARS; ++i) {
        const VfioDevice::Bar bar = mapped ? dev->vfio.bar(i) : VfioDevice::Bar{};
        dev->bars[i] = {.addr = bar.addr, .length = bar.length};
    }
}

// Everything up to the driver. On error close() has to follow.
Result<void> open_device(Device *dev) {
    AddressSpace &space = memory().space();
    const auto options = parse_bus_devargs(dev->device.devargs);
    if (!options)
        return tl::make_unexpected(options.error());
    if (auto ok = set_rlimit_mode(*options); !ok)
        return ok;
    if (auto ok = space.open(); !ok)
        return ok;
    if (auto ok = dev->vfio.open(dev->function.cdev_path(), space.iommufd()); !ok)
        return ok;
    if (auto ok = dev->vfio.attach(space.ioas()); !ok)
        return ok;
    if (attached == 0)
        if (auto ok = memory().start(); !ok)
            return ok;
    ++attached;
    dev->in_space = true;
    if (auto ok = make_default_arena(*options, dev->device.numa_node); !ok)
        return ok;
    if (attached == 1)
        for (const auto callback : resolved_callbacks())
            callback();
    if (auto ok = dev->vfio.map_bars(); !ok)
        return ok;
    set_bars(dev, true);
    return {};
}

// From any point of open_device() on. DMA is off before anything is unmapped.
void close_device(Device *dev) {
    if (auto ok = dev->vfio.quiesce(); !ok)
        (void)log_error(dev->name, ok.error());
    // What will not stop for us the kernel stops at the last close, before it unpins.
    if (!dev->vfio.is_quiet()) {
        set_bars(dev, false);
        dev->vfio.close();
    }
    if (dev->in_space) {
        dev->in_space = false;
        if (--attached == 0)
            memory().stop();
        memory().forget(dev);
    }
    set_bars(dev, false);
    dev->vfio.close();
    if (attached == 0)
        memory().space().close();
}

} // namespace

Device::Device(const PciFunction &f)
    : rte_iommufd_device{}, function(f), vfio(broker::process_kernel()) {
    (void)rte_pci_addr_parse(f.bdf.c_str(), &addr);
    id = {
        .class_id = f.class_id,
        .vendor_id = f.vendor_id,
        .device_id = f.device_id,
        .subsystem_vendor_id = f.subsystem_vendor_id,
        .subsystem_device_id = f.subsystem_device_id,
    };
    (void)std::snprintf(name, sizeof(name), "iommufd:%s", f.bdf.c_str());
    device.name = name;
    device.numa_node = f.numa_node;
}

rte_iommufd_driver *find_driver(const rte_pci_id &id) {
    for (rte_iommufd_driver *driver : drivers())
        for (const rte_pci_id *entry = driver->id_table; entry->vendor_id != 0; ++entry)
            if (id_matches(*entry, id))
                return driver;
    return nullptr;
}

int probe_device(Device *dev) {
    if (dev->driver != nullptr)
        return -EEXIST;
    rte_iommufd_driver *driver = find_driver(dev->id);
    if (driver == nullptr) {
        log(RTE_LOG_ERR,
            "%s: no driver for device %04x:%04x on this bus; load one with -d "
            "(librte_net_iommufd_*.so)",
            dev->name, dev->id.vendor_id, dev->id.device_id);
        return -ENODEV;
    }
    if (auto ok = check_devargs(dev->device.devargs, driver); !ok)
        return log_error(dev->name, ok.error());
    if (auto ok = open_device(dev); !ok) {
        const int ret = log_error(dev->name, ok.error());
        close_device(dev);
        return ret;
    }
    log(RTE_LOG_INFO, "%s: probing %s on NUMA node %d", dev->name, driver->driver.name,
        dev->device.numa_node);
    dev->driver = driver;
    const int ret = driver->probe(driver, dev);
    if (ret < 0) {
        log(RTE_LOG_ERR, "%s: driver %s: %s", dev->name, driver->driver.name, rte_strerror(-ret));
        dev->driver = nullptr;
        close_device(dev);
        return ret;
    }
    dev->device.driver = &driver->driver;
    return 0;
}

int remove_device(Device *dev, bool force) {
    const int ret = dev->driver->remove(dev);
    if (ret < 0) {
        log(RTE_LOG_ERR, "%s: driver %s does not let it go: %s", dev->name,
            dev->driver->driver.name, rte_strerror(-ret));
        if (!force)
            return ret;
    }
    close_device(dev);
    dev->driver = nullptr;
    dev->device.driver = nullptr;
    return 0;
}

} // namespace iommufd::eal
