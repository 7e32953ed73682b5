// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <cerrno>
#include <exception>
#include <new>
#include <type_traits>

namespace iommufd {

// Run what C code has called: nothing is thrown across. f's result, or that of
// on_exception(errno, text), which must not throw.
template <class F, class OnException>
std::invoke_result_t<F> catch_all(F &&f, OnException &&on_exception) noexcept {
    try {
        return f();
    } catch (const std::bad_alloc &) {
        return on_exception(ENOMEM, "out of memory");
    } catch (const std::exception &e) {
        return on_exception(EFAULT, e.what());
    }
}

} // namespace iommufd
