// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "igb_log.hpp"

namespace igb {

RTE_LOG_REGISTER(log_type, pmd.net.iommufd_igb, NOTICE)

} // namespace igb
