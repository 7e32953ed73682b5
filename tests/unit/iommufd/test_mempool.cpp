// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Mempool ops "iommufd" on the model: what each object is told of its address.

#include <utility>

#include <gtest/gtest.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "device_test.hpp"

namespace iommufd::test {
namespace {

constexpr unsigned int count = 255;

class MempoolTest : public DeviceTest {
protected:
    MempoolTest() { kernel.memory.back_everything(page_4k); } // no two pages are neighbours
    ~MempoolTest() override { rte_mempool_free(pool); }

    rte_mempool *mbufs(std::uint16_t room, const char *ops = "iommufd") {
        return pool = rte_pktmbuf_pool_create_by_ops("mbufs", count, 32, 0, room, 0, ops);
    }
    // Without memory yet.
    rte_mempool *empty(unsigned int size) {
        pool = rte_mempool_create_empty("pool", count, size, 0, 0, 0, 0);
        if (pool != nullptr) {
            EXPECT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
        }
        return pool;
    }
    void expect_addresses() const {
        unsigned int right = 0;
        rte_mempool_obj_iter(
            pool,
            [](rte_mempool *mp, void *argument, void *object, unsigned) {
                const rte_iova_t dma = rte_mempool_virt2iova(object);
                *static_cast<unsigned int *>(argument) +=
                    dma != RTE_BAD_IOVA && dma == rte_iommufd_virt2dma(object) &&
                    rte_iommufd_dma_contiguous(object, mp->elt_size) == mp->elt_size;
            },
            &right);
        EXPECT_EQ(right, count);
    }
    rte_mempool *pool = nullptr;
};

TEST_F(MempoolTest, EveryMbufHasTheAddressOfItsOwnPage) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    ASSERT_NE(mbufs(RTE_MBUF_DEFAULT_BUF_SIZE), nullptr) << rte_strerror(rte_errno);
    unsigned int right = 0;
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool *mp, void *argument, void *object, unsigned) {
            const auto *m = static_cast<const rte_mbuf *>(object);
            const auto *buffer = static_cast<const char *>(m->buf_addr);
            const rte_iova_t frame = rte_iommufd_virt2dma(buffer);
            EXPECT_NE(frame, RTE_BAD_IOVA);
            EXPECT_EQ(m->buf_iova, frame);
            EXPECT_EQ(rte_mempool_virt2iova(object), rte_iommufd_virt2dma(object));
            EXPECT_EQ(rte_iommufd_virt2dma(buffer + m->buf_len - 1), frame + m->buf_len - 1)
                << "one piece";
            *static_cast<unsigned int *>(argument) += m->pool == mp;
        },
        &right);
    EXPECT_EQ(right, count);
}

// The stock handler gives virtual addresses here: what the test above would find without us.
TEST_F(MempoolTest, NegativeControl) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    ASSERT_NE(mbufs(RTE_MBUF_DEFAULT_BUF_SIZE, "ring_mp_mc"), nullptr);
    const rte_mbuf *m = rte_pktmbuf_alloc(pool);
    ASSERT_NE(m, nullptr);
    EXPECT_NE(m->buf_iova, rte_iommufd_virt2dma(m->buf_addr));
    rte_pktmbuf_free(const_cast<rte_mbuf *>(m));
}

TEST_F(MempoolTest, HoldsWhatItWasGiven) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    ASSERT_NE(mbufs(RTE_MBUF_DEFAULT_BUF_SIZE), nullptr);
    rte_mbuf *taken[count];
    EXPECT_EQ(rte_mempool_avail_count(pool), count);
    ASSERT_EQ(rte_pktmbuf_alloc_bulk(pool, taken, count), 0);
    EXPECT_EQ(rte_mempool_avail_count(pool), 0U);
    EXPECT_EQ(rte_pktmbuf_alloc(pool), nullptr);
    rte_pktmbuf_free_bulk(taken, count);
    EXPECT_EQ(rte_mempool_avail_count(pool), count);
}

TEST_F(MempoolTest, NeedsADeviceFirst) {
    const LogCapture log;
    EXPECT_EQ(mbufs(RTE_MBUF_DEFAULT_BUF_SIZE), nullptr);
    EXPECT_NE(rte_errno, 0);
    EXPECT_TRUE(contains(log.text(), "mempool iommufd: pool mbufs: memory at 0x"));
    EXPECT_TRUE(contains(log.text(), "is not in the address space: give a device to the bus first "
                                     "(-a iommufd:<BDF> --no-pci)"));
    EXPECT_EQ(rte_mempool_lookup("mbufs"), nullptr);
}

TEST_F(MempoolTest, RefusesObjectsThatWouldBeInPieces) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    const LogCapture log;
    EXPECT_EQ(mbufs(9000), nullptr); // more than a page
    EXPECT_TRUE(contains(log.text(), "no object of 9128 bytes would be contiguous for a device"));
    EXPECT_EQ(rte_mempool_lookup("mbufs"), nullptr);
}

