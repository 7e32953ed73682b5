// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <utility>

#include "core/sys/kernel.hpp"

namespace iommufd {

// Owns a file descriptor of a Kernel, which must outlive it. Move-only; closes once.
class Fd {
public:
    Fd() = default;
    Fd(Kernel &kernel, int fd) : kernel_(&kernel), fd_(fd) {}
    Fd(Fd &&other) noexcept : kernel_(other.kernel_), fd_(std::exchange(other.fd_, -1)) {}
    Fd &operator=(Fd &&other) noexcept {
        if (this != &other) {
            reset();
            kernel_ = other.kernel_;
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    Fd(const Fd &) = delete;
    Fd &operator=(const Fd &) = delete;
    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    // The caller's from now on.
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }

    // The errno of a failed close cannot be acted on: the descriptor is gone either way.
    void reset() {
        if (fd_ >= 0)
            (void)kernel_->close(std::exchange(fd_, -1));
    }

private:
    Kernel *kernel_ = nullptr;
    int fd_ = -1;
};

} // namespace iommufd
