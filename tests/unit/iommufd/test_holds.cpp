// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Holds of the data buffers of pools that are not of mempool ops "iommufd".

#include <utility>

#include <gtest/gtest.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/mman.h>

#include "device_test.hpp"

namespace iommufd::test {
namespace {

using eal::probe_device;
using eal::process_memory;
using eal::remove_device;

constexpr unsigned int count = 100;
constexpr std::uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE;

class HoldsTest : public DeviceTest {
protected:
    HoldsTest() {
        kernel.may_unmap_under_dma = true;
        kernel.memory.back_everything(page_4k); // no two pages are neighbours
        external = static_cast<char *>(
            mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        EXPECT_NE(external, MAP_FAILED);
    }
    ~HoldsTest() override {
        rte_mempool_free(pool);
        munmap(external, length);
    }

    // As testpmd --mp-alloc=anon makes them.
    rte_mempool *anonymous() {
        pool = rte_mempool_create_empty("anonymous", count, sizeof(rte_mbuf) + room, 0,
                                        sizeof(rte_pktmbuf_pool_private), 0, 0);
        EXPECT_NE(pool, nullptr);
        EXPECT_EQ(rte_mempool_set_ops_byname(pool, "ring_mp_mc", nullptr), 0);
        EXPECT_EQ(rte_mempool_populate_anon(pool), static_cast<int>(count));
        rte_pktmbuf_pool_init(pool, nullptr);
        rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
        return pool;
    }
    // With pinned external buffers in memory that EAL does not know.
    rte_mempool *pinned() {
        const rte_pktmbuf_extmem memory = {
            .buf_ptr = external, .buf_iova = 0xDEAD000, .buf_len = length, .elt_size = room};
        pool = rte_pktmbuf_pool_create_extbuf("pinned", count, 0, 0, room, 0, &memory, 1);
        EXPECT_NE(pool, nullptr);
        return pool;
    }
    [[nodiscard]] unsigned int reachable() const {
        unsigned int buffers = 0;
        rte_mempool_obj_iter(
            pool,
            [](rte_mempool *, void *argument, void *object, unsigned) {
                const auto *buffer =
                    static_cast<const char *>(static_cast<rte_mbuf *>(object)->buf_addr);
                *static_cast<unsigned int *>(argument) +=
                    rte_iommufd_virt2dma(buffer) != RTE_BAD_IOVA &&
                    rte_iommufd_virt2dma(buffer + room - 1) != RTE_BAD_IOVA;
            },
            &buffers);
        return buffers;
    }
    void expect_refused(const char *why) {
        const LogCapture log;
        EXPECT_EQ(rte_iommufd_hold_buffers(pool), nullptr);
        EXPECT_EQ(rte_errno, EFAULT);
        EXPECT_TRUE(contains(log.text(), why)) << log.text();
    }

    static constexpr std::size_t length = 1 << 20;
    rte_mempool *pool = nullptr;
    char *external = nullptr;
};

// From the first receive queue on: another port may send out of the pool when that queue has gone.
TEST_F(HoldsTest, AnonymousMemoryIsInReachUntilItsPoolIsFreed) {
    ASSERT_EQ(probe_device(&device), 0);
    anonymous();
    const Census before = kernel.census();
    EXPECT_EQ(reachable(), 0U);
    rte_iommufd_hold *first = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(kernel.census().areas, before.areas + 1);
    EXPECT_EQ(reachable(), count);

    rte_iommufd_hold *second = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(second, nullptr);
    EXPECT_EQ(kernel.census().areas, before.areas + 1) << "one map for all queues";
    rte_iommufd_hold_release(first);
    rte_iommufd_hold_release(second);
    EXPECT_EQ(reachable(), count);
    rte_mempool_free(std::exchange(pool, nullptr));
    EXPECT_EQ(kernel.census(), before);
}

// The application's mistake, and not a device's way to memory of somebody else.
TEST_F(HoldsTest, APoolFreedUnderAQueueStaysPinned) {
    ASSERT_EQ(probe_device(&device), 0);
    anonymous();
    const Census before = kernel.census();
    rte_iommufd_hold *hold = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(hold, nullptr);
    const Census held = kernel.census();
    const void *buffer = STAILQ_FIRST(&pool->mem_list)->addr;
    {
        const LogCapture log;
        rte_mempool_free(std::exchange(pool, nullptr));
        EXPECT_TRUE(
            contains(log.text(), "memory of a pool that is freed: a queue or a pool still uses"));
    }
    EXPECT_EQ(rte_iommufd_virt2dma(buffer), RTE_BAD_IOVA);
    EXPECT_EQ(kernel.census(), held);
    rte_iommufd_hold_release(hold);
    EXPECT_EQ(kernel.census(), before);
}

TEST_F(HoldsTest, WhatTheApplicationHasMappedIsItsToUnmap) {
    ASSERT_EQ(probe_device(&device), 0);
    anonymous();
    const auto *chunk = STAILQ_FIRST(&pool->mem_list);
    const Va start = va_of(chunk->addr);
    const std::uint64_t bytes = RTE_ALIGN_CEIL(chunk->len, page_4k);
    ASSERT_OK(process_memory().map_external(&device, start, bytes));
    const Census before = kernel.census();
    rte_iommufd_hold *hold = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(hold, nullptr);
    EXPECT_EQ(kernel.census(), before);
    EXPECT_EQ(code(process_memory().unmap_external(&device, start, bytes)), EBUSY);
    rte_iommufd_hold_release(hold);
    EXPECT_EQ(reachable(), count);
    EXPECT_OK(process_memory().unmap_external(&device, start, bytes)) << "negative control";
}

// External buffers belong to the application: whether a device may write there is for it to say.
TEST_F(HoldsTest, PinnedBuffersAreTheApplicationsToMap) {
    ASSERT_EQ(probe_device(&device), 0);
    pinned();
    const Census before = kernel.census();
    expect_refused("part of it is not in the address space");
    EXPECT_EQ(kernel.census(), before);

    ASSERT_OK(process_memory().map_external(&device, va_of(external), length));
    rte_iommufd_hold *hold = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(hold, nullptr);
    EXPECT_EQ(code(process_memory().unmap_external(&device, va_of(external), length)), EBUSY);
    rte_iommufd_hold_release(hold);
    EXPECT_OK(process_memory().unmap_external(&device, va_of(external), length));
    EXPECT_EQ(kernel.census(), before);
}

TEST_F(HoldsTest, LastBufferOutOfReach) {
    ASSERT_EQ(probe_device(&device), 0);
    pinned();
    const std::uint64_t bytes = RTE_ALIGN_FLOOR(std::uint64_t{count} * room - 1, page_4k);
    ASSERT_OK(process_memory().map_external(&device, va_of(external), bytes));
    expect_refused("part of it is not in the address space");
    EXPECT_OK(process_memory().unmap_external(&device, va_of(external), bytes))
        << "nothing is held";
}

TEST_F(HoldsTest, MemoryThatIsRegisteredIsTheApplicationsToMap) {
    ASSERT_EQ(probe_device(&device), 0);
    anonymous();
    auto *chunk = STAILQ_FIRST(&pool->mem_list);
    const std::size_t bytes = RTE_ALIGN_CEIL(chunk->len, page_4k);
    ASSERT_EQ(rte_extmem_register(chunk->addr, bytes, nullptr, 0, page_4k), 0);
    const Census before = kernel.census();
    expect_refused("part of it is not in the address space");
    EXPECT_EQ(kernel.census(), before);
    EXPECT_EQ(rte_extmem_unregister(chunk->addr, bytes), 0);
}

TEST_F(HoldsTest, EveryFailureLeavesNothing) {
    ASSERT_EQ(probe_device(&device), 0);
    anonymous();
    const Census before = kernel.census();
    const int calls = for_each_failing_call([&](int n) {
        const LogCapture log;
        kernel.fail_nth(n, injected_errno);
        rte_iommufd_hold *hold = rte_iommufd_hold_buffers(pool);
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        EXPECT_EQ(hold == nullptr, failed);
        if (hold == nullptr) {
            EXPECT_EQ(rte_errno, injected_errno);
        }
        rte_iommufd_hold_release(hold);
        if (failed) {
            EXPECT_EQ(kernel.census(), before);
        }
        return failed;
    });
    EXPECT_GT(calls, 50) << "MAP, and GET_PA of every page";
    rte_mempool_free(std::exchange(pool, nullptr));
    EXPECT_EQ(kernel.census(), before);
}

TEST_F(HoldsTest, TheLastDeviceEndsThem) {
    ASSERT_EQ(probe_device(&device), 0);
    anonymous();
    rte_iommufd_hold *hold = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(hold, nullptr);
    ASSERT_EQ(remove_device(&device, false), 0);
    expect_nothing_left();
    ASSERT_EQ(probe_device(&device), 0);
    EXPECT_EQ(reachable(), 0U) << "the queue is gone";
    rte_iommufd_hold *next = rte_iommufd_hold_buffers(pool);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(reachable(), count);
    rte_iommufd_hold_release(hold);
    EXPECT_EQ(code(process_memory().space().unmap(
                  va_of(STAILQ_FIRST(&pool->mem_list)->addr),
                  RTE_ALIGN_CEIL(STAILQ_FIRST(&pool->mem_list)->len, page_4k))),
              EBUSY)
        << "the old hold is empty";
    rte_iommufd_hold_release(next);
}

} // namespace
} // namespace iommufd::test
