// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What transmit tests have in common.

#include <vector>

#include "variants.hpp"

namespace test {

class TxTest : public VariantTest {
protected:
    void SetUp() override {
        VariantTest::SetUp();
        in_rings = rte_mempool_in_use_count(pool);
    }

    std::vector<rte_mbuf *> packets(std::uint32_t first, std::uint32_t count) {
        std::vector<rte_mbuf *> mbufs;

        for (std::uint32_t i = 0; i < count; i++)
            mbufs.push_back(
                packet(pool, first + i, static_cast<std::uint16_t>(60 + (first + i) % 900)));
        return mbufs;
    }

    std::uint16_t send(std::vector<rte_mbuf *> mbufs) {
        return rte_eth_tx_burst(port_id, 0, mbufs.data(), static_cast<std::uint16_t>(mbufs.size()));
    }

    static std::vector<std::uint8_t> sent_frame(std::uint32_t id) {
        return frame(id, 60 + id % 900);
    }

    // mbufs of the pool that the transmit side or the application holds.
    unsigned int held() const { return rte_mempool_in_use_count(pool) - in_rings; }

    unsigned int in_rings = 0;
};

} // namespace test
