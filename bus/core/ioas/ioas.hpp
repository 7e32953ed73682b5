// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// /dev/iommu with one IOAS, and its ioctls: what they are asked, and how a failure is explained.
// It knows no areas; the caller does. Not thread-safe.

#include <cstdint>
#include <span>
#include <string>

#include "core/ioas/address.hpp"
#include "core/ioas/stopwatch.hpp"
#include "core/sys/fd.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

// What the ioctls have cost since the process started.
struct IoasCosts {
    std::uint64_t map_calls = 0; // IOMMU_IOAS_MAP and IOMMU_IOAS_MAP_FILE
    std::uint64_t map_ns = 0;
    std::uint64_t get_pa_calls = 0;
    std::uint64_t get_pa_ns = 0; // with the entry into the table
    std::uint64_t unmap_calls = 0;
    std::uint64_t unmap_ns = 0;
};

class Ioas {
public:
    // Whom pins are charged to, IOMMU_OPTION_RLIMIT_MODE: the user (the kernel's default: all
    // of the user's processes share RLIMIT_MEMLOCK) or the process.
    enum class RlimitMode : std::uint8_t { user = 0, process = 1 };

    // kernel outlives it.
    explicit Ioas(Kernel &kernel) : kernel_(kernel) {}
    Ioas(const Ioas &) = delete;
    Ioas &operator=(const Ioas &) = delete;

    // Open /dev/iommu and allocate the IOAS; nothing to do if it is open.
    Result<void> open(RlimitMode mode);
    // The end of /dev/iommu, and of the IOAS once no device is bound to it any more.
    void close();

    [[nodiscard]] bool is_open() const { return static_cast<bool>(iommufd_); }
    [[nodiscard]] int iommufd() const { return iommufd_.get(); }
    [[nodiscard]] std::uint32_t id() const { return id_; }

    // Pin [va, va + length) of the process, seen by devices at iova == va.
    Result<void> map(Va va, std::uint64_t length);
    // Pin a file from its start, seen at iova == va.
    Result<void> map_file(Va va, std::uint64_t length, int fd);
    // Unpin exactly what one of the two has mapped.
    Result<void> unmap(Va va, std::uint64_t length);

    // The physical addresses of pages of page_size bytes at IOVAs, and how many bytes are
    // contiguous from there on, a hugepage at least. An answer that fits no such page is an error,
    // EIO. The first failure is that of the whole.
    Result<void> get_pa(std::span<PaQuery> queries, std::uint64_t page_size);
    // How many addresses are best asked for at once.
    [[nodiscard]] std::size_t pa_batch() const { return kernel_.pa_batch(); }

    // Bytes that are pinned now.
    [[nodiscard]] std::uint64_t pinned() const { return pinned_; }
    // What to do where needed bytes must be pinned and RLIMIT_MEMLOCK is the obstacle, as a
    // sentence without its full stop; empty if the limit is high enough.
    [[nodiscard]] std::string memlock_remedy(std::uint64_t needed) const;

    [[nodiscard]] const IoasCosts &costs() const { return costs_; }
    // Counts its scope as time of GET_PA.
    [[nodiscard]] Stopwatch time_of_get_pa() { return Stopwatch(&costs_.get_pa_ns); }

private:
    Result<void> finish_map(int ret, const char *call, Va va, std::uint64_t length);

    Kernel &kernel_;
    Fd iommufd_;
    std::uint32_t id_ = 0;
    std::uint64_t pinned_ = 0;
    IoasCosts costs_;
};

} // namespace iommufd
