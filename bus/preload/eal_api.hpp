// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The functions of the running DPDK that this library calls, looked up by name when the first of
// them is needed: it is not linked with DPDK, so that one binary serves every version from 22.11
// to 26.11. Of DPDK's structures it reads rte_memseg, rte_memseg_list, rte_devargs up to name and
// rte_mp_msg up to fds, which are the same in all of them (tags v22.11, v23.11, v24.11, v25.11,
// v26.07, and 26.11-rc0, lib/eal/include), and v26.07 has every function of those below, called
// from the same places.
//
// 26.11 has made VFIO's functions internal, with other names and some with another form
// (lib/eal/include/dev_vfio.h).

#include <cstdint>

#include <rte_alarm.h>
#include <rte_bus.h>
#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_eal_memconfig.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <rte_version.h>
#include <rte_vfio.h>

#include "core/sys/result.hpp"

namespace iommufd::preload {

#define IOMMUFD_PRELOAD_EAL_FUNCTIONS(X)                                                           \
    X(rte_mem_virt2phy)                                                                            \
    X(rte_bus_get_iommu_class)                                                                     \
    X(rte_extmem_unregister)                                                                       \
    X(rte_eal_alarm_set)                                                                           \
    X(rte_devargs_next)                                                                            \
    X(rte_eal_has_hugepages)                                                                       \
    X(rte_eal_has_pci)                                                                             \
    X(rte_eal_iova_mode)                                                                           \
    X(rte_eal_process_type)                                                                        \
    X(rte_log)                                                                                     \
    X(rte_log_register_type_and_pick_level)                                                        \
    X(rte_mcfg_mem_read_lock)                                                                      \
    X(rte_mcfg_mem_read_unlock)                                                                    \
    X(rte_mem_alloc_validator_register)                                                            \
    X(rte_mem_event_callback_register)                                                             \
    X(rte_mem_virt2memseg)                                                                         \
    X(rte_mem_virt2memseg_list)                                                                    \
    X(rte_memseg_list_walk_thread_unsafe)                                                          \
    X(rte_memseg_walk_thread_unsafe)                                                               \
    X(rte_mp_action_register)                                                                      \
    X(rte_mp_reply)                                                                                \
    X(rte_mp_request_sync)                                                                         \
    X(rte_version)

#define IOMMUFD_PRELOAD_VFIO_FUNCTIONS(X)                                                          \
    X(rte_vfio_setup_device)                                                                       \
    X(rte_vfio_release_device)                                                                     \
    X(rte_vfio_is_enabled)                                                                         \
    X(rte_vfio_noiommu_is_enabled)                                                                 \
    X(rte_vfio_container_dma_map)                                                                  \
    X(rte_vfio_container_dma_unmap)                                                                \
    X(rte_vfio_container_create)

// dev_vfio_get_iova_mode() of 26.11.
enum class DevVfioIovaMode : int { unknown, va, pa };

#define IOMMUFD_PRELOAD_DEV_VFIO_FUNCTIONS(X)                                                      \
    X(dev_vfio_enable, int())                                                                      \
    X(dev_vfio_is_enabled, int())                                                                  \
    X(dev_vfio_get_iova_mode, DevVfioIovaMode())                                                   \
    X(dev_vfio_setup_device, int(const char *, const char *, int *))                               \
    X(dev_vfio_get_device_info, int(int, ::vfio_device_info *))                                    \
    X(dev_vfio_release_device, int(const char *, const char *, int))                               \
    X(dev_vfio_container_dma_map, int(int, std::uint64_t, std::uint64_t, std::uint64_t))           \
    X(dev_vfio_container_dma_unmap, int(int, std::uint64_t, std::uint64_t, std::uint64_t))         \
    X(dev_vfio_container_create, int())

struct EalApi {
    // The address of a function of the application's DPDK; nullptr if there is none of the name.
    using LookUp = void *(*)(const char *name);

#define X(name) decltype(&::name) name = nullptr;
    IOMMUFD_PRELOAD_EAL_FUNCTIONS(X)
    // These until 26.07,
    IOMMUFD_PRELOAD_VFIO_FUNCTIONS(X)
#undef X
#define X(name, form) std::add_pointer_t<form> name = nullptr;
    // these since 26.11, and of either kind all or none.
    IOMMUFD_PRELOAD_DEV_VFIO_FUNCTIONS(X)
#undef X
    // rte_eal_vfio_get_vf_token(), which is experimental: a UUID of 16 bytes.
    void (*vf_token)(unsigned char *uuid) = nullptr;

    // Fills all of it. The error says what is missing or wrong.
    Result<void> find(LookUp look_up);

private:
    Result<void> find_vfio(LookUp look_up);
};

// "DPDK 24.11.4": whether it is a version that this library knows.
bool is_known_version(const char *version);

// The running DPDK's functions; nullptr, once with a message on standard error, if it is not one
// that this library can work with.
const EalApi *eal();

} // namespace iommufd::preload
