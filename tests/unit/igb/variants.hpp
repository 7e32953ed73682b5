/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/** @file Tests of the hot path run with every burst function that the CPU has. */

#pragma once

#include <cstdint>
#include <string>

#if defined(RTE_ARCH_X86_64)
#include <x86intrin.h>
#endif
extern "C" { // which the header of DPDK 22.11 does not say
#include <rte_vect.h>
}

#include "port_test.hpp"

namespace test {

/** Burst functions, chosen by the width that DPDK may use. */
struct Variant {
    const char *name;
    uint16_t simd_bits;
    const char *burst_mode; /**< Of receive and of transmit. */
};

inline constexpr Variant kVariants[] = {
    {"Scalar", RTE_VECT_SIMD_DISABLED, "Scalar"},
    {"Avx2", RTE_VECT_SIMD_256, "Vector AVX2"},
    {"Avx512", RTE_VECT_SIMD_512, "Vector AVX512"},
};

/** A port with the burst functions of a variant. */
class VariantTest : public PortTest, public testing::WithParamInterface<Variant> {
protected:
    void SetUp() override {
        rte_eth_burst_mode rx{};
        rte_eth_burst_mode tx{};

        PortTest::SetUp();
        ASSERT_EQ(0, rte_vect_set_max_simd_bitwidth(GetParam().simd_bits));
        bring_up(1, configuration());
        ASSERT_EQ(0, rte_eth_rx_burst_mode_get(kPort, 0, &rx));
        ASSERT_EQ(0, rte_eth_tx_burst_mode_get(kPort, 0, &tx));
        ASSERT_STREQ(rx.info, tx.info);
        if (std::string(rx.info) != GetParam().burst_mode)
            GTEST_SKIP() << "this CPU has it not: " << rx.info;
    }

    void TearDown() override {
        rte_vect_set_max_simd_bitwidth(RTE_VECT_SIMD_256);
        PortTest::TearDown();
    }

    virtual rte_eth_conf configuration() const { return {}; }
};

/** INSTANTIATE_TEST_SUITE_P() for a class of this kind. */
#define EVERY_VARIANT(suite)                                                                       \
    INSTANTIATE_TEST_SUITE_P(Variants, suite, testing::ValuesIn(test::kVariants),                  \
                             [](const auto &each) { return each.param.name; })

} // namespace test
