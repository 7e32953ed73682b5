// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What receive tests have in common.

#include "rxtx/igb_desc.hpp"
#include "variants.hpp"

namespace test {

class RxTest : public VariantTest {
protected:
    void arrive(std::uint32_t first, std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; i++)
            ASSERT_EQ(model::Received::Delivered, device().receive(0, frame(first + i)));
    }

    static constexpr std::uint32_t good_status = igb::rx_status::DD | igb::rx_status::EOP;
};

} // namespace test
