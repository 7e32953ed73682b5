// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

namespace bench {

// From now on the models react whenever a driver waits. After rte_eal_init().
void replace_delays();

} // namespace bench
