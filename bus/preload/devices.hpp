// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// The devices of this process, one of which must be attached before EAL asks for its first
// physical address, long before it probes any:
//
//     attach_any()   the first allowed device that opens: addresses are resolved with it; bound,
//                    attached, not running
//     set_up()       DPDK's PCI bus wants the device: it is attached already, or is bound now. One
//                    that was attached for addresses alone is released then.
//                    After the last release EAL goes on to take memory, and needs addresses: a
//                    device of the application's is attached again for a moment.
//     release()      bus master off, reset, memory unpinned with the last device, cdev closed
//
// Memory is unpinned with the last device, so that the kernel can have it back at once (unbind,
// unplug). Calls must be serialised by the caller.

#include <map>
#include <set>
#include <string>
#include <utility>

#include "core/eal_memory/attachment.hpp"
#include "core/vfio/pci_scan.hpp"
#include "preload/allow.hpp"
#include "preload/virt2phy.hpp"

namespace iommufd::preload {

struct EalApi;

class Devices {
public:
    // given: what dpdk-iommufd-run --device said (allow.hpp); it outlives this object.
    Devices(Kernel &kernel, const EalApi &eal, Virt2Phy &memory, const char *given = nullptr,
            std::filesystem::path sysfs = "/sys")
        : kernel_(kernel), eal_(eal), memory_(memory), given_(given), sysfs_(std::move(sysfs)) {}

    // The no-IOMMU cdev of a PCI function; nothing if it has none.
    [[nodiscard]] std::optional<PciFunction> find(const std::string &bdf) const;
    // Whether any function is this application's, or is held already.
    [[nodiscard]] bool any() const;

    [[nodiscard]] bool attached() const { return !open_.empty(); }
    // Attach one, if none is: one that the application has released only if there is no other, and
    // for a moment. Which may be taken is what EAL's arguments and --device said when
    // the first one was bound: EAL forgets a device that is detached, and without any left its
    // list reads as if all were allowed.
    Result<void> attach_any();
    // Whether the device that is attached is so for a moment only.
    [[nodiscard]] bool is_for_a_moment() const { return for_a_moment_; }
    // The moment is over.
    void end_moment() {
        if (std::exchange(for_a_moment_, false))
            close_unused();
    }
    // Close those that are attached for addresses alone.
    void close_unused();

    // Whether it is among those that --device has named, if any.
    [[nodiscard]] bool may_probe(const std::string &bdf) { return allowed().may_probe(bdf); }
    // The device's cdev, bound, attached and with all of EAL's memory compared; EAL's memory lock
    // is held.
    Result<int> set_up(const PciFunction &function);
    // ENOENT if it is not set up.
    Result<void> release(const std::string &bdf);
    // The cdev of a device that is set up, for a secondary process; -1 if it is not.
    [[nodiscard]] int cdev(const std::string &bdf);

    struct Held {
        std::string bdf;
        std::string cdev;
        bool in_use;
    };
    [[nodiscard]] std::vector<Held> held() const;

private:
    struct Device {
        PciFunction function;
        Attachment attachment;
        bool in_use = false;
    };

    const Allowed &allowed();
    Result<void> attach(const PciFunction &function);
    Result<void> attach_first(bool released);
    void close(std::string bdf);

    Kernel &kernel_;
    const EalApi &eal_;
    Virt2Phy &memory_;
    const char *given_;
    std::filesystem::path sysfs_;
    std::optional<Allowed> allowed_;     // as it was at the first bind
    std::map<std::string, Device> open_; // by BDF
    std::set<std::string> released_;     // by the application
    bool for_a_moment_ = false;
};

} // namespace iommufd::preload
