// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/device_calls.hpp"

#include "core/sys/uapi.hpp"
#include "preload/allow.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

// Why DPDK would give this device addresses that are not physical; empty if it does not.
std::string wrong_mode(const Library &p) REQUIRES(p.mutex) {
    if (p.eal.rte_eal_iova_mode() != RTE_IOVA_PA && !p.start_error.empty())
        return "there was no physical address when DPDK started (" + p.start_error +
               "): start the application again when that is no longer so";
    if (p.eal.rte_eal_iova_mode() != RTE_IOVA_PA)
        return "DPDK runs in IOVA mode VA, and without an IOMMU a device needs physical addresses: "
               "leave --iova-mode=va out";
    if (!p.was_asked)
        return "this DPDK does not look physical addresses up where it can be led: it must be a "
               "shared library whose own calls go through its PLT (no -Bsymbolic, no static link)";
    return {};
}

// Whether the device may be set up; what serves nothing then is closed.
bool is_right_mode(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    auto why = wrong_mode(p);
    if (why.empty())
        return true;
    p.devices.close_unused();
    (void)log_error(bdf.c_str(), Error{EINVAL, "set-up of the device", std::move(why)});
    return false;
}

int borrow(Library &p, const std::string &bdf, int *fd) {
    const auto lent = ask_primary(broker::process_kernel(), p.eal, bdf);
    if (!lent)
        return log_error(bdf.c_str(), lent.error());
    const LockGuard lock(p.mutex);
    p.borrowed.insert(bdf);
    *fd = lent->fd;
    return 0;
}

int set_up(Library &p, const PciFunction &function, int *fd) {
    if (!is_right_mode(p, function.bdf))
        return -1;
    if (is_secondary(p))
        return borrow(p, function.bdf, fd);
    // Between the walk of EAL's memory and the next event no page may come or go.
    p.eal.rte_mcfg_mem_read_lock();
    const int ret = guarded(-1, [&] {
        const LockGuard lock(p.mutex);
        register_callbacks(p);
        auto cdev = p.devices.set_up(function);
        if (!cdev)
            return log_error(function.bdf.c_str(), cdev.error());
        p.ours = true;
        *fd = *cdev;
        return 0;
    });
    p.eal.rte_mcfg_mem_read_unlock();
    return ret;
}

int release(Library &p, const std::string &bdf, int fd) {
    p.eal.rte_mcfg_mem_read_lock();
    const int ret = guarded(-1, [&] {
        const LockGuard lock(p.mutex);
        if (p.borrowed.erase(bdf) != 0) {
            (void)broker::process_kernel().close(fd); // the primary goes on with the device
            return 0;
        }
        auto ok = p.devices.release(bdf);
        return ok ? 0 : log_error(bdf.c_str(), ok.error());
    });
    p.eal.rte_mcfg_mem_read_unlock();
    return ret;
}

bool has(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.borrowed.count(bdf) != 0 || p.devices.cdev(bdf) >= 0;
}

bool may_probe(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.devices.may_probe(bdf);
}

std::optional<PciFunction> find_function(Library &p, const std::string &bdf) {
    const LockGuard lock(p.mutex);
    return p.devices.find(bdf);
}

} // namespace

SetUp set_up_device(Library &p, const char *dev_addr, int *fd) {
    const auto bdf = normal_bdf(dev_addr);
    const auto function = bdf ? find_function(p, *bdf) : std::nullopt;
    if (!function)
        return SetUp::not_ours;
    if (read_allowed(p.eal, nullptr).is_plugins(*bdf)) {
        log(RTE_LOG_NOTICE, "%s: left to the iommufd bus, which -a names for it", bdf->c_str());
        return SetUp::left;
    }
    if (!may_probe(p, *bdf)) {
        log(RTE_LOG_NOTICE,
            "%s: left alone: dpdk-iommufd-run --device has named others, and not it", bdf->c_str());
        return SetUp::left;
    }
    if (set_up(p, *function, fd) != 0)
        return SetUp::failed;
    log(RTE_LOG_INFO, "%s: %s", bdf->c_str(), function->cdev_path().c_str());
    return SetUp::done;
}

std::optional<int> release_device(Library &p, const char *dev_addr, int fd) {
    const auto bdf = normal_bdf(dev_addr);
    if (!bdf || !has(p, *bdf))
        return std::nullopt;
    return release(p, *bdf, fd);
}

int get_device_info(const char *dev_addr, int fd, vfio_device_info *info) {
    // Of the caller's size, which is in argsz.
    if (broker::process_kernel().ioctl(fd, uapi::device_get_info_request, info) == 0)
        return 0;
    log(RTE_LOG_ERR, "%s: VFIO_DEVICE_GET_INFO has failed", dev_addr);
    return -1;
}

int refuse_container(const char *function) {
    log(RTE_LOG_ERR,
        "%s: without an IOMMU all devices of a process share one address space: use the default "
        "container",
        function);
    return -1;
}

} // namespace iommufd::preload
