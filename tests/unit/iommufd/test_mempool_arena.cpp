// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Mempool ops "iommufd" and the arenas that the device argument "arena" makes; what a pool takes
// and when it gives that back.

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <rte_devargs.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <sys/mman.h>

#include "device_test.hpp"
#include "fake_hugepages.hpp"

namespace iommufd {

Hugepages &linux_hugepages();

namespace test {
namespace {

class MempoolArenaTest : public DeviceTest {
protected:
    MempoolArenaTest() { kernel.may_unmap_under_dma = true; }
    ~MempoolArenaTest() override {
        rte_mempool_free(pool);
        destroy_arenas();
        for (const auto &[start, length] : backed)
            ::munmap(start, length);
        device.device.devargs = nullptr;
        rte_devargs_reset(&devargs);
    }
    void destroy_arenas() const {
        bool required = false;
        if (device.driver == nullptr)
            return;
        while (rte_iommufd_arena *arena = rte_iommufd_pool_arena(SOCKET_ID_ANY, &required)) {
            if (rte_iommufd_arena_destroy(arena) != 0) {
                ADD_FAILURE() << "an arena is still used";
                return;
            }
        }
    }
    void probe(const char *arguments) {
        ASSERT_EQ(rte_devargs_parsef(&devargs, "iommufd:0000:01:00.0,%s", arguments), 0);
        device.device.devargs = &devargs;
        ASSERT_EQ(eal::probe_device(&device), 0);
        back(arena_of(device.device.numa_node));
    }
    // The model's hugepages are addresses; objects need memory there.
    void back(const rte_iommufd_arena_info &arena) {
        if (backed.contains(arena.addr))
            return;
        ASSERT_EQ(::mmap(arena.addr, arena.size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
                  arena.addr);
        backed[arena.addr] = arena.size;
    }
    rte_mempool *mbufs(const char *name, unsigned int count, int socket) {
        return rte_pktmbuf_pool_create_by_ops(name, count, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, socket,
                                              "iommufd");
    }
    static rte_iommufd_arena_info arena_of(int socket) {
        bool required = false;
        rte_iommufd_arena_info info{};
        rte_iommufd_arena *arena = rte_iommufd_pool_arena(socket, &required);
        EXPECT_NE(arena, nullptr);
        if (arena != nullptr)
            rte_iommufd_arena_info_get(arena, &info);
        return info;
    }
    // Objects of a pool that lie in an arena.
    static unsigned int objects_in(const rte_iommufd_arena_info &arena, rte_mempool *from) {
        std::pair<const rte_iommufd_arena_info *, unsigned int> counted{&arena, 0};
        rte_mempool_obj_iter(
            from,
            [](rte_mempool *, void *argument, void *object, unsigned) {
                auto &count = *static_cast<decltype(counted) *>(argument);
                const auto *start = static_cast<const char *>(count.first->addr);
                count.second += object >= start && object < start + count.first->size;
            },
            &counted);
        return counted.second;
    }
    FakeHugepages &hugepages = dynamic_cast<FakeHugepages &>(linux_hugepages());
    rte_devargs devargs{};
    std::map<void *, std::size_t> backed;
    rte_mempool *pool = nullptr;
};

TEST_F(MempoolArenaTest, APoolComesFromTheArenaOfItsNode) {
    device.device.numa_node = 1;
    probe("arena=4M");
    EXPECT_EQ(hugepages.bound_node, 1);
    const rte_iommufd_arena_info here = arena_of(0);
    EXPECT_EQ(hugepages.bound_node, 0) << "made when it is asked for";
    EXPECT_EQ(here.socket_id, 0);
    back(here);
    pool = mbufs("mbufs", 255, 0);
    ASSERT_NE(pool, nullptr) << rte_strerror(rte_errno);
    EXPECT_EQ(objects_in(here, pool), 255U);
    const rte_iommufd_arena_info there = arena_of(1);
    EXPECT_EQ(there.socket_id, 1);
    EXPECT_EQ(there.free, there.size) << "the other node's is not touched";
    EXPECT_NE(there.addr, here.addr);
    rte_mempool_free(std::exchange(pool, nullptr));
    EXPECT_EQ(arena_of(0).free, arena_of(0).size);
}

TEST_F(MempoolArenaTest, WhatFindsNoRoomComesFromHugepagesWithANotice) {
    probe("arena=2M");
    const LogCapture log;
    pool = mbufs("mbufs", 1023, 0);
    ASSERT_NE(pool, nullptr) << log.text();
    EXPECT_TRUE(contains(log.text(),
                         "KiB of an arena that has 2048 KiB free: its memory comes from "
                         "EAL's hugepages; give a larger one"));
    EXPECT_EQ(objects_in(arena_of(0), pool), 0U);
    EXPECT_EQ(arena_of(0).free, arena_of(0).size);
    rte_mempool *small = mbufs("small", 255, 0);
    ASSERT_NE(small, nullptr) << "there is room for another one";
    EXPECT_EQ(objects_in(arena_of(0), small), 255U);
    rte_mempool_free(small);
}

TEST_F(MempoolArenaTest, OrItIsNotMadeIfThatIsWanted) {
    probe("arena=2M,arena_full=fail");
    const LogCapture log;
    EXPECT_EQ(mbufs("mbufs", 1023, 0), nullptr);
    EXPECT_EQ(rte_errno, ENOMEM);
    EXPECT_TRUE(contains(log.text(), "KiB of an arena that has 2048 KiB free; give a larger one"));
    pool = mbufs("mbufs", 255, 0);
    EXPECT_NE(pool, nullptr);
}

TEST_F(MempoolArenaTest, ANodeWithoutHugepagesForAnArena) {
    device.device.numa_node = 1;
    probe("arena=2M");
    hugepages.populate_error_after = 0;
    {
        const LogCapture log;
        pool = mbufs("mbufs", 255, 0);
        EXPECT_NE(pool, nullptr);
        EXPECT_TRUE(contains(log.text(), "no arena for pools of NUMA node 0: "));
    }
    EXPECT_EQ(objects_in(arena_of(1), pool), 0U) << "of another node";
    hugepages.populate_error_after = -1;
    EXPECT_EQ(arena_of(0).socket_id, 0) << "once there are hugepages";
}

// rte_mempool.c asks for the size once more to unmap anonymous memory: another answer than before
// would unmap somebody else's.
TEST_F(MempoolArenaTest, WhatWasAskedForIsTheSameInTheEnd) {
    probe("arena=2M");
    pool = rte_mempool_create_empty("pool", 255, 2048, 0, 0, 0, 0);
    ASSERT_NE(pool, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
    ASSERT_EQ(rte_mempool_populate_anon(pool), 255);
    ASSERT_EQ(objects_in(arena_of(0), pool), 255U);
    bool required = false;
    rte_iommufd_arena *arena = rte_iommufd_pool_arena(0, &required);
    std::vector<void *> rest; // nobody finds room there any more
    while (void *memory = rte_iommufd_arena_alloc(arena, 64 << 10, 0))
        rest.push_back(memory);
    const LogCapture log;
    rte_mempool_free(std::exchange(pool, nullptr));
    EXPECT_EQ(log.text(), "");
    for (void *memory : rest)
        rte_iommufd_arena_free(arena, memory);
    EXPECT_EQ(arena_of(0).free, arena_of(0).size);
}

// The arena's memory is reserved before rte_mempool.c takes a chunk of its own, which fails here.
TEST_F(MempoolArenaTest, WhatAFailedPopulationTookGoesWithThePool) {
    probe("arena=2M");
    rte_mempool *empty = rte_mempool_create_empty("pool", 255, 2048, 0, 0, 0, 0);
    ASSERT_NE(empty, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(empty, "iommufd", nullptr), 0);
    std::vector<const rte_memzone *> zones; // all but one, which the pool's ring takes
    while (const rte_memzone *zone = rte_memzone_reserve(
               ("zone" + std::to_string(zones.size())).c_str(), 64, SOCKET_ID_ANY, 0))
        zones.push_back(zone);
    ASSERT_GT(zones.size(), 0U);
    rte_memzone_free(zones.back());
    zones.pop_back();

    EXPECT_EQ(rte_mempool_populate_default(empty), -ENOSPC);
    EXPECT_LT(arena_of(0).free, arena_of(0).size) << "it has been reserved";
    rte_mempool_free(empty);
    EXPECT_EQ(arena_of(0).free, arena_of(0).size);

    for (const rte_memzone *zone : zones)
        rte_memzone_free(zone);
    pool = mbufs("mbufs", 255, 0);
    EXPECT_NE(pool, nullptr) << "there is room for another one";
}

TEST_F(MempoolArenaTest, MemoryIsUnmappedBeforeItGoes) {
    constexpr std::size_t length = 1 << 20;
    ASSERT_EQ(eal::probe_device(&device), 0);
    void *memory =
        ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    pool = rte_mempool_create_empty("pool", 255, 2048, 0, 0, 0, 0);
    ASSERT_NE(pool, nullptr);
    ASSERT_EQ(rte_mempool_set_ops_byname(pool, "iommufd", nullptr), 0);
    rte_iova_t when_it_goes = 0;
    ASSERT_EQ(rte_mempool_populate_virt(
                  pool, static_cast<char *>(memory), length, page_4k,
                  [](rte_mempool_memhdr *chunk, void *seen) {
                      *static_cast<rte_iova_t *>(seen) = rte_iommufd_virt2dma(chunk->addr);
                  },
                  &when_it_goes),
              255);
    ASSERT_NE(rte_iommufd_virt2dma(memory), RTE_BAD_IOVA);
    rte_mempool_free(std::exchange(pool, nullptr));
    EXPECT_EQ(when_it_goes, RTE_BAD_IOVA);
    ::munmap(memory, length);
}

} // namespace
} // namespace test
} // namespace iommufd
