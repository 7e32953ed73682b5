// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What rte_mem_virt2phy() answers while EAL takes pages, keeps them, gives them up and frees them.

#include "bound_space.hpp"
#include "fake_eal.hpp"
#include "preload/telemetry.hpp"
#include "preload/virt2phy.hpp"
#include "support.hpp"

namespace iommufd::test {

class Virt2PhyTest : public ::testing::Test {
protected:
    Virt2PhyTest() {
        kernel.devices[cdev_path] = nic();
        kernel.memory.back_everything(page_4k);
        kernel.memory.back_scattered(base, FakeEal::pages * page_2m, page_2m);
        attach();
    }
    ~Virt2PhyTest() override {
        memory.stop();
        detach();
        EXPECT_EQ(kernel.census(), Census{});
    }

    void attach() {
        EXPECT_OK(memory.space().open());
        cdev = kernel.open(cdev_path, O_RDWR);
        EXPECT_EQ(device_bind_iommufd(kernel, cdev, memory.space().iommufd()), 0);
        EXPECT_EQ(device_attach_iommufd_pt(kernel, cdev, memory.space().ioas()), 0);
        memory.first_attached();
    }
    void detach() {
        EXPECT_EQ(kernel.close(cdev), 0);
        memory.space().close();
    }
    // What alloc_seg() of EAL does (eal_memalloc.c).
    void take(std::size_t page) {
        const auto pa = memory.physical(eal.at(page));
        EXPECT_OK(pa);
        eal.take(page, pa ? *pa : 0);
    }
    [[nodiscard]] std::uint64_t truth(const void *address) const {
        return *kernel.memory.pa(raw(va_of(address)));
    }
    void move(std::size_t page) {
        kernel.memory.back_scattered(base + page * page_2m, page_2m, page_2m);
    }

