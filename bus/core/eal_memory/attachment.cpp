// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/eal_memory/attachment.hpp"

namespace iommufd {
namespace {

Result<AttachedDevice> open_and_attach(Kernel &kernel, AddressSpace &space,
                                       const std::string &cdev_path, const VfToken *token) {
    TRY(space.open());
    return attach(TRY(BoundDevice::open(kernel, cdev_path, space.iommufd(), token)), space.ioas());
}

} // namespace

Result<Attachment> Attachment::create(Kernel &kernel, DeviceMemory &memory,
                                      const std::string &cdev_path, const VfToken *token) {
    auto attached = open_and_attach(kernel, memory.space(), cdev_path, token);
    if (!attached) {
        if (memory.attached() == 0)
            memory.space().close();
        return tl::make_unexpected(attached.error());
    }
    return Attachment(memory, *std::move(attached));
}

Result<void> Attachment::close() {
    if (memory_ == nullptr)
        return {};
    DeviceMemory &memory = *std::exchange(memory_, nullptr);
    const bool is_last = memory.attached_ == 1;
    // What was written to configuration space behind our back is not known: it is always asked to.
    auto stopped = device().quiesce();
    if (!device().is_quiet())
        memory.space().keep_pins();
    if (is_last)
        memory.stop();
    attached_.reset();
    --memory.attached_;
    if (is_last)
        memory.space().close();
    return stopped;
}

} // namespace iommufd
