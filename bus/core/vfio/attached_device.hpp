// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <array>
#include <cstdint>

#include "core/sys/mapping.hpp"
#include "core/vfio/bound_device.hpp"

namespace iommufd {

// A bound device that is attached to an IOAS, with its BARs. Move-only; the end keeps the order
// that bound_device.hpp draws.
class AttachedDevice {
public:
    static constexpr std::size_t max_bars = 6;

    AttachedDevice(AttachedDevice &&other) noexcept = default;
    AttachedDevice &operator=(AttachedDevice &&) noexcept = delete;
    AttachedDevice(const AttachedDevice &) = delete;
    AttachedDevice &operator=(const AttachedDevice &) = delete;
    ~AttachedDevice();

    // Map every memory BAR that can be mapped. On error none is.
    Result<void> map_bars();
    // nullptr if the BAR is not mapped; its size in bytes, 0 if it does not exist.
    [[nodiscard]] void *bar(std::size_t index) const { return bars_[index].mapping.addr(); }
    [[nodiscard]] std::uint64_t bar_size(std::size_t index) const { return bars_[index].size; }

    [[nodiscard]] BoundDevice &device() { return device_; }
    [[nodiscard]] const BoundDevice &device() const { return device_; }

private:
    friend Result<AttachedDevice> attach(BoundDevice &&device, std::uint32_t ioas);
    explicit AttachedDevice(BoundDevice &&device) : device_(std::move(device)) {}

    struct Bar {
        Mapping mapping{};
        std::uint64_t size = 0;
    };
    using Bars = std::array<Bar, max_bars>;
    [[nodiscard]] Result<Bars> map_all_bars() const;

    BoundDevice device_;
    Bars bars_;
};

// Attach it to an IOAS: memory can be pinned and resolved from here on. On error the caller still
// has the device.
Result<AttachedDevice> attach(BoundDevice &&device, std::uint32_t ioas);

} // namespace iommufd
