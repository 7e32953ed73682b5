// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Memory beyond EAL's own: rte_dev_dma_map(), external heaps; and what the public functions say
// of memory.

#include <gtest/gtest.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_memzone.h>
#include <sys/mman.h>

#include "device_test.hpp"

namespace iommufd::test {
namespace {

using eal::probe_device;
using eal::process_memory;
using eal::remove_device;

constexpr std::uint64_t length = page_2m;

class MemoryTest : public DeviceTest {
protected:
    MemoryTest() {
        EXPECT_EQ(probe_device(&device), 0);
        EXPECT_EQ(probe_device(&second), 0);
        before = kernel.census();
        kernel.may_unmap_under_dma = true; // an application unmaps what it has stopped using
    }
    Census before;
    const Va va = base;
};

TEST_F(MemoryTest, ExternalMemoryIsMappedAndUnmapped) {
    ASSERT_OK(process_memory().map_external(&device, va, length));
    EXPECT_EQ(rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(va) + 5)),
              *kernel.memory.pa(raw(va)) + 5);
    EXPECT_EQ(kernel.census().pinned, before.pinned + length);
    ASSERT_OK(process_memory().unmap_external(&device, va, length));
    EXPECT_EQ(kernel.census(), before);
    EXPECT_EQ(rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(va))), RTE_BAD_IOVA);
}

TEST_F(MemoryTest, EachDeviceHasItsReference) {
    ASSERT_OK(process_memory().map_external(&device, va, length));
    ASSERT_OK(process_memory().map_external(&second, va, length));
    EXPECT_EQ(kernel.census().areas, before.areas + 1);
    const auto twice = process_memory().map_external(&device, va, length);
    EXPECT_EQ(code(twice), EEXIST);
    EXPECT_TRUE(contains(message(twice), "the device has this range already"));
    ASSERT_OK(process_memory().unmap_external(&device, va, length));
    EXPECT_EQ(kernel.census().areas, before.areas + 1) << "the other device still uses it";
    EXPECT_EQ(code(process_memory().unmap_external(&device, va, length)), ENOENT);
    ASSERT_OK(process_memory().unmap_external(&second, va, length));
    EXPECT_EQ(kernel.census(), before);
}

TEST_F(MemoryTest, WrongRangesAreRefused) {
    ASSERT_OK(process_memory().map_external(&device, va, length));
    EXPECT_EQ(code(process_memory().map_external(&device, va, length / 2)), EEXIST);
    EXPECT_EQ(code(process_memory().map_external(&second, va + page_4k, length)), EEXIST);
    EXPECT_EQ(code(process_memory().map_external(&device, va_of(eal_memory()), page_4k)), EEXIST);
    EXPECT_EQ(code(process_memory().map_external(&device, va + length + 1, length)), EINVAL);
    for (const auto &refused :
         {process_memory().unmap_external(&device, va, length / 2),
          process_memory().unmap_external(&device, va + page_4k, length - page_4k),
          process_memory().unmap_external(&second, va, length),
          process_memory().unmap_external(&device, va_of(eal_memory()), page_4k)}) {
        EXPECT_EQ(code(refused), ENOENT);
        EXPECT_TRUE(contains(message(refused), "unmapped as it was mapped"));
    }
    ASSERT_OK(process_memory().unmap_external(&device, va, length));
}

TEST_F(MemoryTest, AFailedUnmapKeepsTheReference) {
    ASSERT_OK(process_memory().map_external(&device, va, length));
    kernel.fail_nth(1, injected_errno);
    EXPECT_EQ(code(process_memory().unmap_external(&device, va, length)), injected_errno);
    EXPECT_EQ(rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(va))), *kernel.memory.pa(raw(va)));
    EXPECT_OK(process_memory().unmap_external(&device, va, length));
    kernel.fail_nth(1, injected_errno);
    EXPECT_EQ(code(process_memory().map_external(&device, va, length)), injected_errno);
    EXPECT_EQ(kernel.census(), before);
    EXPECT_OK(process_memory().map_external(&device, va, length));
}

TEST_F(MemoryTest, ADeviceTakesItsReferencesWithIt) {
    ASSERT_OK(process_memory().map_external(&device, va, length));
    ASSERT_OK(process_memory().map_external(&device, va + length, length));
    ASSERT_OK(process_memory().map_external(&second, va + length, length));
    ASSERT_EQ(remove_device(&device, false), 0);
    EXPECT_EQ(kernel.census().areas, before.areas + 1);
    EXPECT_EQ(rte_iommufd_virt2dma(reinterpret_cast<void *>(raw(va))), RTE_BAD_IOVA);
    ASSERT_EQ(remove_device(&second, false), 0);
    expect_nothing_left();
}

TEST_F(MemoryTest, ContiguityIsCountedInBytes) {
    kernel.memory.back_scattered(va, 4 * page_4k, page_4k);
    kernel.memory.back(va + page_4k, page_4k, *kernel.memory.pa(raw(va)) + page_4k);
    ASSERT_OK(process_memory().map_external(&device, va, 4 * page_4k));
    const auto *p = reinterpret_cast<const char *>(raw(va));
    EXPECT_EQ(rte_iommufd_dma_contiguous(p, 0), 0U);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p, 1), 1U);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p, SIZE_MAX), 2 * page_4k);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p + 100, 2 * page_4k), 2 * page_4k - 100);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p + 100, page_4k), page_4k);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p + 2 * page_4k, 2 * page_4k), page_4k);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p + 3 * page_4k, 2 * page_4k), page_4k)
        << "the end of what is mapped";
    EXPECT_EQ(rte_iommufd_dma_contiguous(p + 4 * page_4k, 1), 0U);
    EXPECT_EQ(rte_iommufd_dma_contiguous(p - 1, 2), 0U);
}

