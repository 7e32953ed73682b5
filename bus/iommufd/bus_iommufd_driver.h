/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

#ifndef BUS_IOMMUFD_DRIVER_H
#define BUS_IOMMUFD_DRIVER_H

/**
 * @file
 * The device model: what a poll-mode driver on the iommufd bus includes. Its memory, rings and
 * queues as devices see them are in bus_iommufd_dma.h, which comes with this header.
 *
 * Order in a driver (facts of vfio-pci in Linux 7.3, drivers/vfio/pci/):
 *
 *     probe()         device is bound, attached, reset; BARs mapped; bus master off
 *     rings written   with addresses of rte_iommufd_virt2dma()
 *     rte_iommufd_set_bus_master(dev, true)
 *     ...
 *     queues stopped
 *     rte_iommufd_set_bus_master(dev, false)
 *     rte_iommufd_reset_device(dev)
 *     memory freed
 *
 * The bus turns bus mastering off and resets the function again before it unmaps
 * anything, whatever the driver has done.
 *
 * Unless a function says otherwise it is called from the thread that probes and configures, one
 * call for a device at a time, and what it returns as an error has been logged with its cause and
 * remedy.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bus_driver.h>
#include <dev_driver.h>
#include <rte_common.h>
#include <rte_compat.h>
#include <rte_pci.h>
#include <rte_tailq.h>

#include "bus_iommufd_dma.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Memory BARs of a PCI function (PCI Local Bus Specification: six base address registers). */
#define RTE_IOMMUFD_MAX_BARS 6

/** Room for "iommufd:DDDDDDDD:BB:DD.F" and its end. */
#define RTE_IOMMUFD_NAME_SIZE 32

struct rte_iommufd_driver;

/** One memory BAR, mapped into the process while the device is probed. */
struct rte_iommufd_bar {
    void *addr;      /**< Start of the mapping; NULL if the BAR cannot be mapped. */
    uint64_t length; /**< Bytes; 0 if the BAR does not exist. */
};

/**
 * A device on the iommufd bus. Made and owned by the bus; a driver may read it from
 * probe() until remove() returns.
 */
struct rte_iommufd_device {
    RTE_TAILQ_ENTRY(rte_iommufd_device) next;
    struct rte_device device;                          /**< Generic device. */
    struct rte_pci_addr addr;                          /**< PCI location. */
    struct rte_pci_id id;                              /**< PCI ID. */
    struct rte_iommufd_bar bars[RTE_IOMMUFD_MAX_BARS]; /**< Set while probed. */
    struct rte_iommufd_driver *driver;                 /**< NULL unless probed. */
    void *bus_private;                                 /**< Of the bus alone. */
    char name[RTE_IOMMUFD_NAME_SIZE];                  /**< "iommufd:0000:01:00.0". */
};

/**
 * Take a device. Called from EAL's thread, never twice for a device at once.
 *
 * @param drv
 *   The driver, as it was registered.
 * @param dev
 *   The device, owned by the bus.
 * @return
 *   0, or a negative errno after having released everything the driver took. The bus then
 *   closes the device.
 */
typedef int (*rte_iommufd_probe_t)(struct rte_iommufd_driver *drv, struct rte_iommufd_device *dev);

/**
 * Give a device up: stop DMA, free what was taken. The BARs are still mapped. Called as probe().
 *
 * @param dev
 *   A device that probe() has taken.
 * @return
 *   0, or a negative errno if the device cannot be given up now; it then stays probed.
 */
typedef int (*rte_iommufd_remove_t)(struct rte_iommufd_device *dev);

/** A driver; registered objects must stay valid until unregistered. */
struct rte_iommufd_driver {
    RTE_TAILQ_ENTRY(rte_iommufd_driver) next;
    struct rte_driver driver;          /**< Generic driver. */
    rte_iommufd_probe_t probe;         /**< Mandatory. */
    rte_iommufd_remove_t remove;       /**< Mandatory. */
    const struct rte_pci_id *id_table; /**< Ends with vendor_id 0. */
    const char *const *valid_devargs;  /**< Keys probe() reads; NULL-terminated, or NULL. The bus
                                            has its own: see doc/guides/prog_guide/memory.rst. */
};

/** The rte_iommufd_device that holds an rte_device. */
#define RTE_DEV_TO_IOMMUFD(ptr) container_of(ptr, struct rte_iommufd_device, device)

