// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "cpu.hpp"

#include <pthread.h>
#include <sched.h>
#include <stdexcept>
#include <string>

namespace bench {

void pin_to_cpu(int cpu) {
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set) != 0)
        throw std::runtime_error("CPU " + std::to_string(cpu) + " cannot be had");
}

} // namespace bench
