// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The iommufd bus as the driver sees it, over the device model: memory, bus mastering and
// reset, with failures on demand and a record of what was called when.

#include <memory>
#include <string>
#include <vector>

#include <bus_iommufd_driver.h>

#include "dma_map.hpp"
#include "igb_model.hpp"

namespace test {

// Added to a virtual address to give its DMA address: no driver gets away with a VA.
inline constexpr std::uint64_t dma_offset = std::uint64_t{1} << 46;

struct BusCall {
    std::string name;
    std::size_t at; // Register accesses made before it.
};

struct FakeBus {
    model::DmaMap memory;
    std::unique_ptr<model::Igb> device;
    rte_iommufd_driver *driver = nullptr;
    std::vector<BusCall> calls;
    int bus_master_on_error = 0;
    int bus_master_off_error = 0;
    int reset_error = 0;
    int hold_error = 0;
    int register_error = 0;
    int registered_before_error = 0; // Registrations that still succeed.
    int holds = 0;                   // Of pools, by queues.
    // Transmit queues that are asked what they have in flight.
    struct Watched {
        rte_iommufd_in_flight *queue;
        rte_iommufd_in_flight_ranges_t ranges;
    };
    std::vector<Watched> watched;
    int zones_left = -1; // Zones that may still be reserved; negative: any number.

    // Let the device reach ordinary memory, skew bytes further on than other memory is for it. The
    // driver finds the pages that hold it in the table of DMA addresses, as on the real bus.
    void map(const void *va, std::size_t length, std::uint64_t skew = 0);
    // Pages of 4 KiB, from a page's start on, no two of which are neighbours for the device.
    void map_scattered(void *va, std::size_t length);
    // Let it reach nothing.
    void unmap_all();
    void called(const char *name) { calls.push_back({name, device->log.size()}); }
    // Position of the n-th call of that name among the register accesses.
    std::size_t when(const std::string &name, std::size_t n = 0) const;
};

// The one bus of the process; device and record are made anew for each test.
FakeBus &bus();

// Register mempool ops "iommufd": the ring handler, with DMA addresses that bus() knows.
void register_pool_ops();

} // namespace test
