// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// In place of this project's bus, for its driver and mempool: all that
// bus/iommufd/bus_iommufd_driver.h and rte_bus_iommufd.h declare. The model's DMA addresses
// are virtual addresses, and all memory is reachable.

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <iterator>

#include <bus_iommufd_driver.h>
#include <rte_version.h>

#include "bus.hpp"
#include "bus_internal.hpp"

namespace {

std::vector<rte_iommufd_driver *> &drivers() {
    static std::vector<rte_iommufd_driver *> all;
    return all;
}

// The whole range as 2 MiB pages at DMA address == VA, the depth a lookup has with hugepages:
// one directory does for every GiB.
struct IdentityTable {
    alignas(4096) std::uint64_t directory[RTE_IOMMUFD_DIRECTORY_WORDS];
    std::uint64_t root[RTE_IOMMUFD_ROOT_WORDS];

    IdentityTable() {
        std::fill(std::begin(directory), std::end(directory), RTE_IOMMUFD_LEAF);
        std::fill(std::begin(root), std::end(root),
                  reinterpret_cast<std::uintptr_t>(directory) | RTE_IOMMUFD_DIRECTORY);
    }
};

IdentityTable table;

} // namespace

extern "C" {

extern const std::uint64_t *const rte_iommufd_dma_root = table.root;

void rte_iommufd_register(rte_iommufd_driver *driver) {
    drivers().push_back(driver);
}

void rte_iommufd_unregister(rte_iommufd_driver *driver) {
    std::erase(drivers(), driver);
}

bool rte_iommufd_check_dpdk_version(const char *, unsigned int year, unsigned int month) {
    return year == RTE_VER_YEAR && month == RTE_VER_MONTH;
}

std::size_t rte_iommufd_dma_contiguous(const void *, std::size_t len) {
    return len;
}

const rte_memzone *rte_iommufd_dma_zone_reserve(const char *name, std::size_t len,
                                                unsigned int align, int socket_id,
                                                rte_iova_t *dma) {
    const rte_memzone *zone = rte_memzone_reserve_aligned(name, len, socket_id, 0, align);

    if (zone != nullptr)
        *dma = rte_iommufd_virt2dma(zone->addr);
    return zone;
}

rte_iommufd_hold *rte_iommufd_hold_pool(rte_mempool *) {
    static char hold; // all memory stays
    return reinterpret_cast<rte_iommufd_hold *>(&hold);
}

rte_iommufd_hold *rte_iommufd_hold_buffers(rte_mempool *pool) {
    return rte_iommufd_hold_pool(pool);
}

rte_iommufd_hold *rte_iommufd_hold_memory(const void *, std::size_t) {
    return rte_iommufd_hold_pool(nullptr);
}

void rte_iommufd_hold_release(rte_iommufd_hold *) {}

int rte_iommufd_in_flight_register(rte_iommufd_in_flight *, rte_iommufd_in_flight_ranges_t) {
    return 0; // nobody asks
}

void rte_iommufd_in_flight_unregister(rte_iommufd_in_flight *) {}

int rte_iommufd_set_bus_master(const rte_iommufd_device *, bool) {
    return 0;
}

int rte_iommufd_reset_device(const rte_iommufd_device *) {
    return 0;
}

int rte_iommufd_read_config(const rte_iommufd_device *, void *, std::size_t, off_t) {
    return -ENOTSUP;
}

int rte_iommufd_write_config(const rte_iommufd_device *, const void *, std::size_t, off_t) {
    return -ENOTSUP;
}

} // extern "C"

namespace bench {

DriverFile iommufd_driver_file(const std::string &name) {
    const rte_iommufd_driver *driver = find_driver(drivers(), name);

    return {driver == nullptr ? "" : object_of(reinterpret_cast<const void *>(driver->probe))};
}

std::uint16_t probe_iommufd(const std::string &driver_name, Device &device,
                            const std::string &name) {
    rte_iommufd_driver &driver = get_driver(drivers(), driver_name);
    auto *iommufd = new rte_iommufd_device(); // the port refers to it until the end

    name.copy(iommufd->name, sizeof(iommufd->name) - 1);
    iommufd->device.name = iommufd->name;
    iommufd->device.driver = &driver.driver;
    iommufd->device.numa_node = SOCKET_ID_ANY;
    iommufd->driver = &driver;
    iommufd->id = {.class_id = RTE_CLASS_ANY_ID,
                   .vendor_id = vendor_intel,
                   .device_id = device.model().device_id,
                   .subsystem_vendor_id = vendor_intel,
                   .subsystem_device_id = 0};
    iommufd->bars[0] = {.addr = device.registers().address(), .length = device.registers().size()};
    return port_of(driver_name, name, driver.probe(&driver, iommufd));
}

} // namespace bench