TEST_F(MempoolTest, TakesLargeObjectsWhereTheMemoryIsOnePiece) {
    kernel.memory.back_everything(page_1g);
    ASSERT_EQ(eal::probe_device(&device), 0);
    const LogCapture log;
    ASSERT_NE(mbufs(9000), nullptr) << log.text();
    const rte_mbuf *m = rte_pktmbuf_alloc(pool);
    ASSERT_NE(m, nullptr);
    EXPECT_EQ(m->buf_iova, rte_iommufd_virt2dma(m->buf_addr));
    rte_pktmbuf_free(const_cast<rte_mbuf *>(m));
}

// rte_mempool.c calls a pool fit for devices only if it is told an IOVA (RTE_MEMPOOL_F_NON_IO): our
// ops know better. Arenas and external memory come without.
TEST_F(MempoolTest, MemoryWithoutAnIovaIsForDevices) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    void *memory = rte_malloc("memory", 1 << 20, page_4k);
    ASSERT_NE(memory, nullptr);
    ASSERT_NE(empty(2048), nullptr);
    EXPECT_NE(pool->flags & RTE_MEMPOOL_F_NON_IO, 0U);
    ASSERT_EQ(rte_mempool_populate_iova(pool, static_cast<char *>(memory), RTE_BAD_IOVA, 1 << 20,
                                        nullptr, nullptr),
              static_cast<int>(count));
    EXPECT_EQ(pool->flags & RTE_MEMPOOL_F_NON_IO, 0U);
    expect_addresses();
    rte_mempool_free(std::exchange(pool, nullptr));
    rte_free(memory);
}

// Memory that EAL does not know is the pool's to map and to unmap.
TEST_F(MempoolTest, AnonymousMemoryIsMappedAsLongAsThePoolLives) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    kernel.may_unmap_under_dma = true;
    const Census before = kernel.census();
    ASSERT_NE(empty(2048), nullptr);
    ASSERT_EQ(rte_mempool_populate_anon(pool), static_cast<int>(count));
    EXPECT_EQ(kernel.census().areas, before.areas + 1);
    expect_addresses();
    rte_mempool_free(std::exchange(pool, nullptr));
    EXPECT_EQ(kernel.census(), before);
}

// rte_mempool_free() gives memory back to the system before our ops hear of it. What is mapped
// at the same place meanwhile has other pages behind it.
TEST_F(MempoolTest, MemoryAtThePlaceOfAFreedChunkIsNotTakenForIt) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    kernel.may_unmap_under_dma = true;
    ASSERT_NE(empty(2048), nullptr);
    ASSERT_EQ(rte_mempool_populate_anon(pool), static_cast<int>(count));
    rte_mempool *dying = std::exchange(pool, nullptr);
    const auto chunks = dying->mem_list;
    void *place = STAILQ_FIRST(&chunks)->addr;
    const std::size_t length = STAILQ_FIRST(&chunks)->len;

    STAILQ_INIT(&dying->mem_list); // as rte_mempool_free() has it when the memory has gone
    const long maps = kernel.count("IOMMU_IOAS_MAP");
    pool = rte_mempool_create_empty("next", count, 2048, 0, 0, 0, 0);
    ASSERT_NE(pool, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
    ASSERT_EQ(rte_mempool_populate_virt(pool, static_cast<char *>(place), length, page_4k, nullptr,
                                        nullptr),
              static_cast<int>(count));
    EXPECT_EQ(kernel.count("IOMMU_IOAS_MAP"), maps + 1);
    expect_addresses();

    rte_mempool_free(std::exchange(pool, nullptr));
    dying->mem_list = chunks;
    rte_mempool_free(dying);
}

TEST_F(MempoolTest, AnonymousMemoryThatIsOfNoUseIsGivenBack) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    kernel.may_unmap_under_dma = true;
    const Census before = kernel.census();
    ASSERT_NE(empty(5000), nullptr); // more than a page
    {
        const LogCapture log;
        EXPECT_LE(rte_mempool_populate_anon(pool), 0);
    }
    // EAL has unmapped it by now: who gets these addresses next must not find the old frames.
    EXPECT_EQ(kernel.census(), before);
}

TEST_F(MempoolTest, EveryFailureOfAnonymousMemory) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    kernel.may_unmap_under_dma = true;
    const Census before = kernel.census();
    const int calls = for_each_failing_call([&](int n) {
        const LogCapture log;
        EXPECT_NE(empty(2048), nullptr);
        kernel.fail_nth(n, injected_errno);
        const int objects = rte_mempool_populate_anon(pool);
        const bool failed = kernel.has_failed();
        kernel.fail_nth(0, 0);
        EXPECT_EQ(objects > 0, !failed);
        rte_mempool_free(std::exchange(pool, nullptr));
        EXPECT_EQ(kernel.census(), before);
        return failed;
    });
    EXPECT_GT(calls, 100) << "MAP, and GET_PA of every page";
}

