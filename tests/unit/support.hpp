// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What the unit tests share.

#include <cerrno>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "core/sys/result.hpp"
#include "fake_kernel.hpp"

namespace iommufd::test {

constexpr const char *cdev_path = "/dev/vfio/devices/noiommu-vfio0";
constexpr const char *second_cdev_path = "/dev/vfio/devices/noiommu-vfio1";

constexpr Va base{0x100000000000}; // multiple of every page size

// An errno that nothing in the project or the model answers by itself.
constexpr int injected_errno = EUCLEAN;

// Read the message of a failed Result; "success" if it is none.
template <class T>
std::string message(const Result<T> &result) {
    return result ? "success" : result.error().message();
}

template <class T>
int code(const Result<T> &result) {
    return result ? 0 : result.error().code;
}

inline ::testing::AssertionResult contains(const std::string &text, const std::string &part) {
    if (text.find(part) != std::string::npos)
        return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "'" << text << "' has no '" << part << "'";
}

#define EXPECT_OK(expression)                                                                      \
    EXPECT_EQ(::iommufd::test::message(expression), "success") << #expression
#define ASSERT_OK(expression)                                                                      \
    ASSERT_EQ(::iommufd::test::message(expression), "success") << #expression

// A device as most tests want it: three BARs, of which one cannot be mapped.
inline FakeDevice nic() {
    FakeDevice device;
    device.bars[0] = {.size = 128 << 10, .can_mmap = true};
    device.bars[2] = {.size = 32, .can_mmap = false}; // I/O ports
    device.bars[3] = {.size = 16 << 10, .can_mmap = true};
    return device;
}

// body(n) makes the n-th call fail and says whether it came to that. Run it for n = 1, 2, ...
// until the operation gets by with fewer calls; how many it makes.
template <class Body>
int for_each_failing_call(Body &&body) {
    for (int n = 1; n < 100000; ++n) {
        SCOPED_TRACE("call " + std::to_string(n) + " fails");
        if (!body(n) || ::testing::Test::HasFailure())
            return n - 1;
    }
    ADD_FAILURE() << "it never succeeds";
    return 0;
}

} // namespace iommufd::test
