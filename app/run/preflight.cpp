// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preflight.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/broker/client.hpp"
#include "core/sys/broker_remedy.hpp"
#include "core/vfio/pci_scan.hpp"
#include "mounts.hpp"
#include "program.hpp"

namespace run {
namespace {

namespace fs = std::filesystem;
using iommufd::failure;
using iommufd::Fd;
using iommufd::Result;

constexpr const char *sysfs = "/sys";
constexpr const char *iommu = "/dev/iommu";
constexpr const char *library_name = "librte_iommufd_preload.so";

// Beside this program in the build tree, or where it was installed.
std::string find_library() {
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    for (const fs::path &folder :
         {self.parent_path() / "../../bus/preload", fs::path(PRELOAD_INSTALL_DIR)}) {
        const fs::path candidate = (folder / library_name).lexically_normal();
        if (fs::exists(candidate, error))
            return candidate;
    }
    return {};
}

// What is wrong where no call has failed.
tl::unexpected<iommufd::Error> missing(std::string what, std::string remedy = {}) {
    return failure(0, std::move(what), std::move(remedy));
}

Result<void> check_program(const Options &options, Preflight *preflight) {
    const std::string &command = options.command.front();
    const Program program = examine(preflight->user, command);
    preflight->program = program.path;
    preflight->is_wrapper = program.kind == Kind::other;
    preflight->sanitizer = program.sanitizer;
    return check_kind(program, command);
}

Result<void> check_library(Preflight *preflight) {
    preflight->library = find_library();
    if (preflight->library.empty())
        return missing(std::string(library_name) + " is neither beside this program nor in " +
                           PRELOAD_INSTALL_DIR,
                       "install it");
    // ld.so(8) takes blanks and colons for separators, and has no way to quote them.
    if (preflight->library.find_first_of(" :") != std::string::npos)
        return missing(preflight->library +
                           " has a blank or a colon in its path, which LD_PRELOAD cannot name",
                       "install it elsewhere");
    if (!can_access(preflight->user, preflight->library, R_OK))
        return missing("user " + preflight->user.name + " cannot read " + preflight->library,
                       "install it where every user can");
    return {};
}

Result<void> check_kernel() {
    auto &kernel = iommufd::linux_kernel();
    const int fd = kernel.open(iommu, O_RDWR);
    if (fd == -ENOENT)
        return missing("the kernel has no iommufd (there is no /dev/iommu)",
                       "Linux >= 7.3 with CONFIG_IOMMUFD is needed, and 'modprobe iommufd' where "
                       "it is a module");
    if (fd < 0)
        return failure(fd, std::string("open of ") + iommu,
                       "make it readable and writeable, or run this as root with --user");
    const Fd owned(kernel, fd);
    std::uint64_t length = 1;
    std::uint64_t pa = 0;
    // There is no such IOAS: a kernel that knows the call says so.
    if (iommufd::ioas_noiommu_get_pa(kernel, fd, UINT32_MAX, 0, &length, &pa) == -ENOTTY)
        return missing("the kernel cannot tell physical addresses of pinned memory",
                       "Linux >= 7.3 with CONFIG_VFIO_NOIOMMU and CONFIG_VFIO_PCI is needed");
    return {};
}

Result<void> check_devices(const Options &options, Preflight *preflight) {
    const auto found = iommufd::scan_vfio_cdevs(sysfs);
    const auto take = [&](const iommufd::PciFunction &f) {
        preflight->devices.push_back(f.bdf);
        preflight->nodes.push_back(f.cdev_path());
    };
    for (const std::string &bdf : options.devices) {
        const auto f = std::find_if(found.begin(), found.end(), [&](const auto &one) {
            return one.bdf == bdf && one.is_noiommu();
        });
        if (f == found.end())
            return missing("device " + bdf, iommufd::explain_missing_cdev(sysfs, bdf));
        take(*f);
    }
    if (!options.devices.empty())
        return {};
    for (const auto &f : found)
        if (f.is_noiommu())
            take(f);
    if (!preflight->devices.empty())
        return {};
    std::string mode;
    std::ifstream(std::string(sysfs) + "/module/vfio/parameters/enable_unsafe_noiommu_mode") >>
        mode;
    if (mode == "N")
        return missing("vfio's no-IOMMU mode is off",
                       "'echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode', then "
                       "bind the devices to vfio-pci, 'dpdk-devbind.py --bind=vfio-pci BDF'");
    return missing("no device is ready",
                   "bind one to vfio-pci, 'dpdk-devbind.py --bind=vfio-pci BDF' (--device BDF "
                   "tells what a certain one lacks)");
}

Result<void> check_nodes(Preflight *preflight) {
    std::error_code error;
    for (const std::string &node : preflight->nodes)
        if (!fs::exists(node, error))
            return missing("the node " + node + " is missing",
                           "is devtmpfs mounted, and is the node visible in this container?");
    preflight->nodes.insert(preflight->nodes.begin(), iommu);
    if (!preflight->user.is_caller || preflight->user.uid == 0)
        return {};
    for (const std::string &node : preflight->nodes)
        if (access(node.c_str(), R_OK | W_OK) < 0)
            return missing("user " + preflight->user.name + " may not open " + node,
                           "run this as root with --user " + preflight->user.name +
                               ", or make the node his (chown or a udev rule)");
    return {};
}

bool has(cap_value_t capability) {
    cap_t all = cap_get_proc();
    cap_flag_value_t value = CAP_CLEAR;
    (void)cap_get_flag(all, capability, CAP_PERMITTED, &value);
    (void)cap_free(all);
    return value == CAP_SET;
}

// Whether the command may pin all that it needs, once this process has raised its limit.
bool can_pin(const Options &options, const Preflight &preflight) {
    const auto &kept = options.kept_capabilities;
    rlimit limit{};
    return has(CAP_SYS_RESOURCE) ||
           (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_max == RLIM_INFINITY) ||
           (has(CAP_IPC_LOCK) && (preflight.user.is_caller ||
                                  std::find(kept.begin(), kept.end(), CAP_IPC_LOCK) != kept.end()));
}

Result<void> check_privileges(const Options &options, Preflight *preflight) {
    if (!has(CAP_SYS_RAWIO))
        return missing("CAP_SYS_RAWIO is missing, which the broker opens devices with",
                       "run this as root with --user, or with it as ambient capability");
    if (!can_pin(options, *preflight))
        return missing("RLIMIT_MEMLOCK cannot be raised, and limits what can be pinned",
                       "it takes root (CAP_SYS_RESOURCE), 'LimitMEMLOCK=infinity' in a unit, or "
                       "'--ulimit memlock=-1' of a container");
    if (preflight->user.is_caller)
        return {};
    if (!has(CAP_SETUID) || !has(CAP_SETGID) || !has(CAP_CHOWN))
        return missing("only root can run a command as " + preflight->user.name);
    for (const int capability : options.kept_capabilities)
        if (!has(capability))
            return missing("a capability of --keep-capability is missing here, and can only be "
                           "passed on by one who has it");
    preflight->has_own_hugetlbfs = has(CAP_SYS_ADMIN); // a container's root may have no mounts
    return {};
}

Result<void> check_hugepages(Preflight *preflight) {
    std::error_code error;
    std::uint64_t total = 0;
    for (const auto &entry : fs::directory_iterator("/sys/kernel/mm/hugepages", error))
        for (const char *pool : {"nr_hugepages", "nr_overcommit_hugepages"}) {
            std::uint64_t number = 0;
            std::ifstream(entry.path() / pool) >> number;
            total += number;
        }
    // Whether any is free says little: a secondary process takes none, and what an ended process
    // has left in files the next one of that user takes over.
    if (total == 0)
        return missing("there are no hugepages",
                       "'echo 512 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages'");
    preflight->hugetlbfs = hugetlbfs_mounts();
    if (preflight->hugetlbfs.empty())
        return missing("no hugetlbfs is mounted that can be written to",
                       "'mount -t hugetlbfs hugetlbfs /dev/hugepages'");
    return {};
}

std::string explain_connection(const std::string &socket, int ret) {
    switch (-ret) {
    case ENOENT:
        return "there is none: is it, or rather its folder, mounted into this container?";
    case ECONNREFUSED:
        return "nobody serves it any more: start 'dpdk-iommufd-run --serve " + socket + "' again";
    case EACCES:
    case EPERM:
        return "it is for others: name this user with the server's --user or --group";
    case EUSERS:
        return "this user has as many clients as one may have, or there are too many: end one";
    default:
        return "it is not the socket of a 'dpdk-iommufd-run --serve' of this version";
    }
}

// The broker's word on its devices against what sysfs shows here.
Result<void> check_offer(const Options &options, Preflight *preflight) {
    std::vector<iommufd::broker::Listed> offered;
    iommufd::broker::BrokeredKernel kernel(iommufd::linux_kernel(), preflight->connection.get());
    if (const int ret = kernel.list_devices(&offered); ret < 0)
        return failure(ret, "asking the broker at " + options.socket + " for its devices",
                       iommufd::broker_remedy(ret));
    const auto found = iommufd::scan_vfio_cdevs(sysfs);
    const auto &wanted = options.devices;
    std::vector<std::string> taken;
    for (const auto &device : offered) {
        const std::string bdf = device.bdf;
        if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), bdf) == wanted.end())
            continue;
        if (std::none_of(found.begin(), found.end(),
                         [&](const auto &f) { return f.bdf == bdf && f.is_noiommu(); }))
            continue; // it is unplugged, or there is no sysfs here
        (device.is_taken != 0 ? taken : preflight->devices).push_back(bdf);
    }
    // A secondary process needs none that is free.
    preflight->has_free_device = !preflight->devices.empty();
    if (!wanted.empty() || preflight->devices.empty())
        preflight->devices.insert(preflight->devices.end(), taken.begin(), taken.end());
    for (const std::string &bdf : wanted)
        if (std::find(preflight->devices.begin(), preflight->devices.end(), bdf) ==
            preflight->devices.end())
            return missing("the broker at " + options.socket + " was started without " + bdf,
                           "name it with --device there; or /sys does not show it here");
    if (preflight->devices.empty())
        return missing("/sys shows no device of the broker's at " + options.socket,
                       "is sysfs mounted in this container?");
    return {};
}

