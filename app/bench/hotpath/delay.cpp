// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// DPDK's delays, replaced: instead of time passing, the models react (nic_model.hpp).
//
// rte_delay_us_sleep() is a function, and the executable's goes before librte_eal's;
// rte_delay_us() is a pointer that can be set.

#include "delay.hpp"

#include <rte_cycles.h>

#include "device.hpp"

namespace {

void react(unsigned int) {
    bench::Device::react_all();
}

} // namespace

extern "C" void rte_delay_us_sleep(unsigned int us) {
    react(us);
}

namespace bench {

void replace_delays() {
    rte_delay_us_callback_register(react);
}

} // namespace bench
