// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A DPDK application that says where its memory is for a device, for the lab tests to compare
// with what root sees from outside. It brings a driver of its own that takes the 82576 and does
// nothing with it, so it needs the bus alone.
//
//     dma_addresses <EAL arguments>
//
// It reads commands, one per line, and ends each answer with "done" or "failed: <why>":
//
//     memory          "run <va> <length> <dma>" for all memory of EAL, contiguous runs
//     pool <n> <room> a pool of n mbufs of EAL's default ops, with room bytes of data each;
//                     "mbuf <va> <dma of its data>"
//     free            give the pool back
//     grow <bytes>    take memory from EAL;       "at <va>"
//     shrink          give the last of it back
//     anon <bytes>    4 KiB pages that no device knows, locked in memory; "at <va>"
//     hugepages <n>   the same of n hugepages
//     give <va> <bytes>   gives them to the devices by rte_dev_dma_map(); then as "memory"
//     lookup <va>     "dma <dma>"; ffffffffffffffff if it has none
//     quit

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <sys/mman.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include <bus_iommufd_driver.h>

namespace {

constexpr std::size_t step = 4096; // bytes; the smallest page

std::vector<rte_device *> devices;

int probe_device(rte_iommufd_driver * /*driver*/, rte_iommufd_device *dev) {
    devices.push_back(&dev->device);
    return 0;
}

int remove_device(rte_iommufd_device * /*dev*/) {
    return 0;
}

const rte_pci_id ids[] = {
    {
        .class_id = RTE_CLASS_ANY_ID,
        .vendor_id = 0x8086,
        .device_id = 0x10c9,
        .subsystem_vendor_id = RTE_PCI_ANY_ID,
        .subsystem_device_id = RTE_PCI_ANY_ID,
    },
    {},
};

constinit rte_iommufd_driver driver = {
    .next = {},
    .driver = {.next = {}, .name = "lab_dma_addresses", .alias = nullptr},
    .probe = probe_device,
    .remove = remove_device,
    .id_table = ids,
    .valid_devargs = nullptr,
};

// Print [start, start + length) as runs that are contiguous for a device, or without a DMA
// address throughout, told by nothing but rte_iommufd_virt2dma().
void print_runs(const void *start, std::size_t length) {
    const auto *at = static_cast<const char *>(start);
    const char *const end = at + length;
    while (at < end) {
        const rte_iova_t dma = rte_iommufd_virt2dma(at);
        const char *next = at + step;
        while (next < end &&
               rte_iommufd_virt2dma(next) ==
                   (dma == RTE_BAD_IOVA ? dma : dma + static_cast<rte_iova_t>(next - at)))
            next += step;
        std::printf("run %" PRIxPTR " %zx %" PRIx64 "\n", reinterpret_cast<std::uintptr_t>(at),
                    static_cast<std::size_t>(next - at), dma);
        at = next;
    }
}

int print_segment(const rte_memseg_list * /*msl*/, const rte_memseg *ms, void * /*arg*/) {
    print_runs(ms->addr, ms->len);
    return 0;
}

void print_mbuf(rte_mempool * /*mp*/, void * /*arg*/, void *object, unsigned int /*index*/) {
    const auto *mbuf = static_cast<const rte_mbuf *>(object);
    std::printf("mbuf %" PRIxPTR " %" PRIx64 "\n", reinterpret_cast<std::uintptr_t>(mbuf->buf_addr),
                mbuf->buf_iova);
}

void *map_anonymous(std::size_t length, int flags) {
    void *const memory = mmap(nullptr, length, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | flags, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

class Session {
public:
    // Empty if the command was carried out, else why not.
    std::string run(const std::string &command, std::uint64_t number, std::uint64_t second) {
        if (command == "memory")
            return rte_memseg_walk(print_segment, nullptr) == 0 ? "" : "rte_memseg_walk";
        if (command == "pool")
            return make_pool(static_cast<unsigned int>(number), static_cast<std::uint16_t>(second));
        if (command == "free") {
            rte_mempool_free(pool_);
            pool_ = nullptr;
            return "";
        }
        if (command == "grow")
            return grow(number);
        if (command == "shrink") {
            rte_free(grown_.back());
            grown_.pop_back();
            return "";
        }
        if (command == "anon")
            return take(number, 0);
        if (command == "hugepages")
            return take(number << 21, MAP_HUGETLB);
        if (command == "give")
            return give_to_devices(reinterpret_cast<void *>(number), second);
        if (command == "lookup") {
            std::printf("dma %" PRIx64 "\n",
                        rte_iommufd_virt2dma(reinterpret_cast<const void *>(number)));
            return "";
        }
        return "no such command";
    }

private:
    std::string make_pool(unsigned int count, std::uint16_t room) {
        const auto size = static_cast<std::uint16_t>(room + RTE_PKTMBUF_HEADROOM);
        pool_ = rte_pktmbuf_pool_create("lab", count, 0, 0, size, SOCKET_ID_ANY);
        if (pool_ == nullptr)
            return rte_strerror(rte_errno);
        std::printf("ops %s\n", rte_mempool_get_ops(pool_->ops_index)->name);
        rte_mempool_obj_iter(pool_, print_mbuf, nullptr);
        return "";
    }

    std::string grow(std::size_t bytes) {
        void *const memory = rte_malloc("lab", bytes, 0);
        if (memory == nullptr)
            return "rte_malloc";
        grown_.push_back(memory);
        print_at(memory);
        return "";
    }

    static std::string take(std::size_t bytes, int flags) {
        void *const memory = map_anonymous(bytes, flags);
        if (memory == nullptr || mlock(memory, bytes) < 0)
            return std::strerror(errno);
        print_at(memory);
        return "";
    }

    static std::string give_to_devices(void *memory, std::size_t bytes) {
        if (rte_extmem_register(memory, bytes, nullptr, 0, step) < 0)
            return std::string("rte_extmem_register: ") + rte_strerror(rte_errno);
        for (rte_device *device : devices)
            if (rte_dev_dma_map(device, memory, 0, bytes) < 0)
                return std::string("rte_dev_dma_map: ") + rte_strerror(rte_errno);
        print_runs(memory, bytes);
        return "";
    }

    static void print_at(const void *memory) {
        std::printf("at %" PRIxPTR "\n", reinterpret_cast<std::uintptr_t>(memory));
    }

    rte_mempool *pool_ = nullptr;
    std::vector<void *> grown_;
};

} // namespace

int main(int argc, char **argv) {
    rte_iommufd_register(&driver);
    if (rte_eal_init(argc, argv) < 0) {
        std::printf("failed: rte_eal_init: %s\n", rte_strerror(rte_errno));
        return 1;
    }
    std::printf("%zu devices\ndone\n", devices.size());
    std::fflush(stdout);

    Session session;
    std::string line;
    while (std::getline(std::cin, line) && line != "quit") {
        std::istringstream words(line);
        std::string command;
        std::uint64_t number = 0;
        std::uint64_t second = 0;
        words >> command >> std::setbase(0) >> number >> second;
        const std::string why = session.run(command, number, second);
        if (why.empty())
            std::printf("done\n");
        else
            std::printf("failed: %s\n", why.c_str());
        std::fflush(stdout);
    }
    return rte_eal_cleanup() == 0 ? 0 : 1;
}
