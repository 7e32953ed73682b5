// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// One device through its vfio cdev:
//
//     open() ---> attach() ---> map_bars() ---> ... ---> quiesce() ---> detach() ---> close()
//     cdev,       IOAS:         registers                bus master     pins go       BARs, cdev
//     BIND        MAP and                                off, RESET
//     (reset,     GET_PA work
//     no bus                                             UNMAP between quiesce() and detach()
//     master)
//
// DETACH alone leaves the bus master bit set while the pins are dropped (Linux 7.3, measured),
// so nothing may be unmapped or detached before quiesce(). The destructor keeps that order.

#include <array>
#include <cstdint>
#include <string>

#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

class VfioDevice {
public:
    struct Bar {
        void *addr = nullptr;
        std::uint64_t length = 0; // bytes; 0 if the BAR does not exist
    };
    static constexpr std::size_t max_bars = 6;

    // kernel outlives the device.
    explicit VfioDevice(Kernel &kernel) : kernel_(kernel) {}
    VfioDevice(const VfioDevice &) = delete;
    VfioDevice &operator=(const VfioDevice &) = delete;
    ~VfioDevice() { close(); }

    // Open the cdev and bind it to iommufd: the function is reset and no bus master. On error
    // nothing stays open.
    Result<void> open(const std::string &cdev_path, int iommufd);
    Result<void> attach(std::uint32_t ioas);
    // Map every memory BAR that can be mapped. On error none is.
    Result<void> map_bars();

    // Stop DMA: bus master off, then VFIO_DEVICE_RESET. Both are tried; first error returned.
    Result<void> quiesce();
    void detach();
    // quiesce() unless done, detach if that stopped it, unmap BARs, close.
    void close();

    [[nodiscard]] bool is_open() const { return static_cast<bool>(cdev_); }
    // Whether it does no DMA, as far as we wrote its configuration space.
    [[nodiscard]] bool is_quiet() const { return quiet_; }
    [[nodiscard]] int fd() const { return cdev_.get(); }
    [[nodiscard]] const Bar &bar(std::size_t index) const { return bars_[index]; }

    Result<void> read_config(void *buf, std::size_t length, std::uint64_t offset) const;
    Result<void> write_config(const void *buf, std::size_t length, std::uint64_t offset);
    Result<void> set_bus_master(bool on);
    [[nodiscard]] Result<void> reset() const;

private:
    Result<void> find_config_region();
    [[nodiscard]] std::string describe(const char *call) const { return call + (" on " + path_); }
    void unmap_bars();

    Kernel &kernel_;
    Fd cdev_;
    std::string path_;
    std::array<Bar, max_bars> bars_{};
    std::uint64_t config_offset_ = 0;
    std::uint64_t config_size_ = 0;
    bool can_reset_ = false;
    bool attached_ = false;
    bool quiet_ = true; // no bus master since BIND or quiesce(), as far as we wrote it
};

} // namespace iommufd
