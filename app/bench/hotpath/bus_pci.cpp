// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// In place of DPDK's PCI bus, for the stock drivers.

#include <bus_pci_driver.h>
#include <rte_interrupts.h>
#include <rte_memory.h>

#include "bus.hpp"
#include "bus_internal.hpp"

#include <cstdint>

namespace {

std::vector<rte_pci_driver *> &drivers() {
    static std::vector<rte_pci_driver *> all;
    return all;
}

// No interrupts: an fd of 0 would be taken for a real one.
rte_intr_handle *no_interrupts() {
    rte_intr_handle *handle = rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE);

    if (handle == nullptr || rte_intr_fd_set(handle, -1) != 0 ||
        rte_intr_dev_fd_set(handle, -1) != 0)
        throw std::runtime_error("no interrupt handle");
    return handle;
}

} // namespace

extern "C" void rte_pci_register(rte_pci_driver *driver) {
    drivers().push_back(driver);
}

extern "C" void rte_pci_unregister(rte_pci_driver *driver) {
    std::erase(drivers(), driver);
}

namespace bench {

DriverFile pci_driver_file(const std::string &name) {
    const rte_pci_driver *driver = find_driver(drivers(), name);

    return {driver == nullptr ? "" : object_of(reinterpret_cast<const void *>(driver->probe))};
}

std::uint16_t probe_pci(const std::string &driver_name, Device &device, const std::string &name) {
    rte_pci_driver &driver = get_driver(drivers(), driver_name);
    auto *pci = new rte_pci_device(); // the port refers to it until the end

    name.copy(pci->name, sizeof(pci->name) - 1);
    pci->device.name = pci->name;
    pci->device.driver = &driver.driver;
    pci->device.numa_node = SOCKET_ID_ANY;
    pci->driver = &driver;
    pci->id = {.class_id = RTE_CLASS_ANY_ID,
               .vendor_id = vendor_intel,
               .device_id = device.model().device_id,
               .subsystem_vendor_id = vendor_intel,
               .subsystem_device_id = 0};
    pci->mem_resource[0] = {
        .phys_addr = 0, .len = device.registers().size(), .addr = device.registers().address()};
    pci->intr_handle = no_interrupts();
    return port_of(driver_name, name, driver.probe(&driver, pci));
}

} // namespace bench
