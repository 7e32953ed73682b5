/* SPDX-License-Identifier: BSD-3-Clause */
/* What each module that uses vfio has beside the kernel's own sources: see Kbuild. */
#ifndef OWN_VFIO_H
#define OWN_VFIO_H

#include <linux/compiler.h>
#include <linux/module.h>

MODULE_IMPORT_NS("DPDK_IOMMUFD_VFIO");

extern const char dpdk_iommufd_vfio[];
static const char *const own_vfio __used = dpdk_iommufd_vfio;

#endif
