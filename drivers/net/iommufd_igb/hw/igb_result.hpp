// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// How a step of the hardware fails: which step, with which errno. The same model as the core's
// (bus/core/sys/result.hpp), whose headers are not the driver's to include; ethdev's operations
// turn it into a log line and a negative errno. No more than a pointer to a literal is kept, for
// what fails here is known when it is written.

#include <type_traits>
#include <utility>

#include <tl/expected.hpp>

namespace igb {

struct Error {
    int code;         // errno, positive
    const char *step; // what was being done, and the register it was done with
};

template <class T = void>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> failure(int code, const char *step) {
    return tl::make_unexpected(Error{code, step});
}

namespace detail {

template <class T, class E>
T value_of(tl::expected<T, E> &&result) {
    if constexpr (!std::is_void_v<T>)
        return *std::move(result);
}

} // namespace detail

} // namespace igb

// The value of a Result, where a function goes on only with one; its Error is returned as the
// function's own otherwise:
//
//     TRY(check_nvm());
//     const std::uint16_t word = TRY(read_nvm(0));
//
// A statement expression, as gcc and clang have.
#define TRY(expression)                                                                            \
    __extension__({                                                                                \
        auto try_result = (expression);                                                            \
        if (!try_result)                                                                           \
            return tl::make_unexpected(std::move(try_result).error());                             \
        ::igb::detail::value_of(std::move(try_result));                                            \
    })