    FakeKernel kernel;
    FakeEal eal;
    std::unique_ptr<preload::Virt2Phy> owner = std::make_unique<preload::Virt2Phy>(kernel, eal.api);
    preload::Virt2Phy &memory = *owner;
    int cdev = -1;
};

TEST_F(Virt2PhyTest, AHugepageIsPinnedWhole) {
    take(0);
    EXPECT_EQ(kernel.census().pinned, page_2m);
    EXPECT_EQ(*memory.physical(static_cast<char *>(eal.at(0)) + 12345), truth(eal.at(0)) + 12345);
    EXPECT_EQ(kernel.census().areas, 1U);
}

TEST_F(Virt2PhyTest, APageThatEalGivesUpIsAskedForAnew) {
    (void)memory.physical(eal.at(0)); // on the wrong NUMA node
    move(0);
    const auto pa = memory.physical(eal.at(0));
    ASSERT_OK(pa);
    EXPECT_EQ(*pa, truth(eal.at(0)));
}

TEST_F(Virt2PhyTest, StartKeepsWhatEalKeepsAndDropsTheRest) {
    take(0);
    take(1);
    (void)memory.physical(eal.at(2)); // and not kept
    EXPECT_OK(memory.start());
    EXPECT_EQ(memory.census().bytes, 2 * page_2m);
    EXPECT_EQ(kernel.census().areas, 2U);
}

TEST_F(Virt2PhyTest, StartPinsWhatItWasNotAskedFor) {
    eal.take(3, truth(eal.at(3))); // before any device was there
    EXPECT_OK(memory.start());
    EXPECT_EQ(*memory.physical(eal.at(3)), truth(eal.at(3)));
    EXPECT_EQ(kernel.census().pinned, page_2m);
}

TEST_F(Virt2PhyTest, StartRefusesAnAddressThatIsNotTrue) {
    eal.take(3, truth(eal.at(3)));
    move(3);
    const auto result = memory.start();
    EXPECT_EQ(code(result), EFAULT);
    EXPECT_TRUE(contains(message(result), "it has moved while no device held it"));
}

// The first places of --legacy-mem: pinned page by page, then unmapped by EAL.
TEST_F(Virt2PhyTest, LegacyMemoryIsHeldThroughout) {
    const Va first = base + page_1g;
    char *original = reinterpret_cast<char *>(raw(first));
    kernel.memory.back(first, page_2m, 0x40000000);
    const auto pa = memory.physical(original);
    EXPECT_EQ(*pa, 0x40000000U);
    kernel.memory.remove(first, page_2m);
    kernel.memory.back(base, page_2m, 0x40000000); // the final place
    eal.take(0, *pa);
    EXPECT_OK(memory.start());
    EXPECT_EQ(kernel.census().pinned, page_2m) << "the first place is given back";
}

TEST_F(Virt2PhyTest, EventsPinAndUnpin) {
    EXPECT_OK(memory.start());
    take(4);
    take(5);
    memory.added(va_of(eal.at(4)), 2 * page_2m);
    EXPECT_EQ(kernel.census().areas, 2U);
    memory.freed(va_of(eal.at(4)), 2 * page_2m);
    eal.give_up(4);
    eal.give_up(5);
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(Virt2PhyTest, AnEventTellsEalTheTruth) {
    EXPECT_OK(memory.start());
    eal.take(4, 0xdead000); // not through us
    memory.added(va_of(eal.at(4)), page_2m);
    EXPECT_EQ(eal.segments[4].iova, truth(eal.at(4)));
}

TEST_F(Virt2PhyTest, OtherMemoryIsPinnedPageByPage) {
    int mine = 0;
    const auto pa = memory.physical(&mine);
    ASSERT_OK(pa);
    EXPECT_EQ(*pa, truth(&mine));
    EXPECT_EQ(memory.census().pages, 1U);
}

TEST_F(Virt2PhyTest, TheTestOfRteEalInitKeepsNothing) {
    int mine = 0;
    eal.has_memory = false;
    EXPECT_EQ(*memory.physical(&mine), truth(&mine));
    EXPECT_EQ(kernel.census().areas, 0U);
    EXPECT_EQ(*memory.physical(&mine), truth(&mine));
    EXPECT_EQ(kernel.census().areas, 1U) << "only the first question";
}

TEST_F(Virt2PhyTest, ExternalMemoryIsPinnedAsItWasMapped) {
    const Va va = base + page_1g;
    kernel.memory.back(va, page_2m, 0x40000000);
    EXPECT_OK(memory.map_external(va, 0, page_2m));
    EXPECT_OK(memory.map_external(va, *kernel.memory.pa(raw(va)), page_2m));
    EXPECT_EQ(kernel.census().areas, 1U);
    EXPECT_OK(memory.unmap_external(va, page_2m));
    EXPECT_EQ(kernel.census().areas, 1U) << "one user is left";
    EXPECT_EQ(code(memory.unmap_external(va, page_4k)), ENOENT);
    EXPECT_OK(memory.unmap_external(va, page_2m));
    EXPECT_EQ(kernel.census().areas, 0U);
}

// testpmd --mp-alloc=anon asks for each page, then maps the range.
TEST_F(Virt2PhyTest, ExternalMemoryThatIsUnmappedIsUnpinnedThroughout) {
    const Va va = base + page_1g;
    kernel.memory.back_scattered(va, 16 * page_4k, page_4k);
    for (std::uint64_t i = 0; i < 16; ++i)
        EXPECT_OK(memory.physical(reinterpret_cast<void *>(raw(va) + i * page_4k)));
    EXPECT_TRUE(memory.has_pages());
    EXPECT_OK(memory.map_external(va, 0, 16 * page_4k));
    EXPECT_OK(memory.map_external(va, 0, 16 * page_4k)); // for another device
    EXPECT_OK(memory.unmap_external(va, 16 * page_4k));
    EXPECT_EQ(kernel.census().areas, 17U);
    EXPECT_OK(memory.unmap_external(va, 16 * page_4k));
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(Virt2PhyTest, ItTellsWhatIsPinnedForWhom) {
    EXPECT_OK(memory.start());
    take(0);
    take(1);
    take(3);
    const Va va = base + page_1g;
    kernel.memory.back(va, page_2m, 0x40000000);
    EXPECT_OK(memory.map_external(va, 0, page_2m));
    int mine = 0;
    EXPECT_OK(memory.physical(&mine));
    std::vector<std::string> lines;
    for (const auto &range : memory.pinned())
        lines.push_back(preload::pinned_text(range));
    ASSERT_EQ(lines.size(), 4U);
    EXPECT_EQ(lines[0], "va=0x100000000000 bytes=4194304 for=eal");
    EXPECT_EQ(lines[1], "va=0x100000600000 bytes=2097152 for=eal");
    EXPECT_EQ(lines[2], "va=0x100040000000 bytes=2097152 for=dma_map users=1");
    EXPECT_TRUE(contains(lines[3], " bytes=4096 for=virt2phy"));
}

TEST_F(Virt2PhyTest, ExternalMemoryAtAWrongAddressIsRefused) {
    const Va va = base + page_1g;
    const auto result = memory.map_external(va, raw(va), page_2m);
    EXPECT_EQ(code(result), EINVAL);
    EXPECT_EQ(kernel.census().areas, 0U);
}

TEST_F(Virt2PhyTest, EveryPageOfExternalMemoryIsCompared) {
    const Va va = base + page_1g;
    kernel.memory.back(va, page_2m, 0x40000000);
    kernel.memory.back(va + 100 * page_4k, page_4k, 0x50000000);
    const auto result = memory.map_external(va, 0x40000000, page_2m);
    EXPECT_EQ(code(result), EINVAL);
    EXPECT_TRUE(contains(message(result), "the IOVA of 0x100040064000 is given as 0x40064000"));
    EXPECT_EQ(kernel.census().areas, 0U);
    EXPECT_OK(memory.map_external(va, 0x40000000, 100 * page_4k)) << "negative control";
    EXPECT_OK(memory.unmap_external(va, 100 * page_4k));
}

TEST_F(Virt2PhyTest, ARepeatedMapIsComparedToo) {
    const Va va = base + page_1g;
    kernel.memory.back(va, page_2m, 0x40000000);
    EXPECT_OK(memory.map_external(va, 0x40000000, page_2m));
    EXPECT_EQ(code(memory.map_external(va, 0x40001000, page_2m)), EINVAL);
    EXPECT_OK(memory.unmap_external(va, page_2m));
    EXPECT_EQ(kernel.census().areas, 0U) << "the refused one has no reference";
}

// While rte_malloc_heap_memory_add() sends its event msl->heap is not set yet.
TEST_F(Virt2PhyTest, AnExternalHeapThatComesLaterIsPinnedAndCompared) {
    EXPECT_OK(memory.start());
    eal.list.external = 1;
    for (std::size_t page = 0; page < FakeEal::pages; ++page)
        eal.take(page, page == 0 ? RTE_BAD_IOVA : truth(eal.at(page)));
    memory.added(base, eal.list.len);
    EXPECT_EQ(kernel.census().pinned, eal.list.len);
    EXPECT_EQ(kernel.census().areas, 1U) << "it goes as a whole";
    // As DPDK's external_mem_autotest wants it (v22.11, app/test/test_external_mem.c, check_mem()).
    EXPECT_EQ(eal.segments[0].iova, RTE_BAD_IOVA) << "EAL was told no address, and tells none";
    eal.list.heap = 1;
    memory.freed(base, eal.list.len);
    EXPECT_EQ(kernel.census().pinned, 0U);
}

// Of 320 pages an attempt has taken all and needed more: without this the next one finds none.
TEST_F(Virt2PhyTest, WhatEalRollsBackIsUnpinnedBeforeItsNextAttempt) {
    take(0); // and kept
    for (const std::size_t page : {1, 2, 3})
        (void)memory.physical(eal.at(page));
    EXPECT_EQ(kernel.census().pinned, 4 * page_2m) << "negative control";
    memory.before_allocation();
    EXPECT_EQ(kernel.census().pinned, page_2m);
    EXPECT_EQ(*memory.physical(eal.at(0)), truth(eal.at(0)));
    EXPECT_OK(memory.start());
    EXPECT_EQ(kernel.census().pinned, page_2m);
}

// The memory that EAL has at its start comes without an event.
TEST_F(Virt2PhyTest, AnEventUnpinsNothingThatEalKeeps) {
    take(0);
    take(4);
    (void)memory.physical(eal.at(5));
    memory.added(va_of(eal.at(4)), page_2m);
    EXPECT_EQ(kernel.census().pinned, 2 * page_2m);
    EXPECT_EQ(kernel.count("IOMMU_IOAS_UNMAP"), 1);
}

TEST_F(Virt2PhyTest, NoFailureOfAPageLeavesAPin) {
    for_each_failing_call([&](int n) {
        kernel.fail_nth(n, injected_errno);
        const auto pa = memory.physical(eal.at(0));
        const bool failed = kernel.has_failed();
        if (failed) {
            EXPECT_EQ(code(pa), injected_errno);
            EXPECT_EQ(kernel.census().areas, 0U);
        }
        kernel.fail_nth(0, 0);
        memory.stop();
        return failed;
    });
}

} // namespace iommufd::test
