/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file What receive tests have in common. */

#pragma once

#include "rxtx/igb_desc.hpp"
#include "variants.hpp"

namespace test {

class RxTest : public VariantTest {
protected:
    void arrive(uint32_t first, uint32_t count) {
        for (uint32_t i = 0; i < count; i++)
            ASSERT_EQ(model::Received::Delivered, device().receive(0, frame(first + i)));
    }

    static constexpr uint32_t kGood = igb::rx_status::DD | igb::rx_status::EOP;
};

} // namespace test
