// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <vector>

#include "iommufd/bus_iommufd_driver.h"

namespace iommufd::eal {

// Registered drivers, in order. Changed by constructors and destructors of plugins only; removing
// one that is not there does nothing.
const std::vector<rte_iommufd_driver *> &drivers();
void add_driver(rte_iommufd_driver *driver);
void remove_driver(rte_iommufd_driver *driver);

// Of mempools, for an address space that has been filled anew; changed likewise.
std::vector<rte_iommufd_remap_callback_t> &remap_callbacks();

// Parse "iommufd:<BDF>". A bare BDF is the PCI bus's and is not taken.
bool parse_name(const char *name, rte_pci_addr *addr);

} // namespace iommufd::eal
