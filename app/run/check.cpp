// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "check.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>

#include "core/vfio/pci_scan.hpp"

namespace run {
namespace {

constexpr std::uint64_t enough_memlock = 64ULL << 20; // what testpmd's default pool needs, rounded

std::string mebibytes(std::uint64_t bytes) {
    return std::to_string(bytes >> 20) + " MiB";
}

std::string hex(std::uint16_t id) {
    char text[8];
    (void)std::snprintf(text, sizeof(text), "%04x", id);
    return text;
}

// The options of the kernel's configuration that are off, one after another.
std::string options_off(const Host &host) {
    std::string off;
    for (const char *name : needed_options)
        if (const auto found = host.options.find(name);
            found != host.options.end() && found->second == 'n')
            off += (off.empty() ? "" : ", ") + std::string(name);
    return off;
}

Finding check_kernel(const Host &host) {
    Finding finding{"kernel", Verdict::fine, host.release, {}};
    const std::string off = options_off(host);
    if (!off.empty())
        return {"kernel", Verdict::missing, host.release + " was built without " + off,
                "boot Linux >= 7.3 with these options"};
    switch (-host.iommufd) {
    case 0:
        finding.text += " tells physical addresses of pinned memory";
        return finding;
    case ENOENT:
        return {
            "kernel", Verdict::missing, host.release + " has no iommufd: there is no /dev/iommu",
            "boot Linux >= 7.3 with CONFIG_IOMMUFD, and 'modprobe iommufd' where it is a module"};
    case ENOTTY:
        return {"kernel", Verdict::missing,
                host.release + " cannot tell physical addresses of pinned memory",
                "boot Linux >= 7.3 with CONFIG_VFIO_NOIOMMU and CONFIG_VFIO_PCI"};
    default:
        return {"kernel", Verdict::note,
                host.release + ": /dev/iommu cannot be asked: " +
                    std::generic_category().message(-host.iommufd),
                "run this as root to know"};
    }
}

Finding check_mode(const Host &host) {
    const std::string path = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";
    if (!host.noiommu_mode)
        return {"no-IOMMU mode", Verdict::missing, "vfio is not loaded, or was built without it",
                "'modprobe vfio-pci' where it is a module; else boot a kernel with "
                "CONFIG_VFIO_NOIOMMU"};
    if (!*host.noiommu_mode)
        return {"no-IOMMU mode", Verdict::missing, "off",
                "'echo 1 > " + path + "' before a device is bound, or --bind BDF, which does both"};
    return {"no-IOMMU mode", Verdict::fine, "on", {}};
}

Finding check_lockdown(const Host &host) {
    if (host.lockdown == "integrity" || host.lockdown == "confidentiality")
        return {
            "lockdown", Verdict::note, host.lockdown,
            "modules that are not signed by a key of this machine are refused; with Secure Boot "
            "enrol one ('mokutil --import')"};
    return {"lockdown", Verdict::fine, host.lockdown.empty() ? "none" : host.lockdown, {}};
}

std::string describe(const Function &f) {
    std::string text = hex(f.vendor_id) + ":" + hex(f.device_id);
    text += f.driver.empty() ? ", no driver" : ", driver " + f.driver;
    if (!f.cdev.empty())
        text += ", /dev/vfio/devices/" + f.cdev;
    if (!f.group.empty())
        text += ", group " + f.group;
    text += f.has_iommu ? ", behind an IOMMU" : ", no IOMMU";
    if (f.numa_node >= 0)
        text += ", node " + std::to_string(f.numa_node);
    if (!f.interrupts.empty())
        text += ", interrupts: " + f.interrupts;
    return text;
}

Finding check_function(const Function &f, const std::filesystem::path &sysfs) {
    if (f.is_ready())
        return {f.bdf, Verdict::fine, describe(f), {}};
    if (f.has_iommu)
        return {f.bdf, Verdict::note, describe(f),
                "DPDK's own PCI bus drives it without this program"};
    std::string remedy = iommufd::explain_missing_cdev(sysfs, f.bdf);
    for (const std::string &name : f.interfaces)
        remedy += "; its interface " + name + " is up: does this machine need it?";
    return {f.bdf, Verdict::note, describe(f), remedy};
}

Finding check_devices(const Host &host) {
    const auto ready = std::count_if(host.functions.begin(), host.functions.end(),
                                     [](const Function &f) { return f.is_ready(); });
    if (ready == 0)
        return {"devices", Verdict::missing, "none is ready",
                "bind one: 'dpdk-iommufd-run --bind BDF'"};
    return {"devices", Verdict::fine, std::to_string(ready) + " ready", {}};
}

std::vector<Finding> check_hugepages(const Host &host) {
    std::vector<Finding> findings;
    std::uint64_t total = 0;
    for (const HugepagePool &pool : host.pools) {
        total += pool.total;
        if (pool.total != 0)
            findings.push_back(
                {"hugepages",
                 Verdict::fine,
                 "node " + std::to_string(pool.node) + ": " + std::to_string(pool.free) + " of " +
                     std::to_string(pool.total) + " of " + mebibytes(pool.page_size) + " are free",
                 {}});
    }
    if (total == 0 && host.overcommitted == 0)
        findings.push_back({"hugepages", Verdict::missing, "none",
                            "'echo 512 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'"});
    else if (total == 0)
        findings.push_back({"hugepages",
                            Verdict::note,
                            "none are reserved, " + std::to_string(host.overcommitted) +
                                " may be taken beyond that",
                            {}});
    if (host.hugetlbfs.empty())
        findings.push_back({"hugetlbfs", Verdict::missing, "not mounted",
                            "'mount -t hugetlbfs hugetlbfs /dev/hugepages'"});
    for (const HugetlbfsMount &m : host.hugetlbfs)
        findings.push_back(
            {"hugetlbfs", Verdict::fine, m.path + ", pages of " + mebibytes(m.page), {}});
    return findings;
}

std::vector<Finding> check_caller(const Host &host, const Caller &caller) {
    std::vector<Finding> findings;
    if (caller.may_open_devices)
        findings.push_back({"privilege", Verdict::fine, "devices can be opened", {}});
    else
        findings.push_back({"privilege", Verdict::missing, "CAP_SYS_RAWIO is missing",
                            "run this as root with --user USER"});
    if (!caller.may_lock_memory && host.memlock < enough_memlock)
        findings.push_back({"memlock", Verdict::note,
                            "at most " + mebibytes(host.memlock) + " may be pinned",
                            "raise RLIMIT_MEMLOCK ('ulimit -l'), or run this as root with --user"});
    else
        findings.push_back({"memlock",
                            Verdict::fine,
                            caller.may_lock_memory || host.memlock == UINT64_MAX
                                ? "no limit"
                                : "at most " + mebibytes(host.memlock),
                            {}});
    return findings;
}

} // namespace

std::vector<Finding> check(const Host &host, const Caller &caller,
                           const std::filesystem::path &sysfs) {
    std::vector<Finding> all{check_kernel(host), check_mode(host), check_lockdown(host),
                             check_devices(host)};
    for (const Function &f : host.functions)
        all.push_back(check_function(f, sysfs));
    for (auto &&finding : check_hugepages(host))
        all.push_back(std::move(finding));
    for (auto &&finding : check_caller(host, caller))
        all.push_back(std::move(finding));
    return all;
}

bool is_ready(const std::vector<Finding> &findings) {
    return std::none_of(findings.begin(), findings.end(),
                        [](const Finding &f) { return f.verdict == Verdict::missing; });
}

} // namespace run
