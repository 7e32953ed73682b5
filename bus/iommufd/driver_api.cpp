// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The functions of bus_iommufd_driver.h.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <rte_errno.h>

#include "iommufd/bus.hpp"
#include "iommufd/device.hpp"
#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

namespace {

using iommufd::eal::device_of;
using iommufd::eal::guarded;

// Run an operation of the device; log its error. Constness is the driver's view of the device.
template <class F>
int on_device(const rte_iommufd_device *dev, F &&operation) {
    return guarded([&] {
        auto &attachment = device_of(const_cast<rte_iommufd_device *>(dev))->attachment;
        if (!attachment)
            return -ENODEV;
        auto ok = operation(attachment->device());
        return ok ? 0 : iommufd::eal::log_error(dev->name, ok.error());
    });
}

} // namespace

void rte_iommufd_register(rte_iommufd_driver *driver) {
    (void)guarded([=] {
        iommufd::eal::add_driver(driver);
        return 0;
    });
}

void rte_iommufd_unregister(rte_iommufd_driver *driver) {
    iommufd::eal::remove_driver(driver);
}

int rte_iommufd_read_config(const rte_iommufd_device *dev, void *buf, size_t len, off_t offset) {
    return on_device(dev, [=](iommufd::BoundDevice &device) {
        return device.read_config(buf, len, static_cast<std::uint64_t>(offset));
    });
}

int rte_iommufd_write_config(const rte_iommufd_device *dev, const void *buf, size_t len,
                             off_t offset) {
    return on_device(dev, [=](iommufd::BoundDevice &device) {
        return device.write_config(buf, len, static_cast<std::uint64_t>(offset));
    });
}

int rte_iommufd_set_bus_master(const rte_iommufd_device *dev, bool on) {
    return on_device(dev, [=](iommufd::BoundDevice &device) { return device.set_bus_master(on); });
}

int rte_iommufd_reset_device(const rte_iommufd_device *dev) {
    return on_device(dev, [](iommufd::BoundDevice &device) { return device.reset(); });
}

int rte_iommufd_dma_map(void *addr, size_t len) {
    return guarded([=] {
        auto ok = iommufd::eal::process_memory().map_external(nullptr, iommufd::va_of(addr), len);
        return ok ? 0 : iommufd::eal::log_error("rte_iommufd_dma_map", ok.error());
    });
}

int rte_iommufd_dma_unmap(void *addr, size_t len) {
    return guarded([=] {
        auto ok = iommufd::eal::process_memory().unmap_external(nullptr, iommufd::va_of(addr), len);
        return ok ? 0 : iommufd::eal::log_error("rte_iommufd_dma_unmap", ok.error());
    });
}

void rte_iommufd_remap_callback_register(rte_iommufd_remap_callback_t callback) {
    (void)guarded([=] {
        iommufd::eal::remap_callbacks().push_back(callback);
        return 0;
    });
}

const rte_memzone *rte_iommufd_dma_zone_reserve(const char *name, size_t len, unsigned int align,
                                                int socket_id, rte_iova_t *dma) {
    // Memory that crosses no multiple of the next power of two crosses no page of that size or
    // larger.
    const unsigned int bound = static_cast<unsigned int>(rte_align64pow2(len));
    const rte_memzone *zone =
        rte_memzone_reserve_bounded(name, len, socket_id, 0, std::max(align, 1U), bound);
    if (zone == nullptr)
        return nullptr;
    const size_t reach = rte_iommufd_dma_contiguous(zone->addr, len);
    if (reach < len) {
        iommufd::eal::log(RTE_LOG_ERR, "memzone %s: %zu bytes are not contiguous for a device%s",
                          name, len,
                          reach == 0 ? ": the memory is not in the address space"
                                     : ": no page is large enough; use hugepages");
        (void)rte_memzone_free(zone);
        rte_errno = reach == 0 ? EFAULT : E2BIG;
        return nullptr;
    }
    std::memset(zone->addr, 0, len);
    *dma = rte_iommufd_virt2dma(zone->addr);
    return zone;
}
