/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

#ifndef BUS_IOMMUFD_DRIVER_H
#define BUS_IOMMUFD_DRIVER_H

/**
 * @file
 * What a poll-mode driver on the iommufd bus includes.
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
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <bus_driver.h>
#include <dev_driver.h>
#include <rte_atomic.h>
#include <rte_common.h>
#include <rte_compat.h>
#include <rte_memzone.h>
#include <rte_pci.h>
#include <rte_tailq.h>

#include "rte_bus_iommufd.h"

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
 * @return
 *   0, or a negative errno after having released everything the driver took. The bus then
 *   closes the device.
 */
typedef int (*rte_iommufd_probe_t)(struct rte_iommufd_driver *drv, struct rte_iommufd_device *dev);

/**
 * Give a device back: stop DMA, free what was taken. The BARs are still mapped.
 *
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
 * Add a driver to the bus. Meant for constructors, before rte_eal_init().
 *
 * @param driver
 *   Stays owned by the caller.
 */
__rte_internal void rte_iommufd_register(struct rte_iommufd_driver *driver);

/** Take a driver off the bus; no device may be probed by it. */
__rte_internal void rte_iommufd_unregister(struct rte_iommufd_driver *driver);

/**
 * Read PCI configuration space.
 *
 * @param buf
 *   @p len bytes to fill.
 * @param offset
 *   In bytes from the start of configuration space.
 * @return
 *   0, or a negative errno; -EIO if fewer than @p len bytes could be read.
 */
__rte_internal int rte_iommufd_read_config(const struct rte_iommufd_device *dev, void *buf,
                                           size_t len, off_t offset);

/** Write PCI configuration space; parameters and result as rte_iommufd_read_config(). */
__rte_internal int rte_iommufd_write_config(const struct rte_iommufd_device *dev, const void *buf,
                                            size_t len, off_t offset);

/**
 * Let the device start DMA, or stop it from doing so: the bus master bit of the PCI
 * command register, the only way vfio-pci offers (VFIO_DEVICE_FEATURE_BUS_MASTER is ENOTTY).
 *
 * @return
 *   0, or a negative errno.
 */
__rte_internal int rte_iommufd_set_bus_master(const struct rte_iommufd_device *dev, bool on);

/**
 * VFIO_DEVICE_RESET: bring the function to its power-on state. Configuration space is kept
 * by vfio-pci; registers of the device are not.
 *
 * @return
 *   0, or a negative errno.
 */
__rte_internal int rte_iommufd_reset_device(const struct rte_iommufd_device *dev);

/**
 * Reserve memory that is mapped and contiguous for every device on the bus, for descriptor
 * rings. The memory is zeroed. Release it with rte_memzone_free().
 *
 * @param name
 *   Of the memzone, unique.
 * @param len
 *   Bytes; no more than the hugepage size of the node's memory.
 * @param align
 *   Bytes, a power of two.
 * @param socket_id
 *   NUMA node or SOCKET_ID_ANY.
 * @param[out] dma
 *   DMA address of the first byte; untouched on failure.
 * @return
 *   The memzone, or NULL with rte_errno set: E2BIG if @p len fits in no page, EFAULT if the
 *   memory is not in the address space, else as rte_memzone_reserve_bounded().
 */
__rte_internal const struct rte_memzone *rte_iommufd_dma_zone_reserve(const char *name, size_t len,
                                                                      unsigned int align,
                                                                      int socket_id,
                                                                      rte_iova_t *dma);

/**
 * Put memory that EAL does not know into the address space for as long as it is used, whatever
 * devices come and go. For mempool drivers; applications use rte_dev_dma_map(). May be called
 * while the caller holds no lock of EAL's memory.
 *
 * @param addr
 *   Start; a multiple of 4096.
 * @param len
 *   Bytes; a multiple of 4096.
 * @return
 *   0, or a negative errno: -ENODEV without a device, -EEXIST if part of it is mapped
 *   otherwise, -EINVAL, or what pinning answers.
 */
__rte_internal int rte_iommufd_dma_map(void *addr, size_t len);

/**
 * Undo rte_iommufd_dma_map(), as the memory is about to go. No address of it is found any more;
 * what a queue still uses stays pinned until it does not.
 *
 * @return
 *   0, or -ENOENT if exactly this range is not mapped so.
 */
__rte_internal int rte_iommufd_dma_unmap(void *addr, size_t len);

/** Memory that somebody uses; see rte_iommufd_hold_pool(), rte_iommufd_hold_memory(). */
struct rte_iommufd_hold;

struct rte_mempool;

/**
 * Say that a device may write to the memory of a pool's objects: from before a queue is given
 * the first of them until rte_iommufd_hold_release(). Meanwhile
 *
 * - rte_dev_dma_unmap() and rte_iommufd_arena_destroy() of that memory fail with EBUSY;
 * - pages that EAL frees all the same (its event cannot be refused) lose their DMA addresses at
 *   once and their pins with the hold, so that the kernel gives them to nobody before that. EAL
 *   cannot have the same virtual addresses mapped for devices again until then.
 *
 * The end of the last device ends all pins and empties all holds.
 *
 * @return
 *   The hold, or NULL with rte_errno set: EFAULT if an object is not in the address space, ENOMEM.
 */
__rte_internal struct rte_iommufd_hold *rte_iommufd_hold_pool(struct rte_mempool *pool);

