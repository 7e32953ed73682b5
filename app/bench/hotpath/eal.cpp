// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "eal.hpp"

#include <fstream>
#include <sched.h>
#include <stdexcept>

#include <rte_eal.h>
#include <rte_errno.h>

namespace bench {

namespace {

// Pools, rings and EAL's own: some 5 MB for each of ten variants.
constexpr unsigned int memory_mib = 128;

bool has_hugepages() {
    std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    unsigned int free = 0;

    return file >> free && 2 * free >= memory_mib;
}

std::vector<int> cpus() {
    cpu_set_t set;
    std::vector<int> list;

    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        throw std::runtime_error("no CPU affinity");
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            list.push_back(cpu);
    return list;
}

} // namespace

Machine start_eal(const EalOptions &options) {
    const std::vector<int> list = cpus(); // the first CPU has most of the interrupts
    const bool huge = !options.small_pages && has_hugepages();
    Machine machine{.main_cpu = list.back(),
                    .device_cpu = list.size() > 1 ? list[list.size() - 2] : -1,
                    .memory = huge ? "2 MiB hugepages" : "4 KiB pages"};

    std::vector<std::string> arguments = {"bench_hotpath",
                                          "--no-pci",
                                          "--no-telemetry",
                                          "--iova-mode=va",
                                          "--no-shconf",
                                          "-l",
                                          std::to_string(machine.main_cpu),
                                          "-m",
                                          std::to_string(memory_mib)};
    arguments.emplace_back(huge ? "--in-memory" : "--no-huge"); // one excludes the other
    arguments.emplace_back(options.verbose ? "--log-level=*:debug" : "--log-level=*:critical");
    for (const std::string &plugin : options.plugins) {
        arguments.emplace_back("-d");
        arguments.push_back(plugin);
    }

    std::vector<char *> argv;
    argv.reserve(arguments.size());
    for (std::string &argument : arguments)
        argv.push_back(argument.data());
    if (rte_eal_init(static_cast<int>(argv.size()), argv.data()) < 0)
        throw std::runtime_error(std::string("EAL does not start: ") + rte_strerror(rte_errno));
    return machine;
}

} // namespace bench
