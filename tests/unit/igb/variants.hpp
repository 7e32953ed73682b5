// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Tests of the hot path run with every burst function that the CPU has.

#include <cstdint>
#include <string>

#if defined(RTE_ARCH_X86_64)
#include <x86intrin.h>
#endif
extern "C" { // which the header of DPDK 22.11 does not say
#include <rte_vect.h>
}

#include "port_test.hpp"
#include "rxtx/igb_tx.hpp"

namespace test {

// Burst functions, chosen by the width that DPDK may use.
struct Variant {
    const char *name;
    std::uint16_t simd_bits;
    const char *burst_mode;      // Of receive and of transmit.
    bool looked_up = false;      // Buffers of another kind of pool, whose addresses are looked up.
    bool sent_looked_up = false; // Transmit as for a DPDK whose mbufs carry no addresses.
};

inline constexpr Variant all_variants[] = {
    {"Scalar", RTE_VECT_SIMD_DISABLED, "Scalar"},
    {"Avx2", RTE_VECT_SIMD_256, "Vector AVX2"},
    {"Avx512", RTE_VECT_SIMD_512, "Vector AVX512"},
    {.name = "LookedUp",
     .simd_bits = RTE_VECT_SIMD_DISABLED,
     .burst_mode = "Scalar",
     .sent_looked_up = true},
};

// Of receive alone, whatever the CPU has.
inline constexpr const char *looked_up_mode = "Scalar, addresses looked up";

// A port with the burst functions of a variant.
class VariantTest : public PortTest, public testing::WithParamInterface<Variant> {
protected:
    void SetUp() override {
        rte_eth_burst_mode rx{};
        rte_eth_burst_mode tx{};

        PortTest::SetUp();
        if (GetParam().looked_up)
            pool = make_lying_pool(pool_size);
        ASSERT_EQ(0, rte_vect_set_max_simd_bitwidth(GetParam().simd_bits));
        bring_up(1, configuration());
        ASSERT_EQ(0, rte_eth_rx_burst_mode_get(port_id, 0, &rx));
        ASSERT_EQ(0, rte_eth_tx_burst_mode_get(port_id, 0, &tx));
        ASSERT_STREQ(rx.info, GetParam().looked_up ? looked_up_mode : tx.info);
        if (std::string(tx.info) != GetParam().burst_mode)
            GTEST_SKIP() << "this CPU has it not: " << tx.info;
        if (GetParam().sent_looked_up) {
            map_pool(pool);
            rte_eth_fp_ops[port_id].tx_pkt_burst = igb::tx_burst_lookup;
        }
    }

    void TearDown() override {
        rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_256);
        PortTest::TearDown();
    }

    virtual rte_eth_conf configuration() const { return {}; }
};

// INSTANTIATE_TEST_SUITE_P() for a class of this kind.
#define EVERY_VARIANT(suite)                                                                       \
    INSTANTIATE_TEST_SUITE_P(Variants, suite, testing::ValuesIn(test::all_variants),               \
                             [](const auto &each) { return each.param.name; })

} // namespace test