Result<void> check_broker(const Options &options, Preflight *preflight) {
    const int fd = iommufd::broker::connect_to(options.socket);
    if (fd < 0)
        return failure(fd, "connecting to " + options.socket,
                       explain_connection(options.socket, fd));
    preflight->connection = Fd(iommufd::linux_kernel(), fd);
    return check_offer(options, preflight);
}

} // namespace

Result<Preflight> run_preflight(const Options &options) {
    const auto user = find_user(options.user);
    if (!user)
        return missing("there is no user '" + options.user + "'");
    Preflight preflight;
    preflight.user = *user;
    TRY(check_program(options, &preflight));
    if (options.connect) {
        TRY(check_broker(options, &preflight));
        TRY(check_library(&preflight));
    } else {
        TRY(check_kernel());
        TRY(check_devices(options, &preflight));
        TRY(check_privileges(options, &preflight));
        TRY(check_library(&preflight));
        TRY(check_nodes(&preflight));
    }
    TRY(check_hugepages(&preflight));
    return preflight;
}

Result<Preflight> run_server_preflight(const Options &options) {
    Preflight preflight;
    preflight.user = *find_user({});
    TRY(check_kernel());
    TRY(check_devices(options, &preflight));
    if (!has(CAP_SYS_RAWIO))
        return missing("CAP_SYS_RAWIO is missing, which the broker opens devices with",
                       "run this as root");
    TRY(check_nodes(&preflight));
    return preflight;
}

// --in-memory has no files in the mounts.
std::string advise(const Options &options, const Preflight &preflight) {
    if (!preflight.has_free_device)
        return "other clients of the broker have all of its devices: only a secondary process can "
               "start";
    const auto &words = options.command;
    const auto &mounts = preflight.hugetlbfs;
    const auto is_writable = [&](const HugetlbfsMount &m) {
        return can_access(preflight.user, m.path, W_OK | X_OK);
    };
    if (preflight.has_own_hugetlbfs ||
        std::find(words.begin(), words.end(), "--in-memory") != words.end() ||
        std::any_of(mounts.begin(), mounts.end(), is_writable))
        return {};
    const std::string &path = mounts.front().path;
    return "user " + preflight.user.name + " may not write to " + path +
           ", where DPDK has its hugepages' files: make it his, 'chown " + preflight.user.name +
           " " + path + "', or give the command EAL's --in-memory";
}

} // namespace run
