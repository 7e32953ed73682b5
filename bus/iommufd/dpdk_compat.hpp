// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// All that depends on the DPDK the bus is built for, from 22.11 to 26.07. Nothing else in bus/ asks
// for a version; a bus built for one DPDK stays out of another (dpdk_version.cpp).
//
//     since  changed                                           here             seen in
//     23.03  rte_tel_data_add_dict_u64() is                    add_dict_uint()  lib/telemetry/
//            rte_tel_data_add_dict_uint(); 25.11 has the                        rte_telemetry.h
//            new name alone
//     26.07  rte_bus: probe, cleanup, find_device, dev_iterate make_bus()       lib/eal/include/
//            are given the bus; plug is probe_device(driver,                    bus_driver.h
//            device), unplug is unplug_device; match is new,
//            and mandatory beside probe_device
//     26.07  EAL looks for a device's driver in a list of its  list_driver()    lib/eal/common/
//            own before it has the device plugged                               eal_common_dev.c,
//                                                                               local_dev_probe()
//
// What needs no entry: struct rte_bus is the same in 22.11, 23.11, 24.11 and 25.11. The bus keeps
// its devices itself and answers find_device and dev_iterate, so EAL's list of them (26.07) stays
// empty: only EAL's generic operations read it (eal_common_bus.c). RTE_PMD_EXPORT_NAME(), which has
// lost an argument in 25.07 (dev_driver.h), is not used.

#include <cstddef>
#include <cstdint>

#include <bus_driver.h>
#include <dev_driver.h>
#include <rte_telemetry.h>
#include <rte_version.h>

namespace iommufd::eal {

// Adds a number to an answer of telemetry.
inline int add_dict_uint(rte_tel_data *dict, const char *name, std::uint64_t value) {
#if RTE_VERSION >= RTE_VERSION_NUM(23, 3, 0, 0)
    return rte_tel_data_add_dict_uint(dict, name, value);
#else
    return rte_tel_data_add_dict_u64(dict, name, value);
#endif
}

// What EAL calls, in the terms of 22.11.
struct BusOperations {
    int (*scan)();
    int (*probe)();
    int (*cleanup)();
    int (*plug)(rte_device *device);
    int (*unplug)(rte_device *device);
    int (*parse)(const char *name, void *addr);
    int (*dma_map)(rte_device *device, void *addr, std::uint64_t iova, std::size_t length);
    int (*dma_unmap)(rte_device *device, void *addr, std::uint64_t iova, std::size_t length);
    rte_iova_mode (*iommu_class)();
    rte_device *(*find_device)(const rte_device *start, rte_dev_cmp_t cmp, const void *data);
    void *(*iterate)(const void *start, const char *str, const rte_dev_iterator *it);
    bool (*match)(const rte_driver *driver, const rte_device *device);
};

// A bus without a name, to be registered.
template <const BusOperations &Ops>
consteval rte_bus make_bus() {
    rte_bus bus{};
    bus.scan = Ops.scan;
    bus.parse = Ops.parse;
    bus.dma_map = Ops.dma_map;
    bus.dma_unmap = Ops.dma_unmap;
    bus.get_iommu_class = Ops.iommu_class;
#if RTE_VERSION >= RTE_VERSION_NUM(26, 7, 0, 0)
    bus.probe = [](rte_bus *) { return Ops.probe(); };
    bus.cleanup = [](rte_bus *) { return Ops.cleanup(); };
    bus.match = Ops.match;
    bus.probe_device = [](rte_driver *, rte_device *device) { return Ops.plug(device); };
    bus.unplug_device = Ops.unplug;
    bus.find_device = [](const rte_bus *, const rte_device *start, rte_dev_cmp_t cmp,
                         const void *data) { return Ops.find_device(start, cmp, data); };
    bus.dev_iterate = [](const rte_bus *, const void *start, const char *str,
                         const rte_dev_iterator *it) { return Ops.iterate(start, str, it); };
#else
    bus.probe = Ops.probe;
    bus.cleanup = Ops.cleanup;
    bus.plug = Ops.plug;
    bus.unplug = Ops.unplug;
    bus.find_device = Ops.find_device;
    bus.dev_iterate = Ops.iterate;
#endif
    return bus;
}

// EAL's own list of a registered bus's drivers.
inline void list_driver([[maybe_unused]] rte_bus &bus, [[maybe_unused]] rte_driver &driver) {
#if RTE_VERSION >= RTE_VERSION_NUM(26, 7, 0, 0)
    rte_bus_add_driver(&bus, &driver);
#endif
}

inline void unlist_driver([[maybe_unused]] rte_bus &bus, [[maybe_unused]] rte_driver &driver) {
#if RTE_VERSION >= RTE_VERSION_NUM(26, 7, 0, 0)
    rte_bus_remove_driver(&bus, &driver);
#endif
}

} // namespace iommufd::eal
