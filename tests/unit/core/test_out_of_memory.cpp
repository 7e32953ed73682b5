// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Operations while the process has no memory left: this program's operator new fails on demand.

#include <cstdlib>
#include <memory>
#include <new>
#include <utility>

#include <gtest/gtest.h>

#include "core/ioas/address_space.hpp"
#include "support.hpp"

namespace {

// Allocations until one fails; 0 is never. The model's and GoogleTest's own are not counted.
thread_local int until_failure = 0;
thread_local bool has_failed = false;

void *allocate(std::size_t size, std::size_t alignment) noexcept {
    if (until_failure > 0 && --until_failure == 0) {
        has_failed = true;
        return nullptr;
    }
    if (alignment <= alignof(std::max_align_t))
        return std::malloc(size == 0 ? 1 : size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void *allocate_or_throw(std::size_t size, std::size_t alignment) {
    void *memory = allocate(size, alignment);
    if (memory == nullptr)
        throw std::bad_alloc();
    return memory;
}

} // namespace

void *operator new(std::size_t size) {
    return allocate_or_throw(size, 1);
}
void *operator new(std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void *operator new(std::size_t size, const std::nothrow_t &) noexcept {
    return allocate(size, 1);
}
void *operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t &) noexcept {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void *memory) noexcept {
    std::free(memory);
}
void operator delete(void *memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void *memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

namespace iommufd::test {
namespace {

// Makes the n-th allocation of its scope fail.
class Shortage {
public:
    explicit Shortage(int n) {
        until_failure = n;
        has_failed = false;
    }
    ~Shortage() { until_failure = 0; }
    Shortage(const Shortage &) = delete;
    Shortage &operator=(const Shortage &) = delete;
};

class Pause {
public:
    Pause() : left_(std::exchange(until_failure, 0)) {}
    ~Pause() { until_failure = left_; }
    Pause(const Pause &) = delete;
    Pause &operator=(const Pause &) = delete;

private:
    int left_;
};

// The model must not suffer from it.
class Sheltered final : public Kernel {
public:
    explicit Sheltered(Kernel &kernel) : kernel_(kernel) {}

    int open(const char *path, int flags) override {
        const Pause pause;
        return kernel_.open(path, flags);
    }
    int close(int fd) override {
        const Pause pause;
        return kernel_.close(fd);
    }
    int set_cloexec(int fd) override {
        const Pause pause;
        return kernel_.set_cloexec(fd);
    }
    int ioctl(int fd, unsigned long request, void *arg) override {
        const Pause pause;
        return kernel_.ioctl(fd, request, arg);
    }
    int mmap(std::size_t length, int fd, off_t offset, void **addr) override {
        const Pause pause;
        return kernel_.mmap(length, fd, offset, addr);
    }
    int munmap(void *addr, std::size_t length) override {
        const Pause pause;
        return kernel_.munmap(addr, length);
    }
    ssize_t pread(int fd, void *buf, std::size_t length, off_t offset) override {
        const Pause pause;
        return kernel_.pread(fd, buf, length, offset);
    }
    ssize_t pwrite(int fd, const void *buf, std::size_t length, off_t offset) override {
        const Pause pause;
        return kernel_.pwrite(fd, buf, length, offset);
    }
    int memlock_limit(std::uint64_t *bytes) override {
        const Pause pause;
        return kernel_.memlock_limit(bytes);
    }

private:
    Kernel &kernel_;
};

TEST(DmaTableOutOfMemory, InsertChangesNothing) {
    // 4 KiB pages of three 2 MiB ranges in two GiB: directories of both levels are needed.
    const Va start{raw(base) + page_1g - page_2m - page_4k};
    const std::uint64_t length = 2 * page_2m;
    const int allocations = for_each_failing_call([&](int n) {
        const auto table = std::make_unique<DmaTable>();
        bool inserted = false;
        {
            const Shortage shortage(n);
            inserted = table->insert(start, Dma{page_4k}, length);
        }
        EXPECT_EQ(inserted, !has_failed);
        if (!inserted) {
            for (std::uint64_t at = 0; at < length; at += page_4k)
                EXPECT_EQ(table->lookup(start + at), std::nullopt);
            // It works as soon as there is memory again.
            EXPECT_TRUE(table->insert(start, Dma{page_4k}, length));
        }
        for (std::uint64_t at = 0; at < length; at += page_4k)
            EXPECT_EQ(table->lookup(start + at), Dma{page_4k + at});
        return has_failed;
    });
    EXPECT_EQ(allocations, 2 + 3) << "two for the GiBs, three for 2 MiB each";
}

TEST(DmaTableOutOfMemory, PagesThatWereThereStay) {
    const auto table = std::make_unique<DmaTable>();
    ASSERT_TRUE(table->insert(base, Dma{page_4k}, page_4k));
    {
        const Shortage shortage(1);
        EXPECT_TRUE(table->insert(base + page_4k, Dma{page_1g}, page_4k)) << "needs no memory";
        EXPECT_FALSE(table->insert(base + page_2m, Dma{page_4k}, page_4k));
    }
    EXPECT_EQ(table->lookup(base), Dma{page_4k});
    EXPECT_EQ(table->lookup(base + page_4k), Dma{page_1g});
    EXPECT_EQ(table->lookup(base + page_2m), std::nullopt);
}

// A queue with a packet, which needs memory to say so.
class Reader final : public InFlight {
public:
    explicit Reader(Dma packet) : packet_(packet) {}
    [[nodiscard]] std::size_t capacity() const override { return 1; }
    void ranges(std::vector<DmaRange> *all) const override {
        EXPECT_GE(all->capacity(), 1U) << "taken beforehand";
        all->push_back({packet_, 1});
    }
    [[nodiscard]] bool wait_for_lookups() const override { return true; }

private:
    Dma packet_;
};

class InUse {
public:
    InUse() : kernel(model), table(std::make_unique<DmaTable>()), space(kernel, *table) {
        model.devices[cdev_path] = nic();
        model.memory.back(base, page_2m, page_1g);
        EXPECT_OK(space.open());
        cdev = kernel.open(cdev_path, 2);
        EXPECT_EQ(device_bind_iommufd(kernel, cdev, space.iommufd()), 0);
        EXPECT_EQ(device_attach_iommufd_pt(kernel, cdev, space.ioas()), 0);
        EXPECT_OK(space.map(base, page_2m, page_2m));
        elsewhere_registered = space.register_queue(elsewhere);
    }
    ~InUse() { EXPECT_EQ(kernel.close(cdev), 0); }
    InUse(const InUse &) = delete;
    InUse &operator=(const InUse &) = delete;

    FakeKernel model;
    Sheltered kernel;
    std::unique_ptr<DmaTable> table;
    AddressSpace space;
    Reader elsewhere{Dma{0}};
    Reader reader{Dma{page_1g + 5}};
    InFlightRegistration elsewhere_registered;
    int cdev;
};

TEST(AddressSpaceOutOfMemory, UnmapChangesNothing) {
    const int allocations = for_each_failing_call([&](int n) {
        InUse use;
        bool unmapped = false;
        try {
            const Shortage shortage(n);
            unmapped = use.space.unmap(base, page_2m).has_value();
        } catch (const std::bad_alloc &) {
            unmapped = false;
        }
        const bool failed = has_failed;
        EXPECT_EQ(unmapped, !failed);
        EXPECT_EQ(use.model.census().pinned, failed ? page_2m : 0);
        EXPECT_EQ(use.table->lookup(base), failed ? std::optional(Dma{page_1g}) : std::nullopt);
        return failed;
    });
    EXPECT_GE(allocations, 3);
}

// The owner does not wait: without memory to ask who reads it, it stays pinned for good.
TEST(AddressSpaceOutOfMemory, WhatIsFreedIsNotUnpinned) {
    const int allocations = for_each_failing_call([&](int n) {
        InUse use;
        InFlightRegistration registered = use.space.register_queue(use.reader);
        bool failed = false;
        {
            const Shortage shortage(n);
            const auto held = use.space.retire(base, page_2m);
            failed = has_failed;
            EXPECT_EQ(code(held), failed ? ENOMEM : 0);
        }
        EXPECT_EQ(use.table->lookup(base), std::nullopt) << "its address is given to nobody";
        EXPECT_EQ(use.model.census().pinned, page_2m);
        Hold none(use.space);
        EXPECT_EQ(code(none.add(base, 1)), EFAULT);
        registered.reset();
        EXPECT_EQ(use.model.census().pinned, failed ? page_2m : 0);
        return failed;
    });
    EXPECT_GE(allocations, 3);
}

// Whether std::bad_alloc passes or an Error is returned: nothing stays pinned, and the address
// space goes on.
TEST(AddressSpaceOutOfMemory, MapLeavesNothingPinned) {
    for (const std::uint64_t page : {page_4k, page_2m}) {
        const int allocations = for_each_failing_call([&](int n) {
            FakeKernel model;
            model.devices[cdev_path] = nic();
            model.memory.back_scattered(base, 2 * page_2m, page);
            Sheltered kernel(model);
            const auto table = std::make_unique<DmaTable>();
            AddressSpace space(kernel, *table);
            EXPECT_OK(space.open());
            const int cdev = kernel.open(cdev_path, 2);
            EXPECT_EQ(device_bind_iommufd(kernel, cdev, space.iommufd()), 0);
            EXPECT_EQ(device_attach_iommufd_pt(kernel, cdev, space.ioas()), 0);
            bool mapped = false;
            try {
                const Shortage shortage(n);
                mapped = space.map(base, 2 * page_2m, page).has_value();
            } catch (const std::bad_alloc &) {
                mapped = false;
            }
            const bool failed = has_failed;
            EXPECT_EQ(mapped, !failed);
            if (!mapped) {
                EXPECT_EQ(model.census().pinned, 0U);
                EXPECT_EQ(space.areas(), 0U);
                EXPECT_EQ(space.bytes_mapped(), 0U);
                EXPECT_EQ(table->lookup(base), std::nullopt);
                EXPECT_OK(space.map(base, 2 * page_2m, page));
            }
            EXPECT_OK(space.unmap(base, 2 * page_2m));
            EXPECT_EQ(kernel.close(cdev), 0);
            return failed;
        });
        EXPECT_GE(allocations, 2);
    }
}

} // namespace
} // namespace iommufd::test
