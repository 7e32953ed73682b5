// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// How an operation of several system calls fails: which call, on what, with which errno, and
// what the user can do about it. Everything above the seam (kernel.hpp, hugepages.hpp) returns
// it; bus and preload library turn it into a log line and a negative errno where C calls them.

#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include <tl/expected.hpp>

namespace iommufd {

struct Error {
    int code;           // errno, positive; 0: no call has failed, something is not as it should be
    std::string call;   // the call and its object: "VFIO_DEVICE_BIND_IOMMUFD on /dev/..."; or what
                        // is wrong
    std::string remedy; // what to do, as a sentence without its full stop; may be empty

    [[nodiscard]] std::string message() const {
        std::string text = call;
        if (code != 0)
            text += ": " + std::generic_category().message(code);
        if (!remedy.empty())
            text += (code != 0 ? "; " : ": ") + remedy;
        return text;
    }
};

template <class T>
using Result = tl::expected<T, Error>;

// ret is a negative errno, as Kernel returns it.
inline tl::unexpected<Error> failure(int ret, std::string call, std::string remedy = {}) {
    return tl::make_unexpected(Error{-ret, std::move(call), std::move(remedy)});
}

namespace detail {

template <class T>
T value_of(Result<T> &&result) {
    if constexpr (!std::is_void_v<T>)
        return *std::move(result);
}

} // namespace detail

} // namespace iommufd

// The value of a Result, where a function goes on only with one; its Error is returned as the
// function's own otherwise:
//
//     TRY(space.open());
//     const int fd = TRY(open_cdev(path));
//
// A statement expression, as gcc and clang have: a value that can only be moved passes too.
#define TRY(expression)                                                                            \
    __extension__({                                                                                \
        auto try_result = (expression);                                                            \
        if (!try_result)                                                                           \
            return tl::make_unexpected(std::move(try_result).error());                             \
        ::iommufd::detail::value_of(std::move(try_result));                                        \
    })
