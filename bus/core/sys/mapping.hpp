// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "core/sys/kernel.hpp"
#include "core/sys/result.hpp"

namespace iommufd {

// Owns a mapping of a file. Move-only; unmapped once. The Kernel outlives it.
class Mapping {
public:
    Mapping() = default;
    // Shared, readable and writeable, [offset, offset + length) of fd; what names it in an Error:
    // "of BAR 0".
    static Result<Mapping> create(Kernel &kernel, std::size_t length, int fd, off_t offset,
                                  const std::string &what) {
        void *addr = nullptr;
        if (const int ret = kernel.mmap(length, fd, offset, &addr); ret < 0)
            return failure(ret, "mmap " + what);
        return Mapping(kernel, addr, length);
    }
    Mapping(Mapping &&other) noexcept
        : kernel_(other.kernel_), addr_(std::exchange(other.addr_, nullptr)),
          length_(std::exchange(other.length_, 0)) {}
    Mapping &operator=(Mapping &&other) noexcept {
        if (this != &other) {
            reset();
            kernel_ = other.kernel_;
            addr_ = std::exchange(other.addr_, nullptr);
            length_ = std::exchange(other.length_, 0);
        }
        return *this;
    }
    Mapping(const Mapping &) = delete;
    Mapping &operator=(const Mapping &) = delete;
    ~Mapping() { reset(); }

    [[nodiscard]] void *addr() const { return addr_; }
    [[nodiscard]] std::size_t length() const { return length_; } // bytes

    // munmap(2) of a whole mapping cannot fail.
    void reset() {
        if (addr_ != nullptr)
            (void)kernel_->munmap(std::exchange(addr_, nullptr), std::exchange(length_, 0));
    }

private:
    Mapping(Kernel &kernel, void *addr, std::size_t length)
        : kernel_(&kernel), addr_(addr), length_(length) {}

    Kernel *kernel_ = nullptr;
    void *addr_ = nullptr;
    std::size_t length_ = 0;
};

} // namespace iommufd
