// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#pragma once

namespace bench {

// The calling thread runs on this CPU from now on. Throws if it cannot.
void pin_to_cpu(int cpu);

} // namespace bench
