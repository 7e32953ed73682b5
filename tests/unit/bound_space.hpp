// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

#include <memory>

#include <fcntl.h>

#include "core/ioas/address_space.hpp"
#include "support.hpp"

namespace iommufd::test {

// An address space with a device attached by hand, and memory of 2 MiB pages everywhere.
class BoundSpaceTest : public ::testing::Test {
protected:
    BoundSpaceTest() {
        kernel.devices[cdev_path] = nic();
        kernel.memory.back_everything(page_2m);
        kernel.memory.back_scattered(base, page_1g, page_1g);
        EXPECT_OK(space.open());
        attach();
    }
    ~BoundSpaceTest() override {
        EXPECT_EQ(kernel.close(cdev), 0);
        space.close();
        EXPECT_EQ(kernel.census(), Census{});
    }

    void attach() {
        cdev = kernel.open(cdev_path, O_RDWR);
        EXPECT_EQ(device_bind_iommufd(kernel, cdev, space.iommufd()), 0);
        EXPECT_EQ(device_attach_iommufd_pt(kernel, cdev, space.ioas()), 0);
    }

    FakeKernel kernel;
    std::unique_ptr<DmaTable> owner = std::make_unique<DmaTable>();
    DmaTable &table = *owner;
    AddressSpace space{kernel, table};
    int cdev = -1;
};

} // namespace iommufd::test
