// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/devices.hpp"

#include <algorithm>
#include <cerrno>

#include "preload/eal_api.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

// EAL's --vfio-vf-token; all zeros are none.
std::optional<VfToken> vf_token(const EalApi &eal) {
    VfToken token{};
    if (eal.vf_token != nullptr)
        eal.vf_token(token.data());
    return token == VfToken{} ? std::nullopt : std::optional(token);
}

} // namespace

std::optional<PciFunction> Devices::find(const std::string &bdf) const {
    for (PciFunction &f : scan_vfio_cdevs(sysfs_))
        if (f.bdf == bdf && f.is_noiommu())
            return std::move(f);
    return std::nullopt;
}

bool Devices::any() const {
    if (attached())
        return true;
    const Allowed allowed = allowed_ ? *allowed_ : read_allowed(eal_, given_);
    const auto found = scan_vfio_cdevs(sysfs_);
    return std::any_of(found.begin(), found.end(), [&](const PciFunction &f) {
        return f.is_noiommu() && allowed.allows(f.bdf) && released_.count(f.bdf) == 0;
    });
}

const Allowed &Devices::allowed() {
    if (!allowed_)
        allowed_ = read_allowed(eal_, given_);
    return *allowed_;
}

Result<void> Devices::attach(const PciFunction &function) {
    const auto token = vf_token(eal_);
    auto attachment =
        TRY(Attachment::create(kernel_, memory_, function.cdev_path(), token ? &*token : nullptr));
    open_.emplace(function.bdf, Device{function, std::move(attachment)});
    if (open_.size() == 1)
        memory_.first_attached();
    return {};
}

// The first that opens of those that the application may have and has not released, or has.
Result<void> Devices::attach_first(bool released) {
    Result<void> first = failure(-ENODEV, "looking for a device to resolve addresses with",
                                 "none that this application may have is bound to vfio-pci");
    bool tried = false;
    for (const PciFunction &f : scan_vfio_cdevs(sysfs_)) {
        if (!f.is_noiommu() || !allowed().allows(f.bdf) || released_.contains(f.bdf) != released)
            continue;
        auto ok = attach(f);
        if (ok)
            return ok;
        if (!tried)
            first = ok;
        tried = true;
    }
    return first;
}

Result<void> Devices::attach_any() {
    if (attached())
        return {};
    auto ok = attach_first(false);
    if (ok || released_.empty())
        return ok;
    ok = attach_first(true);
    for_a_moment_ = ok.has_value();
    return ok;
}

void Devices::close_unused() {
    for (auto it = open_.begin(); it != open_.end();) {
        const auto device = it++;
        if (!device->second.in_use)
            close(device->first);
    }
}

Result<int> Devices::set_up(const PciFunction &function) {
    const std::string &bdf = function.bdf;
    if (!allowed().may_probe(bdf))
        return failure(-EACCES, "set-up of " + bdf,
                       "dpdk-iommufd-run --device has not named it: name it there too");
    if (auto found = open_.find(bdf); found != open_.end() && found->second.in_use)
        return failure(-EBUSY, "set-up of " + bdf, "the application has it already");
    const bool is_new = open_.count(bdf) == 0;
    if (is_new)
        TRY(attach(function));
    if (auto ok = memory_.start(); !ok) {
        if (is_new)
            close(bdf);
        return tl::make_unexpected(ok.error());
    }
    Device &device = open_.at(bdf);
    device.in_use = true;
    for_a_moment_ = false;
    released_.erase(bdf);
    close_unused();
    return device.attachment.device().fd();
}

void Devices::close(std::string bdf) {
    const auto found = open_.find(bdf);
    if (auto ok = found->second.attachment.close(); !ok)
        (void)log_error(bdf.c_str(), ok.error());
    open_.erase(found);
}

Result<void> Devices::release(const std::string &bdf) {
    const auto found = open_.find(bdf);
    if (found == open_.end() || !found->second.in_use)
        return failure(-ENOENT, "release of " + bdf, "it is not set up");
    close(bdf);
    released_.insert(bdf);
    return {};
}

int Devices::cdev(const std::string &bdf) {
    const auto found = open_.find(bdf);
    return found == open_.end() || !found->second.in_use ? -1
                                                         : found->second.attachment.device().fd();
}

std::vector<Devices::Held> Devices::held() const {
    std::vector<Held> all;
    for (const auto &[bdf, device] : open_)
        all.push_back({bdf, device.function.cdev_path(), device.in_use});
    return all;
}

} // namespace iommufd::preload
