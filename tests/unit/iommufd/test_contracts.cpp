// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a queue or a pool uses cannot be taken away.

#include <algorithm>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/mman.h>

#include "device_test.hpp"
#include "iommufd/bus_iommufd_driver.h"

namespace iommufd::test {
namespace {

using eal::probe_device;
using eal::process_memory;
using eal::remove_device;

class ContractsTest : public DeviceTest {
protected:
    ContractsTest() { kernel.may_unmap_under_dma = true; }

    // A pool in memory that the application has given to the device.
    rte_mempool *make_external_pool() {
        heap = mmap(nullptr, page_2m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(heap, MAP_FAILED);
        EXPECT_OK(process_memory().map_external(&device, va_of(heap), page_2m));
        rte_mempool *pool = rte_mempool_create_empty("external", 64, 2048, 0, 0, SOCKET_ID_ANY, 0);
        EXPECT_NE(pool, nullptr);
        EXPECT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
        EXPECT_EQ(rte_mempool_populate_iova(pool, static_cast<char *>(heap), RTE_BAD_IOVA, page_2m,
                                            nullptr, nullptr),
                  64);
        return pool;
    }

    ~ContractsTest() override {
        if (heap != nullptr)
            munmap(heap, page_2m);
    }

    void *heap = nullptr;
};

TEST_F(ContractsTest, MemoryOfAPoolInUseIsNotUnmapped) {
    ASSERT_EQ(probe_device(&device), 0);
    rte_mempool *pool = make_external_pool();
    rte_iommufd_hold *hold = rte_iommufd_hold_pool(pool);
    ASSERT_NE(hold, nullptr);
    const auto refused = process_memory().unmap_external(&device, va_of(heap), page_2m);
    EXPECT_EQ(code(refused), EBUSY);
    EXPECT_TRUE(
        contains(message(refused), "1 queue uses it; stop the port and release its queues"));
    EXPECT_EQ(rte_iommufd_virt2dma(heap), frame_of(heap)) << "nothing has changed";
    rte_iommufd_hold_release(hold);
    const auto carried = process_memory().unmap_external(&device, va_of(heap), page_2m);
    EXPECT_EQ(code(carried), EBUSY);
    EXPECT_TRUE(contains(message(carried), "objects of 1 pool carry its addresses; free what"))
        << "any transmit queue may be given them";
    rte_mempool_free(pool);
    EXPECT_OK(process_memory().unmap_external(&device, va_of(heap), page_2m)) << "negative control";
}

TEST_F(ContractsTest, APoolOutOfReachIsNotHeld) {
    ASSERT_EQ(probe_device(&device), 0);
    rte_mempool *pool = make_external_pool();
    kernel.may_unmap_under_dma = true;
    ASSERT_OK(process_memory().space().retire(va_of(heap), page_2m));
    const LogCapture log;
    EXPECT_EQ(rte_iommufd_hold_pool(pool), nullptr);
    EXPECT_EQ(rte_errno, EFAULT);
    EXPECT_TRUE(contains(log.text(), "not in the address space"));
    EXPECT_EQ(rte_iommufd_hold_memory(heap, page_2m), nullptr);
    EXPECT_EQ(rte_errno, EFAULT);
    rte_mempool_free(pool);
}

// Holds end with the last device; the pool takes new ones when another comes.
TEST_F(ContractsTest, APoolHoldsItsMemoryAgain) {
    ASSERT_EQ(probe_device(&device), 0);
    rte_mempool *pool = make_external_pool();
    ASSERT_EQ(remove_device(&device, false), 0);
    ASSERT_EQ(probe_device(&second), 0);
    const LogCapture log;
    ASSERT_OK(process_memory().map_external(&second, va_of(heap), page_2m))
        << "too late for the pool";
    EXPECT_NE(pool->flags & RTE_MEMPOOL_F_NON_IO, 0U);
    EXPECT_OK(process_memory().unmap_external(&second, va_of(heap), page_2m));
    rte_mempool_free(pool);

    ASSERT_EQ(rte_iommufd_dma_map(heap, page_2m), 0); // of the process: mapped again with devices
    pool = rte_mempool_create_empty("process", 64, 2048, 0, 0, SOCKET_ID_ANY, 0);
    ASSERT_NE(pool, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
    ASSERT_EQ(rte_mempool_populate_iova(pool, static_cast<char *>(heap), RTE_BAD_IOVA, page_2m,
                                        nullptr, nullptr),
              64);
    const auto pools_of_heap = [this] {
        for (const auto &area : process_memory().space().list())
            if (area.va == va_of(heap))
                return area.pools;
        return 0U;
    };
    EXPECT_EQ(pools_of_heap(), 1U);
    ASSERT_EQ(remove_device(&second, false), 0);
    ASSERT_EQ(probe_device(&device), 0);
    EXPECT_EQ(pools_of_heap(), 1U);
    rte_mempool_free(pool);
    EXPECT_EQ(pools_of_heap(), 0U);
    EXPECT_EQ(rte_iommufd_dma_unmap(heap, page_2m), 0);
}

// A driver's transmit queue, with packets at the addresses the test gives it.
struct TestQueue : rte_iommufd_in_flight {
    TestQueue() : rte_iommufd_in_flight{} {
        capacity = 4;
        EXPECT_EQ(rte_iommufd_in_flight_register(this, ranges), 0);
    }
    ~TestQueue() { rte_iommufd_in_flight_unregister(this); }
    TestQueue(const TestQueue &) = delete;
    TestQueue &operator=(const TestQueue &) = delete;

    static unsigned int ranges(const rte_iommufd_in_flight *queue, rte_iommufd_dma_range *all) {
        const auto &packets = static_cast<const TestQueue *>(queue)->packets;
        std::copy(packets.begin(), packets.end(), all);
        return static_cast<unsigned int>(packets.size());
    }

    std::vector<rte_iommufd_dma_range> packets;
};

TEST_F(ContractsTest, MemoryWithAPacketInFlightIsNotUnmapped) {
    ASSERT_EQ(probe_device(&device), 0);
    ASSERT_OK(process_memory().map_external(&device, base, page_2m));
    TestQueue queue;
    const rte_iova_t dma = rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(base)));
    queue.packets = {{dma + 4096, 60}};
    EXPECT_EQ(code(process_memory().unmap_external(&device, base, page_2m)), EBUSY);
    EXPECT_EQ(rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(base))), dma);
    queue.packets.clear();
    EXPECT_OK(process_memory().unmap_external(&device, base, page_2m)) << "negative control";
}

