// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the functions that stand in for others share: one of each for the process.

#include <atomic>
#include <cstdlib>
#include <set>
#include <string>

#include <unistd.h>

#include "core/broker/client.hpp"
#include "core/sys/mutex.hpp"
#include "preload/devices.hpp"
#include "preload/eal_api.hpp"
#include "preload/process.hpp"
#include "preload/virt2phy.hpp"

namespace iommufd::preload {

struct Library {
    explicit Library(const EalApi &api)
        : eal(api), memory(broker::process_kernel(), api),
          devices(broker::process_kernel(), api, memory, std::getenv(given_variable)),
          pages(broker::process_kernel()) {}

    const EalApi &eal;
    Mutex mutex;
    Virt2Phy memory;
    Devices devices GUARDED_BY(mutex);
    // Of a secondary process: what the primary has lent.
    LentDescriptor lent GUARDED_BY(mutex);
    PagePins pages GUARDED_BY(mutex);
    std::atomic<pid_t> pages_of{-1}; // the process that has them
    std::set<std::string> borrowed GUARDED_BY(mutex);

    bool has_callbacks GUARDED_BY(mutex) = false;
    // Why there was no physical address when EAL looked whether there are any, if there was none.
    std::string start_error GUARDED_BY(mutex);
    std::atomic<bool> has_complained{false};
    std::atomic<bool> ours{false}; // a device of this process has ever been ours
    std::atomic<bool> was_asked{false};
};

// Made at first use, never destroyed: EAL may call while the process ends. nullptr if this DPDK
// is none we know.
Library *library();

[[nodiscard]] bool is_secondary(const Library &p);
// Whether a device is this process's, or may become it.
bool is_ours(Library &p);
bool is_attached(Library &p);

// In time for the first event and the first secondary process.
void register_callbacks(Library &p) REQUIRES(p.mutex);

// Memory that the application is about to give back by unmap (munmap()); what was pinned of it
// page by page is unpinned. Its answer.
int unmap_and_release(void *memory, std::size_t length, PagePins::Unmap unmap);

} // namespace iommufd::preload
