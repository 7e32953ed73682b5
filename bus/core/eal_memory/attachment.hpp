// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A device in the address space of the process, from the open of its cdev to the close, and with
// the last one the end of the address space:
//
//     create()   /dev/iommu (first), cdev, BIND, ATTACH
//     close()    bus master off, RESET; stop(): everything unmapped (last); DETACH, BARs, cdev;
//                /dev/iommu (last)
//
// Attached and closed by one thread at a time.

#include <optional>
#include <string>
#include <utility>

#include "core/ioas/address_space.hpp"
#include "core/vfio/attached_device.hpp"

namespace iommufd {

// The memory that devices reach.
class DeviceMemory {
public:
    DeviceMemory() = default;
    DeviceMemory(const DeviceMemory &) = delete;
    DeviceMemory &operator=(const DeviceMemory &) = delete;
    virtual ~DeviceMemory() = default;

    virtual AddressSpace &space() = 0;
    // The last device is about to be detached, and does no DMA any more or is left to the kernel:
    // empty the address space.
    virtual void stop() = 0;

    // Devices that are attached.
    [[nodiscard]] unsigned int attached() const { return attached_; }

private:
    friend class Attachment;
    unsigned int attached_ = 0;
};

// Move-only; the end closes.
class Attachment {
public:
    // Both outlive it. On error nothing stays open.
    static Result<Attachment> create(Kernel &kernel, DeviceMemory &memory,
                                     const std::string &cdev_path, const VfToken *token = nullptr);
    Attachment(Attachment &&other) noexcept
        : memory_(std::exchange(other.memory_, nullptr)), attached_(std::move(other.attached_)) {}
    Attachment &operator=(Attachment &&) noexcept = delete;
    Attachment(const Attachment &) = delete;
    Attachment &operator=(const Attachment &) = delete;
    ~Attachment() { (void)close(); }

    // The end; again is nothing. The error is why the device could not be stopped: it is left to
    // the kernel then, and nothing that it may reach is unpinned before the kernel has stopped it.
    Result<void> close();

    [[nodiscard]] AttachedDevice &attached() { return *attached_; }
    [[nodiscard]] BoundDevice &device() { return attached_->device(); }

private:
    Attachment(DeviceMemory &memory, AttachedDevice attached)
        : memory_(&memory), attached_(std::move(attached)) {
        ++memory.attached_;
    }

    DeviceMemory *memory_;
    std::optional<AttachedDevice> attached_;
};

} // namespace iommufd
