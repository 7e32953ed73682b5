// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The driver on the iommufd bus: IDs, probe, remove.

#include <cerrno>

#include <bus_iommufd_driver.h>
#include <pmdinfo.hpp>

#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"

namespace igb {

namespace {

constexpr std::uint16_t vendor_intel = 0x8086;
constexpr std::uint16_t device_82576 = 0x10C9; // Linux 7.3, igb/e1000_hw.h: E1000_DEV_ID_82576

constexpr rte_pci_id pci_ids[] = {
    {.class_id = RTE_CLASS_ANY_ID,
     .vendor_id = vendor_intel,
     .device_id = device_82576,
     .subsystem_vendor_id = RTE_PCI_ANY_ID,
     .subsystem_device_id = RTE_PCI_ANY_ID},
    {}, // the end
};

int uninit(rte_eth_dev *dev) {
    return dev_close(dev);
}

int probe(rte_iommufd_driver *, rte_iommufd_device *device) {
    if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
        IGB_LOG(ERR, "%s: secondary processes are not supported yet", device->device.name);
        return -ENOTSUP;
    }
    return rte_eth_dev_create(&device->device, device->device.name, sizeof(Port), nullptr, nullptr,
                              dev_init, nullptr);
}

int remove(rte_iommufd_device *device) {
    rte_eth_dev *dev = rte_eth_dev_allocated(device->device.name);

    // rte_eth_dev_close() has released it.
    return dev == nullptr ? 0 : rte_eth_dev_destroy(dev, uninit);
}

constinit rte_iommufd_driver driver = {
    .next = {},
    .driver = {},
    .probe = probe,
    .remove = remove,
    .id_table = pci_ids,
    .valid_devargs = nullptr,
};

} // namespace

} // namespace igb

RTE_PMD_REGISTER_IOMMUFD(net_iommufd_igb, igb::driver);
RTE_IOMMUFD_PMD_INFO(net_iommufd_igb, igb::pci_ids);