TEST_F(ContractsTest, ALookupThatIsUnderWayIsWaitedFor) {
    ASSERT_EQ(probe_device(&device), 0);
    ASSERT_OK(process_memory().map_external(&device, base, page_2m));
    TestQueue queue;
    rte_iommufd_lookup_begin(&queue);
    EXPECT_EQ(code(process_memory().unmap_external(&device, base, page_2m)), EBUSY) << "in vain";
    std::thread sender([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        rte_iommufd_lookup_end(&queue);
    });
    EXPECT_OK(process_memory().unmap_external(&device, base, page_2m));
    EXPECT_EQ(queue.lookups, 2U) << "not before it had ended";
    sender.join();
}

TEST_F(ContractsTest, ADeviceThatGoesTakesNoMemoryFromUnderAnother) {
    ASSERT_EQ(probe_device(&device), 0);
    ASSERT_EQ(probe_device(&second), 0);
    const Census before = kernel.census();
    ASSERT_OK(process_memory().map_external(&device, base, page_2m));
    auto queue = std::make_unique<TestQueue>(); // of the second
    queue->packets = {{rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(base))), 60}};
    {
        const LogCapture log;
        ASSERT_EQ(remove_device(&device, false), 0);
        EXPECT_TRUE(contains(log.text(), "a queue or a pool still uses 0x200000 bytes"))
            << log.text();
    }
    EXPECT_EQ(rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(base))), RTE_BAD_IOVA);
    EXPECT_EQ(kernel.census().pinned, before.pinned + page_2m);
    queue.reset();
    EXPECT_EQ(kernel.census().pinned, before.pinned);
}

// Their addresses are in its objects, which stay: whoever sends them asks nobody.
TEST_F(ContractsTest, ADeviceThatGoesTakesNoMemoryFromUnderAPool) {
    ASSERT_EQ(probe_device(&device), 0);
    ASSERT_EQ(probe_device(&second), 0);
    const Census before = kernel.census();
    rte_mempool *pool = make_external_pool();
    {
        const LogCapture log;
        ASSERT_EQ(remove_device(&device, false), 0);
        EXPECT_TRUE(contains(log.text(), "a queue or a pool still uses 0x200000 bytes"));
    }
    EXPECT_EQ(rte_iommufd_virt2dma(heap), RTE_BAD_IOVA) << "for new users";
    EXPECT_EQ(kernel.census().pinned, before.pinned + page_2m);
    rte_mempool_free(pool);
    EXPECT_EQ(kernel.census().pinned, before.pinned);
}