/** The same for an rte_eth_dev. */
#define RTE_ETH_DEV_TO_IOMMUFD(eth_dev) RTE_DEV_TO_IOMMUFD((eth_dev)->device)

/**
 * Add a driver to the bus. Meant for constructors, before rte_eal_init(); not thread-safe.
 *
 * @param driver
 *   Stays owned by the caller, and valid until it is unregistered. The first one registered that
 *   has a device's ID is given the device.
 */
__rte_internal void rte_iommufd_register(struct rte_iommufd_driver *driver);

/**
 * Take a driver off the bus; no device may be probed by it. Not thread-safe.
 *
 * @param driver
 *   One that is not registered is ignored.
 */
__rte_internal void rte_iommufd_unregister(struct rte_iommufd_driver *driver);

/**
 * Read PCI configuration space.
 *
 * @param dev
 *   A device between probe() and remove().
 * @param buf
 *   @p len bytes to fill; little endian, as all of configuration space.
 * @param len
 *   Bytes.
 * @param offset
 *   In bytes from the start of configuration space.
 * @return
 *   0, or a negative errno: -EINVAL beyond the end of configuration space, -EIO if fewer than
 *   @p len bytes could be read, -ENODEV if the device is not open, else the kernel's.
 */
__rte_internal int rte_iommufd_read_config(const struct rte_iommufd_device *dev, void *buf,
                                           size_t len, off_t offset);

/**
 * Write PCI configuration space. Until rte_iommufd_reset_device() or the end the bus takes the
 * device for one that may do DMA, as it does not look at what is written.
 *
 * @param dev, buf, len, offset
 *   As rte_iommufd_read_config(); @p buf is read.
 * @return
 *   As rte_iommufd_read_config().
 */
__rte_internal int rte_iommufd_write_config(const struct rte_iommufd_device *dev, const void *buf,
                                            size_t len, off_t offset);

/**
 * Let the device start DMA, or stop it from doing so: the bus master bit of the PCI
 * command register, the only way vfio-pci offers (VFIO_DEVICE_FEATURE_BUS_MASTER is ENOTTY).
 *
 * @param dev
 *   A device between probe() and remove().
 * @param on
 *   Whether it may.
 * @return
 *   0, or a negative errno as rte_iommufd_read_config() and rte_iommufd_write_config().
 */
__rte_internal int rte_iommufd_set_bus_master(const struct rte_iommufd_device *dev, bool on);

/**
 * VFIO_DEVICE_RESET: bring the function to its power-on state. Configuration space is kept
 * by vfio-pci; registers of the device are not. Takes about 100 ms with a function-level reset.
 *
 * @param dev
 *   A device between probe() and remove().
 * @return
 *   0, or a negative errno: -ENOTSUP if the device cannot be reset, else the kernel's.
 */
__rte_internal int rte_iommufd_reset_device(const struct rte_iommufd_device *dev);

/**
 * Whether a plugin may register itself in the running DPDK: the structs it hands over are
 * those of the DPDK it was built for.
 *
 * @param plugin
 *   Name for the message, which goes to stderr through EAL's log.
 * @param year, month
 *   RTE_VER_YEAR and RTE_VER_MONTH at the plugin's build.
 * @return
 *   true if they match the DPDK at run time.
 */
__rte_internal bool rte_iommufd_check_dpdk_version(const char *plugin, unsigned int year,
                                                   unsigned int month);

#ifdef __cplusplus
}
#endif

/**
 * Register @p drv under the name @p nm when the plugin is loaded. The name is left in the object
 * file as pmdinfogen looks for it: RTE_PMD_EXPORT_NAME() takes another number of arguments
 * since 25.07.
 */
#define RTE_PMD_REGISTER_IOMMUFD(nm, drv)                                                          \
    RTE_INIT(iommufd_init_##nm) {                                                                  \
        if (!rte_iommufd_check_dpdk_version(RTE_STR(nm), RTE_VER_YEAR, RTE_VER_MONTH))             \
            return;                                                                                \
        (drv).driver.name = RTE_STR(nm);                                                           \
        rte_iommufd_register(&(drv));                                                              \
    }                                                                                              \
    __attribute__((used)) static const char this_pmd_name_##nm[] = RTE_STR(nm)

#endif /* BUS_IOMMUFD_DRIVER_H */
