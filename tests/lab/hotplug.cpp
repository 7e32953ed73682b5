// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A DPDK application that does as it is told on its standard input, for the lab tests: one command
// a line, one line of answer, "ok" or "failed: REASON".
//
//     attach DEVARGS   rte_dev_probe()
//     detach NAME      rte_dev_remove()
//     take MIB         rte_malloc()
//     give             rte_free() of the last one taken
//     pool N           a mempool of N objects of 2 KiB in anonymous memory
//     drop             rte_mempool_free()
//     container        rte_vfio_container_create()
//     quit

#include <cstdint>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mempool.h>
#include <rte_vfio.h>

namespace {

std::string result(int ret) {
    return ret < 0 ? std::string("failed: ") + rte_strerror(-ret) : "ok";
}

std::string detach(const std::string &name) {
    rte_dev_iterator iterator;
    for (const char *bus : {"bus=pci", "bus=iommufd"}) {
        rte_device *dev = nullptr;
        RTE_DEV_FOREACH(dev, bus, &iterator) {
            if (name == rte_dev_name(dev))
                return result(rte_dev_remove(dev));
        }
    }
    return "failed: there is no device " + name;
}

rte_mempool *pool;

std::string make_pool(unsigned int count) {
    pool = rte_mempool_create_empty("lab", count, 2048, 0, 0, SOCKET_ID_ANY, 0);
    if (pool == nullptr)
        return "failed: no pool";
    const int populated = rte_mempool_populate_anon(pool);
    return populated == static_cast<int>(count) ? "ok"
                                                : result(populated < 0 ? populated : -ENOMEM);
}

std::string answer(const std::string &command, const std::string &argument,
                   std::vector<void *> *taken) {
    if (command == "attach")
        return result(rte_dev_probe(argument.c_str()));
    if (command == "detach")
        return detach(argument);
    if (command == "take") {
        void *memory = rte_malloc(nullptr, std::stoull(argument) << 20, 0);
        if (memory == nullptr)
            return "failed: no memory";
        taken->push_back(memory);
        return "ok";
    }
    if (command == "give" && !taken->empty()) {
        rte_free(taken->back());
        taken->pop_back();
        return "ok";
    }
    if (command == "pool")
        return make_pool(static_cast<unsigned int>(std::stoul(argument)));
    if (command == "drop") {
        rte_mempool_free(pool);
        return "ok";
    }
    if (command == "container")
        return rte_vfio_container_create() < 0 ? "failed: no container" : "ok";
    return "failed: unknown command";
}

} // namespace

int main(int argc, char **argv) {
    if (rte_eal_init(argc, argv) < 0) {
        std::cout << "failed: " << rte_strerror(rte_errno) << std::endl;
        return 1;
    }
    std::cout << "mode " << (rte_eal_iova_mode() == RTE_IOVA_PA ? "PA" : "VA") << std::endl;
    std::vector<void *> taken;
    for (std::string line; std::getline(std::cin, line) && line != "quit";) {
        std::istringstream words(line);
        std::string command;
        std::string argument;
        words >> command >> argument;
        std::cout << command << " " << answer(command, argument, &taken) << std::endl;
    }
    return rte_eal_cleanup() < 0 ? 1 : 0;
}
