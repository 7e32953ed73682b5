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
#include "iommufd/process_memory.hpp"

namespace iommufd::eal {
namespace {

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

void set_bars(Device *dev) {
    for (std::size_t i = 0; i < RTE_IOMMUFD_MAX_BARS; ++i)
        dev->bars[i] = {.addr = dev->attachment->attached().bar(i),
                        .length = dev->attachment->attached().bar_size(i)};
}

// Everything up to the driver. What is there after an error goes with the attachment.
Result<void> open_device(Device *dev) {
    ProcessMemory &memory = process_memory();
    const BusDevargs options = TRY(parse_bus_devargs(dev->device.devargs));
    TRY(set_rlimit_mode(options));
    dev->attachment.emplace(
        TRY(Attachment::create(broker::process_kernel(), memory, dev->function.cdev_path())));
    const bool is_first = memory.attached() == 1;
    if (is_first)
        TRY(memory.start());
    TRY(make_pool_arena(options, dev->device.numa_node));
    if (is_first)
        for (const auto callback : remap_callbacks())
            callback();
    TRY(dev->attachment->attached().map_bars());
    set_bars(dev);
    return {};
}

// From any point of open_device() on. DMA is off before anything is unmapped.
void close_device(Device *dev) {
    for (rte_iommufd_bar &bar : dev->bars)
        bar = {};
    if (!dev->attachment)
        return;
    if (auto ok = dev->attachment->close(); !ok)
        (void)log_error(dev->name, ok.error());
    dev->attachment.reset();
    process_memory().remove_device(dev);
}

} // namespace

Device::Device(const PciFunction &f) : rte_iommufd_device{}, function(f) {
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

bool has_id(const rte_iommufd_driver &driver, const rte_pci_id &id) {
    for (const rte_pci_id *entry = driver.id_table; entry->vendor_id != 0; ++entry)
        if (id_matches(*entry, id))
            return true;
    return false;
}

rte_iommufd_driver *find_driver(const rte_pci_id &id) {
    for (rte_iommufd_driver *driver : drivers())
        if (has_id(*driver, id))
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
