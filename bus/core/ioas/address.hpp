// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Addresses that must not be mixed up: where the process finds a byte, and where a device
// does. A cast between them has a name.

#include <compare>
#include <cstdint>

namespace iommufd {

enum class Va : std::uint64_t {};  // virtual address of this process
enum class Dma : std::uint64_t {}; // what a device puts on the bus: PA without an IOMMU

constexpr std::uint64_t raw(Va va) {
    return static_cast<std::uint64_t>(va);
}
constexpr std::uint64_t raw(Dma dma) {
    return static_cast<std::uint64_t>(dma);
}
inline Va va_of(const void *p) {
    return Va{reinterpret_cast<std::uintptr_t>(p)};
}
constexpr Va operator+(Va va, std::uint64_t bytes) {
    return Va{raw(va) + bytes};
}
constexpr Dma operator+(Dma dma, std::uint64_t bytes) {
    return Dma{raw(dma) + bytes};
}
constexpr std::uint64_t operator-(Va end, Va start) {
    return raw(end) - raw(start);
}

constexpr std::uint64_t page_4k = 1ULL << 12;
constexpr std::uint64_t page_2m = 1ULL << 21;
constexpr std::uint64_t page_1g = 1ULL << 30;

// User space of x86-64 with four-level page tables, and no less than arm64 gives by default
// (Linux 7.3, Documentation/arch/x86/x86_64/mm.rst). EAL takes no memory above it.
constexpr unsigned int va_bits = 47;

constexpr bool is_aligned(std::uint64_t value, std::uint64_t power_of_two) {
    return (value & (power_of_two - 1)) == 0;
}

} // namespace iommufd
