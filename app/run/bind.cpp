// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "bind.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "core/vfio/pci_scan.hpp"

namespace run {
namespace {

using iommufd::failure;
using iommufd::Result;
namespace fs = std::filesystem;

constexpr std::string_view vfio_pci = "vfio-pci";

// One write, as the attributes of sysfs want it.
Result<void> write_file(const fs::path &path, std::string_view text) {
    const int fd = open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC); // as a shell does
    if (fd < 0)
        return failure(-errno, "open of " + path.string(),
                       errno == EACCES ? "run this as root" : "");
    const ssize_t wrote = write(fd, text.data(), text.size());
    const int error = errno;
    (void)close(fd);
    if (wrote < 0)
        return failure(-error, "writing to " + path.string());
    if (wrote != static_cast<ssize_t>(text.size()))
        return failure(-EIO, "writing to " + path.string(), "it took a part only");
    return {};
}

fs::path folder_of(const HostPaths &paths, const std::string &bdf) {
    return paths.sys / "bus/pci/devices" / bdf;
}

Result<Function> find_function(const std::string &bdf, const HostPaths &paths) {
    for (Function &f : read_functions(paths))
        if (f.bdf == bdf)
            return std::move(f);
    std::error_code error;
    return failure(-ENODEV, "looking for " + bdf,
                   fs::exists(folder_of(paths, bdf), error)
                       ? "it is neither a network nor an NVMe controller"
                       : "there is no such PCI device (see 'lspci -D')");
}

Result<void> refuse_if_used(const Function &f, const HostPaths &paths) {
    for (const std::string &name : f.interfaces)
        return failure(-EBUSY, "taking " + f.bdf + " from " + f.driver,
                       "its interface " + name +
                           " is up, and this machine may be reached by it: 'ip link set " + name +
                           " down' first if not");
    for (const Holder &holder : find_holders(f, paths))
        return failure(-EBUSY, "taking " + f.bdf + " from " + f.driver,
                       "process " + std::to_string(holder.pid) + " (" + holder.name +
                           ") has it open: end it first");
    return {};
}

Result<void> unbind_driver(const Function &f, const HostPaths &paths) {
    if (f.driver.empty())
        return {};
    return write_file(folder_of(paths, f.bdf) / "driver/unbind", f.bdf);
}

Result<void> set_override(const Function &f, std::string_view driver, const HostPaths &paths) {
    return write_file(folder_of(paths, f.bdf) / "driver_override", std::string(driver) + "\n");
}

bool has_override(const Function &f, const HostPaths &paths) {
    std::ifstream file(folder_of(paths, f.bdf) / "driver_override");
    std::string driver;
    return std::getline(file, driver) && driver == vfio_pci;
}

Result<void> probe(const Function &f, const HostPaths &paths) {
    return write_file(paths.sys / "bus/pci/drivers_probe", f.bdf);
}

Result<void> switch_mode_on(const HostPaths &paths) {
    const fs::path mode = paths.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode";
    std::error_code error;
    if (!fs::exists(mode, error))
        return failure(-ENOTSUP, "switching vfio's no-IOMMU mode on",
                       "the kernel has none: 'modprobe vfio-pci' where it is a module; else boot "
                       "Linux >= 7.3 with CONFIG_VFIO_NOIOMMU");
    return write_file(mode, "Y");
}

// The driver that it had before, if any, by name: it may not be the one the kernel would choose.
void restore_driver(const Function &f, const HostPaths &paths) {
    (void)write_file(folder_of(paths, f.bdf) / "driver/unbind", f.bdf);
    (void)set_override(f, f.driver, paths);
    if (!f.driver.empty())
        (void)probe(f, paths);
    (void)set_override(f, "", paths);
}

} // namespace

Result<void> bind_function(const std::string &bdf, const HostPaths &paths) {
    const Function f = TRY(find_function(bdf, paths));
    if (f.is_ready())
        return {};
    if (f.has_iommu)
        return failure(-ENOTSUP, "binding " + bdf,
                       "it is behind an IOMMU: DPDK drives it without this program");
    TRY(refuse_if_used(f, paths));
    TRY(switch_mode_on(paths));
    TRY(set_override(f, vfio_pci, paths));
    auto ok = unbind_driver(f, paths);
    if (ok)
        ok = probe(f, paths);
    const auto now = find_function(bdf, paths);
    if (ok && now && now->is_ready())
        return {};
    std::string why = iommufd::explain_missing_cdev(paths.sys, bdf);
    restore_driver(f, paths);
    if (!ok)
        return ok;
    return failure(-ENOTSUP, "binding " + bdf + " to vfio-pci", std::move(why));
}

Result<void> unbind_function(const std::string &bdf, const HostPaths &paths) {
    const Function f = TRY(find_function(bdf, paths));
    // What a --bind has left that was killed has no driver, and none that may come.
    if (f.driver != vfio_pci && !(f.driver.empty() && has_override(f, paths)))
        return failure(-ENOTSUP, "unbinding " + bdf,
                       f.driver.empty() ? "no driver has it"
                                        : "the driver " + f.driver + " has it, not vfio-pci");
    TRY(refuse_if_used(f, paths));
    // In this order, so that an end in between leaves a device that any driver may take.
    TRY(set_override(f, "", paths));
    TRY(unbind_driver(f, paths));
    return probe(f, paths);
}

} // namespace run