// Pins end with the last device; the next one may find other frames.
TEST_F(MempoolTest, AddressesAreRenewedWhenADeviceComesBack) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    ASSERT_NE(mbufs(RTE_MBUF_DEFAULT_BUF_SIZE), nullptr);
    auto *const of_eal = std::exchange(pool, nullptr);
    ASSERT_NE(empty(2048), nullptr);
    ASSERT_EQ(rte_mempool_populate_anon(pool), static_cast<int>(count));
    rte_mbuf *m = rte_pktmbuf_alloc(of_eal);
    const rte_iova_t old = m->buf_iova;
    ASSERT_EQ(eal::remove_device(&device, false), 0);
    EXPECT_EQ(kernel.census(), Census{}) << "pools keep nothing pinned";

    kernel.memory.back_everything(page_2m);
    ASSERT_EQ(eal::probe_device(&device), 0);
    EXPECT_NE(m->buf_iova, old) << "else the model has not moved it";
    EXPECT_EQ(m->buf_iova, rte_iommufd_virt2dma(m->buf_addr));
    expect_addresses();
    rte_pktmbuf_free(m);
    kernel.may_unmap_under_dma = true;
    rte_mempool_free(std::exchange(pool, of_eal));
}

// What cannot be pinned again is marked for drivers, and said to be.
TEST_F(MempoolTest, APoolThatIsNoLongerReachableIsMarked) {
    ASSERT_EQ(eal::probe_device(&device), 0);
    ASSERT_NE(empty(2048), nullptr);
    ASSERT_EQ(rte_mempool_populate_anon(pool), static_cast<int>(count));
    EXPECT_EQ(pool->flags & RTE_MEMPOOL_F_NON_IO, 0U);
    ASSERT_EQ(eal::remove_device(&device, false), 0);
    kernel.memlock = 16 << 20; // EAL's own
    {
        const LogCapture log;
        ASSERT_EQ(eal::probe_device(&device), 0);
        EXPECT_TRUE(contains(log.text(), "memory of rte_iommufd_dma_map: IOMMU_IOAS_MAP of"));
        EXPECT_TRUE(contains(log.text(), "mempool iommufd: pool pool: its memory is no longer in "
                                         "the address space; devices cannot use it"));
    }
    EXPECT_NE(pool->flags & RTE_MEMPOOL_F_NON_IO, 0U);
    rte_mempool_obj_iter(
        pool,
        [](rte_mempool *, void *, void *object, unsigned) {
            EXPECT_EQ(rte_mempool_virt2iova(object), RTE_BAD_IOVA);
        },
        nullptr);
    const LogCapture log; // it has nothing to unmap any more
    rte_mempool_free(std::exchange(pool, nullptr));
}

TEST_F(DeviceTest, MemoryOfTheProcessOutlivesDevices) {
    void *memory = reinterpret_cast<void *>(raw(base));
    const LogCapture log;
    EXPECT_EQ(rte_iommufd_dma_map(memory, page_2m), -ENODEV);
    ASSERT_EQ(eal::probe_device(&device), 0);
    kernel.may_unmap_under_dma = true;
    EXPECT_EQ(rte_iommufd_dma_map(memory, page_2m), 0);
    EXPECT_EQ(rte_iommufd_dma_map(memory, page_2m), -EEXIST);
    EXPECT_EQ(rte_iommufd_dma_map(static_cast<char *>(memory) + 1, page_2m), -EINVAL);
    EXPECT_EQ(rte_iommufd_dma_unmap(memory, page_4k), -ENOENT);
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(rte_iommufd_virt2dma(memory), frame_of(memory));
        ASSERT_EQ(eal::remove_device(&device, false), 0);
        expect_nothing_left();
        EXPECT_EQ(rte_iommufd_virt2dma(memory), RTE_BAD_IOVA);
        ASSERT_EQ(eal::probe_device(&device), 0);
    }
    ASSERT_EQ(eal::remove_device(&device, false), 0);
    EXPECT_EQ(rte_iommufd_dma_unmap(memory, page_2m), 0) << "also while nothing is mapped";
    EXPECT_EQ(rte_iommufd_dma_unmap(memory, page_2m), -ENOENT);
    ASSERT_EQ(eal::probe_device(&device), 0);
    EXPECT_EQ(rte_iommufd_virt2dma(memory), RTE_BAD_IOVA);
}

// Objects that no device sees need no address.
TEST_F(MempoolTest, PoolsThatAreNotForDevicesNeedNone) {
    pool = rte_mempool_create_empty("pool", count, 5000, 0, 0, 0, RTE_MEMPOOL_F_NO_IOVA_CONTIG);
    ASSERT_NE(pool, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
    const LogCapture log;
    EXPECT_EQ(rte_mempool_populate_default(pool), static_cast<int>(count)) << log.text();
}

} // namespace
} // namespace iommufd::test
