// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What this machine offers, as sysfs, procfs and the kernel's configuration tell it. Everything is
// read, nothing is changed. A file that is missing or makes no sense leaves its field as it is.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "core/sys/kernel.hpp"
#include "mounts.hpp"

namespace run {

// The roots of what is read; others in tests.
struct HostPaths {
    std::filesystem::path sys = "/sys";
    std::filesystem::path proc = "/proc";
    std::filesystem::path boot = "/boot";
};

// A PCI function that DPDK may drive: a network controller, an NVMe controller, or what is bound
// to vfio-pci already.
struct Function {
    std::string bdf;
    std::uint32_t class_id = 0;
    std::uint16_t vendor_id = 0;
    std::uint16_t device_id = 0;
    std::string driver;                  // of the kernel; empty: none
    std::string cdev;                    // "noiommu-vfio0"; empty: none
    std::string group;                   // "/dev/vfio/noiommu-0"; empty: none
    bool has_iommu = false;              // a hardware IOMMU stands before it
    int numa_node = -1;                  // -1: not known
    std::vector<std::string> interfaces; // network interfaces of its kernel driver that are up
    std::string interrupts;              // "MSI-X 10, INTx"; empty: not readable by this user

    [[nodiscard]] bool is_ready() const { return cdev.starts_with("noiommu-"); }
};

struct HugepagePool {
    int node = 0;
    std::uint64_t page_size = 0; // bytes
    std::uint64_t total = 0;
    std::uint64_t free = 0;
};

struct Host {
    std::string release; // of the kernel
    // iommufd: 0 if /dev/iommu can be opened and knows GET_PA, else a negative errno: -ENOENT no
    // /dev/iommu, -ENOTTY no GET_PA, -EACCES it is not for this user to ask.
    int iommufd = 0;
    std::optional<bool> noiommu_mode;    // enable_unsafe_noiommu_mode; nothing: vfio is not there
    std::string lockdown;                // "none", "integrity", "confidentiality"; empty: not known
    std::map<std::string, char> options; // CONFIG_... -> 'y', 'm', 'n'; empty: not known
    std::vector<Function> functions;     // by BDF
    std::vector<HugepagePool> pools;
    std::vector<HugetlbfsMount> hugetlbfs;
    std::uint64_t overcommitted = 0; // hugepages that the kernel may take beyond the pools
    std::uint64_t memlock = 0;       // bytes, hard limit; UINT64_MAX: none
};

// The options of the kernel's configuration that decide, in the order in which to look.
inline constexpr const char *needed_options[] = {"CONFIG_IOMMUFD", "CONFIG_VFIO", "CONFIG_VFIO_PCI",
                                                 "CONFIG_VFIO_DEVICE_CDEV", "CONFIG_VFIO_NOIOMMU"};

// The functions alone.
std::vector<Function> read_functions(const HostPaths &paths = {});

// hugetlbfs: as hugetlbfs_mounts() finds them.
Host read_host(iommufd::Kernel &kernel, std::vector<HugetlbfsMount> hugetlbfs,
               const HostPaths &paths = {});

// A process that has a device open, or a part of it mapped.
struct Holder {
    pid_t pid;
    uid_t uid;
    std::string name;
    std::uint64_t pinned; // bytes of its memory, VmPin (proc_pid_status(5))
    // Where EAL has its runtime files, by the process's environment: RUNTIME_DIRECTORY for who
    // looks for them. Empty: not readable by this user, or not a path of letters, digits and
    // /._-+:@ alone, which a shell takes as it is.
    std::string runtime;
};

// Who holds this function's cdev or group, as far as this user may see it.
std::vector<Holder> find_holders(const Function &function, const HostPaths &paths = {});

} // namespace run
