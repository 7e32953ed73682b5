// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Memory that EAL does not manage and that somebody has put into reach of devices
// (rte_dev_dma_map()): whole ranges, each mapped once and for as long as one of its users has it.
// Not thread-safe.

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "core/eal_memory/report.hpp"
#include "core/ioas/address_space.hpp"

namespace iommufd {

class ExternalMemory {
public:
    // Who has a range: a device, or nullptr for the process as a whole.
    using User = const void *;

    // All of it outlives this; table is the space's. counts_users: a user may have a range several
    // times, and gives it up as often (DPDK's vfio does not say for which device it maps).
    ExternalMemory(AddressSpace &space, const DmaTable &table, bool counts_users)
        : space_(space), table_(table), counts_users_(counts_users) {}
    ExternalMemory(const ExternalMemory &) = delete;
    ExternalMemory &operator=(const ExternalMemory &) = delete;

    // iova: what the user takes for the address of va, and every following byte accordingly, and
    // must be; 0 if nothing is. Errors: AddressSpace::map()'s, EINVAL for a wrong iova, EEXIST if
    // the user has the range already.
    Result<void> map(User user, Va va, std::uint64_t length, std::uint64_t iova = 0);
    // Errors: ENOENT if the user has no such range, else AddressSpace::unmap()'s; the user then
    // still has it.
    Result<void> unmap(User user, Va va, std::uint64_t length);
    // The memory itself goes, whoever else has it. ENOENT as above.
    Result<void> retire(User user, Va va, std::uint64_t length, MemoryReport *report);
    // The user is gone, and what it alone had is retired; the memory stays.
    void remove_user(User user, MemoryReport *report);

    // The address space has been emptied and filled anew: what cannot be mapped again is forgotten.
    void map_again(MemoryReport *report);
    void clear() { ranges_.clear(); }

    [[nodiscard]] std::size_t size() const { return ranges_.size(); }
    // How often the range that begins there is mapped; 0 if none does.
    [[nodiscard]] std::size_t users(Va va) const;
    struct Listed {
        std::uint64_t va;
        std::uint64_t length;
        std::size_t users;
    };
    [[nodiscard]] std::vector<Listed> ranges() const;

private:
    struct Range {
        std::uint64_t length;
        std::multiset<User> users;
    };
    using Ranges = std::map<std::uint64_t, Range>; // by start

    Result<Ranges::iterator> find(User user, Va va, std::uint64_t length);
    [[nodiscard]] Result<void> compare(Va va, std::uint64_t length, std::uint64_t iova) const;

    AddressSpace &space_;
    const DmaTable &table_;
    const bool counts_users_;
    Ranges ranges_;
};

// Retire a range of an address space, and say what came of it.
void retire_range(AddressSpace &space, MemoryReport *report, const char *what, Va va,
                  std::uint64_t length, Backing backing = Backing::freed);

} // namespace iommufd