TEST_F(ContractsTest, MemoryOfAPoolGoesThoughADeviceHasItToo) {
    ASSERT_EQ(probe_device(&device), 0);
    const Census before = kernel.census();
    heap = mmap(nullptr, page_2m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(heap, MAP_FAILED);
    ASSERT_EQ(rte_iommufd_dma_map(heap, page_2m), 0);
    ASSERT_OK(process_memory().map_external(&device, va_of(heap), page_2m));
    EXPECT_EQ(rte_iommufd_dma_unmap(heap, page_2m), 0);
    EXPECT_EQ(rte_iommufd_virt2dma(heap), RTE_BAD_IOVA) << "what comes there next is another's";
    EXPECT_EQ(kernel.census(), before);
    EXPECT_EQ(code(process_memory().unmap_external(&device, va_of(heap), page_2m)), ENOENT);
}

// A chunk that rte_mempool.c has given back when another one could not be had.
TEST_F(ContractsTest, AFailedAttemptHoldsNothing) {
    ASSERT_EQ(probe_device(&device), 0);
    heap = mmap(nullptr, page_2m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(heap, MAP_FAILED);
    ASSERT_OK(process_memory().map_external(&device, va_of(heap), page_2m));
    rte_mempool *pool = rte_mempool_create_empty("twice", 255, 2048, 0, 0, SOCKET_ID_ANY, 0);
    ASSERT_NE(pool, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
    ASSERT_GT(rte_mempool_populate_iova(pool, static_cast<char *>(heap), RTE_BAD_IOVA, page_2m / 8,
                                        nullptr, nullptr),
              0);
    EXPECT_EQ(code(process_memory().unmap_external(&device, va_of(heap), page_2m)), EBUSY);
    // As rte_mempool_free_memchunks() leaves it.
    rte_mempool_memhdr *chunk = STAILQ_FIRST(&pool->mem_list);
    STAILQ_REMOVE_HEAD(&pool->mem_list, next);
    rte_free(chunk);
    void *object = nullptr;
    while (!STAILQ_EMPTY(&pool->elt_list)) {
        (void)rte_mempool_ops_dequeue_bulk(pool, &object, 1);
        STAILQ_REMOVE_HEAD(&pool->elt_list, next);
    }
    pool->populated_size = 0;
    pool->nb_mem_chunks = 0;
    ASSERT_EQ(rte_mempool_populate_default(pool), 255);
    EXPECT_OK(process_memory().unmap_external(&device, va_of(heap), page_2m));
    rte_mempool_free(pool);
}

TEST_F(ContractsTest, MemoryThatEalFreesStaysPinnedForAPacketInFlight) {
    heap = mmap(nullptr, page_2m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(heap, MAP_FAILED);
    ASSERT_EQ(rte_malloc_heap_create("heap"), 0);
    ASSERT_EQ(rte_malloc_heap_memory_add("heap", heap, page_2m, nullptr, 0, page_4k), 0);
    ASSERT_EQ(probe_device(&device), 0);
    const Census before = kernel.census();
    auto queue = std::make_unique<TestQueue>();
    queue->packets = {{rte_iommufd_virt2dma(heap), 60}};
    {
        const LogCapture log;
        process_memory().freed(va_of(heap), page_2m); // EAL has no events here (--no-huge)
        EXPECT_TRUE(contains(log.text(), "memory that EAL frees: a queue or a pool still uses"))
            << log.text();
    }
    EXPECT_EQ(rte_iommufd_virt2dma(heap), RTE_BAD_IOVA);
    EXPECT_EQ(kernel.census(), before);
    queue.reset();
    EXPECT_EQ(kernel.census().pinned, before.pinned - page_2m);
    EXPECT_EQ(rte_malloc_heap_memory_remove("heap", heap, page_2m), 0);
    EXPECT_EQ(rte_malloc_heap_destroy("heap"), 0);
}

TEST_F(ContractsTest, AHoldEndsWithTheLastDevice) {
    ASSERT_EQ(probe_device(&device), 0);
    rte_mempool *pool = make_external_pool();
    rte_iommufd_hold *hold = rte_iommufd_hold_pool(pool);
    ASSERT_NE(hold, nullptr);
    ASSERT_EQ(remove_device(&device, false), 0);
    expect_nothing_left();
    rte_iommufd_hold_release(hold);
    rte_iommufd_hold_release(nullptr);
    rte_mempool_free(pool);
}

} // namespace
} // namespace iommufd::test