/**
 * The same for the data buffers of a pool's mbufs, of whatever mempool ops, pinned external buffers
 * (RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) included. The mbufs do not carry their DMA addresses: look
 * each up, rte_iommufd_virt2dma(), and see that it is in one piece, rte_iommufd_dma_contiguous().
 *
 * Memory of the pool's own that EAL does not know (rte_mempool_populate_anon()) is put into the
 * address space until the pool is freed, unless the application has done so. External buffers, and
 * what the application has registered with EAL, are its own to map with rte_dev_dma_map().
 *
 * @return
 *   As rte_iommufd_hold_pool(), or NULL with rte_errno set to what pinning answers.
 */
__rte_internal struct rte_iommufd_hold *rte_iommufd_hold_buffers(struct rte_mempool *pool);

/**
 * Say that objects of a pool carry DMA addresses of [addr, addr + len), so that drivers may give
 * them to a device without looking them up. Until rte_iommufd_hold_release() what
 * rte_iommufd_hold_pool() says of explicit requests holds, and what was mapped for a device that is
 * removed stays pinned; pages that EAL frees all the same are gone. For mempool drivers.
 *
 * @return
 *   As rte_iommufd_hold_pool().
 */
__rte_internal struct rte_iommufd_hold *rte_iommufd_hold_memory(const void *addr, size_t len);

/** Nobody reaches it by this hold any more. NULL is ignored. */
__rte_internal void rte_iommufd_hold_release(struct rte_iommufd_hold *hold);

/** Memory as devices see it. */
struct rte_iommufd_dma_range {
    rte_iova_t start;
    size_t len; /**< Bytes. */
};

/**
 * A transmit queue, as the address space sees it. What a queue has been told to send may lie
 * anywhere, and is not held: that would cost the data path. Instead the queue is asked when memory
 * is about to be unmapped, and what it has in flight stays:
 *
 * - rte_dev_dma_unmap() and rte_iommufd_arena_destroy() fail with EBUSY;
 * - pages that EAL frees all the same, memory of a pool that is freed, and what was mapped for a
 *   device that is removed, lose their addresses at once and their pins when it is sent, as far as
 *   that is known, or with rte_iommufd_in_flight_unregister().
 *
 * The driver says in return when it is between looking an address up and showing it in ranges():
 *
 *     rte_iommufd_lookup_begin(&queue->in_flight);
 *     address = rte_iommufd_virt2dma(data);
 *     descriptor written, queue's tail (of software) moved on
 *     rte_iommufd_lookup_end(&queue->in_flight);
 *
 * Addresses that mbufs of an "iommufd" pool carry need none of this: their pool holds them.
 * Between the two calls the driver must neither wait nor free an mbuf, as what an application does
 * in the callback of an external buffer may be to unmap it.
 */
struct rte_iommufd_in_flight {
    /**
     * Write down what the device may still read, from any thread, while bursts go on: what was
     * in flight before the call and still is after it must be among it.
     *
     * @param[out] ranges
     *   Room for `capacity`.
     * @return
     *   How many there are.
     */
    unsigned int (*ranges)(const struct rte_iommufd_in_flight *queue,
                           struct rte_iommufd_dma_range *ranges);
    unsigned int capacity; /**< Most that ranges() gives. */
    uint32_t lookups;      /**< Odd between begin and end. Starts as 0. */
    void *bus_private;     /**< Of the bus alone. */
};

/** Before the first lookup of a burst; from the queue's thread. A full memory barrier. */
static inline void rte_iommufd_lookup_begin(struct rte_iommufd_in_flight *queue) {
    __atomic_store_n(&queue->lookups, queue->lookups + 1, __ATOMIC_RELAXED);
    rte_smp_mb(); /* pairs with the one between the table's change and the look at lookups */
}

/** What was looked up since is in the queue, or will not be. */
static inline void rte_iommufd_lookup_end(struct rte_iommufd_in_flight *queue) {
    __atomic_store_n(&queue->lookups, queue->lookups + 1, __ATOMIC_RELEASE);
}

/**
 * Have a queue asked, from before its device may read out of it.
 *
 * @param queue
 *   Owned by the driver; valid until rte_iommufd_in_flight_unregister().
 * @return
 *   0 or -ENOMEM.
 */
__rte_internal int rte_iommufd_in_flight_register(struct rte_iommufd_in_flight *queue);

/** The device reads nothing through the queue any more. Nothing to do if not registered. */
__rte_internal void rte_iommufd_in_flight_unregister(struct rte_iommufd_in_flight *queue);

/**
 * The arena that the device argument "arena=SIZE" made, which pools of the whole application
 * are to come from; NULL without one. For mempool drivers.
 */
__rte_internal struct rte_iommufd_arena *rte_iommufd_default_arena(void);

/** See rte_iommufd_resolved_callback_register(). */
typedef void (*rte_iommufd_resolved_t)(void);

/**
 * Be called when the address space has been filled anew: after the first device has been
 * attached, and after the first one that follows a time without any. Pins end with the last
 * device, so DMA addresses kept from before are void and have to be asked for again. No device
 * does DMA during the call.
 *
 * @param callback
 *   Called from the thread that probes, without locks of the bus.
 */
__rte_internal void rte_iommufd_resolved_callback_register(rte_iommufd_resolved_t callback);

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

/** Register @p drv under the name @p nm when the plugin is loaded. */
#define RTE_PMD_REGISTER_IOMMUFD(nm, drv)                                                          \
    RTE_INIT(iommufd_init_##nm) {                                                                  \
        if (!rte_iommufd_check_dpdk_version(RTE_STR(nm), RTE_VER_YEAR, RTE_VER_MONTH))             \
            return;                                                                                \
        (drv).driver.name = RTE_STR(nm);                                                           \
        rte_iommufd_register(&(drv));                                                              \
    }                                                                                              \
    RTE_PMD_EXPORT_NAME(nm, __COUNTER__)

#endif /* BUS_IOMMUFD_DRIVER_H */
