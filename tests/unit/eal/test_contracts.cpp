// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a queue uses cannot be taken away.

#include <gtest/gtest.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/mman.h>

#include "device_test.hpp"

namespace iommufd::test {
namespace {

using eal::memory;
using eal::probe_device;
using eal::remove_device;

class ContractsTest : public DeviceTest {
protected:
    ContractsTest() { kernel.may_unmap_under_dma = true; }

    // A pool in memory that the application has given to the device.
    rte_mempool *make_external_pool() {
        heap = mmap(nullptr, page_2m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(heap, MAP_FAILED);
        EXPECT_OK(memory().map_external(&device, va_of(heap), page_2m));
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
    const auto refused = memory().unmap_external(&device, va_of(heap), page_2m);
    EXPECT_EQ(code(refused), EBUSY);
    EXPECT_TRUE(
        contains(message(refused), "1 queue uses it; stop the port and release its queues"));
    EXPECT_EQ(rte_iommufd_virt2dma(heap), frame_of(heap)) << "nothing has changed";
    rte_iommufd_hold_release(hold);
    EXPECT_OK(memory().unmap_external(&device, va_of(heap), page_2m)) << "negative control";
    const LogCapture log;
    EXPECT_EQ(rte_iommufd_hold_pool(pool), nullptr);
    EXPECT_EQ(rte_errno, EFAULT);
    EXPECT_TRUE(contains(log.text(), "not in the address space"));
    rte_mempool_free(pool);
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
