// SPDX-License-Identifier: BSD-3-Clause
/* The symbol that only this vfio has: see Kbuild. */
#include <linux/export.h>

extern const char dpdk_iommufd_vfio[];
const char dpdk_iommufd_vfio[] = "vfio with no-IOMMU iommufd";
EXPORT_SYMBOL_GPL(dpdk_iommufd_vfio);