TEST_F(MemoryTest, RingMemoryIsContiguousOrRefused) {
    rte_iova_t dma = 7;
    const rte_memzone *zone = rte_iommufd_dma_zone_reserve("ring", page_4k, 128, 0, &dma);
    ASSERT_NE(zone, nullptr);
    EXPECT_EQ(dma, frame_of(zone->addr));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(zone->addr) % 128, 0U);
    for (std::size_t i = 0; i < page_4k; ++i)
        ASSERT_EQ(static_cast<const char *>(zone->addr)[i], 0);
    rte_iova_t other = 7;
    EXPECT_EQ(rte_iommufd_dma_zone_reserve("ring", page_4k, 128, 0, &other), nullptr);
    EXPECT_EQ(rte_errno, EEXIST);
    EXPECT_EQ(other, 7U);
    EXPECT_EQ(rte_memzone_free(zone), 0);
    EXPECT_EQ(remove_device(&device, false), 0);
    EXPECT_EQ(remove_device(&second, false), 0);
    const LogCapture log;
    EXPECT_EQ(rte_iommufd_dma_zone_reserve("ring", page_4k, 128, 0, &other), nullptr);
    EXPECT_EQ(rte_errno, EFAULT);
    EXPECT_EQ(other, 7U);
    EXPECT_TRUE(contains(log.text(), "the memory is not in the address space"));
    EXPECT_EQ(rte_memzone_lookup("ring"), nullptr);
}

TEST_F(DeviceTest, RingMemoryThatIsInPiecesIsRefused) {
    kernel.memory.back_everything(page_4k);
    ASSERT_EQ(probe_device(&device), 0);
    rte_iova_t dma = 7;
    const LogCapture log;
    EXPECT_EQ(rte_iommufd_dma_zone_reserve("ring", 2 * page_4k, 128, 0, &dma), nullptr);
    EXPECT_EQ(rte_errno, E2BIG);
    EXPECT_EQ(dma, 7U);
    EXPECT_TRUE(contains(log.text(), "memzone ring: 8192 bytes are not contiguous for a device: no "
                                     "page is large enough; use hugepages"));
    EXPECT_EQ(rte_memzone_lookup("ring"), nullptr) << "given back";
}

TEST_F(DeviceTest, ExternalHeapsAreMappedAndRegisteredMemoryIsNot) {
    void *heap =
        mmap(nullptr, 2 * length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(heap, MAP_FAILED);
    char *foreign = static_cast<char *>(heap) + length;
    ASSERT_EQ(rte_malloc_heap_create("external"), 0);
    ASSERT_EQ(rte_malloc_heap_memory_add("external", heap, length, nullptr, 0, page_4k), 0);
    ASSERT_EQ(rte_extmem_register(foreign, length, nullptr, 0, page_4k), 0);

    // The message counts what is still to come.
    kernel.memlock = 8 << 20;
    {
        const LogCapture log;
        EXPECT_EQ(probe_device(&device), -ENOMEM);
        EXPECT_TRUE(contains(log.text(), "8 MiB where 18 MiB are needed"));
    }
    kernel.memlock = UINT64_MAX;
    ASSERT_EQ(probe_device(&device), 0);
    for (std::uint64_t at = 0; at < length; at += page_4k)
        EXPECT_EQ(rte_iommufd_virt2dma(static_cast<char *>(heap) + at),
                  frame_of(static_cast<char *>(heap) + at));
    EXPECT_EQ(rte_iommufd_virt2dma(foreign), RTE_BAD_IOVA);

    // As its memory events: gone, and back.
    kernel.may_unmap_under_dma = true;
    process_memory().freed(va_of(heap), length);
    EXPECT_EQ(rte_iommufd_virt2dma(heap), RTE_BAD_IOVA);
    process_memory().added(va_of(heap), length);
    EXPECT_EQ(rte_iommufd_virt2dma(heap), frame_of(heap));
    const Census before = kernel.census();
    process_memory().added(va_of(&kernel), page_4k); // nothing EAL knows
    EXPECT_EQ(kernel.census(), before);
    // What cannot be mapped is out of reach, and said to be.
    process_memory().freed(va_of(heap), length);
    kernel.fail_nth(1, ENOMEM);
    {
        const LogCapture log;
        process_memory().added(va_of(heap), length);
        EXPECT_TRUE(contains(log.text(), "memory that EAL added is out of reach for devices: "
                                         "IOMMU_IOAS_MAP of 0x200000 bytes"));
        EXPECT_EQ(rte_iommufd_virt2dma(heap), RTE_BAD_IOVA);
    }

    EXPECT_EQ(remove_device(&device, false), 0);
    EXPECT_EQ(rte_extmem_unregister(foreign, length), 0);
    EXPECT_EQ(rte_malloc_heap_memory_remove("external", heap, length), 0);
    EXPECT_EQ(rte_malloc_heap_destroy("external"), 0);
    EXPECT_EQ(munmap(heap, 2 * length), 0);
}

} // namespace
} // namespace iommufd::test
