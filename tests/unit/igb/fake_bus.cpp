// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "fake_bus.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <set>

#include <gtest/gtest.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_memzone.h>

#include "core/ioas/dma_table.hpp"

namespace test {

FakeBus &bus() {
    static FakeBus the_bus;

    return the_bus;
}

namespace {

std::uint64_t root[iommufd::DmaTable::root_words];
iommufd::DmaTable table(root);
std::set<iommufd::Va> pages; // of 4 KiB, that the table has

} // namespace

void FakeBus::map(const void *va, std::size_t length, std::uint64_t skew) {
    using iommufd::page_4k;
    const std::uint64_t start = reinterpret_cast<std::uint64_t>(va);

    memory.map(start + dma_offset + skew, const_cast<void *>(va), length);
    for (std::uint64_t page = start & ~(page_4k - 1); page < start + length; page += page_4k)
        if (pages.insert(iommufd::Va{page}).second &&
            !table.insert(iommufd::Va{page}, iommufd::Dma{page + dma_offset + skew}, page_4k))
            ADD_FAILURE() << "no memory for the table";
}

void FakeBus::map_scattered(void *va, std::size_t length) {
    using iommufd::page_4k;
    const std::uint64_t start = reinterpret_cast<std::uint64_t>(va);

    for (std::uint64_t at = 0; at < length; at += page_4k) {
        const std::uint64_t dma = 2 * dma_offset - 2 * at - page_4k;
        memory.map(dma, static_cast<char *>(va) + at, page_4k);
        if (!pages.insert(iommufd::Va{start + at}).second ||
            !table.insert(iommufd::Va{start + at}, iommufd::Dma{dma}, page_4k))
            ADD_FAILURE() << "no memory for the table, or mapped already";
    }
}

void FakeBus::unmap_all() {
    memory.clear();
    for (const iommufd::Va page : pages)
        table.erase(page, iommufd::page_4k);
    pages.clear();
}

std::size_t FakeBus::when(const std::string &name, std::size_t n) const {
    for (const BusCall &call : calls)
        if (call.name == name && n-- == 0)
            return call.at;
    ADD_FAILURE() << name << " was not called";
    return SIZE_MAX;
}

namespace {

int populate(rte_mempool *pool, unsigned int max_objs, void *vaddr, rte_iova_t, std::size_t len,
             rte_mempool_populate_obj_cb_t *callback, void *arg) {
    bus().map(vaddr, len);
    return rte_mempool_op_populate_helper(pool, 0, max_objs, vaddr,
                                          reinterpret_cast<std::uint64_t>(vaddr) + dma_offset, len,
                                          callback, arg);
}

} // namespace

void register_pool_ops() {
    for (std::uint32_t i = 0; i < rte_mempool_ops_table.num_ops; i++) {
        if (std::strcmp(rte_mempool_ops_table.ops[i].name, "ring_mp_mc") != 0)
            continue;
        rte_mempool_ops ops = rte_mempool_ops_table.ops[i];
        std::snprintf(ops.name, sizeof(ops.name), "iommufd");
        ops.populate = populate;
        ASSERT_GE(rte_mempool_register_ops(&ops), 0);
        return;
    }
    FAIL() << "DPDK's ring mempool driver is not loaded";
}

} // namespace test

using test::bus;

extern "C" {

extern const std::uint64_t *const rte_iommufd_dma_root = test::root;

std::size_t rte_iommufd_dma_contiguous(const void *va, std::size_t len) {
    return bus().memory.contiguous(va, len);
}

void rte_iommufd_register(rte_iommufd_driver *driver) {
    bus().driver = driver;
}

int rte_iommufd_set_bus_master(const rte_iommufd_device *, bool on) {
    const int error = on ? bus().bus_master_on_error : bus().bus_master_off_error;

    bus().called(on ? "bus_master_on" : "bus_master_off");
    if (error == 0)
        bus().device->bus_master = on;
    return error;
}

int rte_iommufd_reset_device(const rte_iommufd_device *) {
    bus().called("reset_device");
    if (bus().reset_error == 0)
        bus().device->power_on();
    return bus().reset_error;
}

const rte_memzone *rte_iommufd_dma_zone_reserve(const char *name, std::size_t len,
                                                unsigned int align, int socket_id,
                                                rte_iova_t *dma) {
    if (bus().zones_left == 0) {
        rte_errno = ENOMEM;
        return nullptr;
    }
    bus().zones_left--;
    const rte_memzone *zone = rte_memzone_reserve_aligned(name, len, socket_id, 0, align);
    if (zone == nullptr)
        return nullptr;
    std::memset(zone->addr, 0, len);
    bus().map(zone->addr, len);
    *dma = bus().memory.dma_of(zone->addr);
    return zone;
}

rte_iommufd_hold *rte_iommufd_hold_pool(rte_mempool *) {
    if (bus().hold_error != 0) {
        rte_errno = bus().hold_error;
        return nullptr;
    }
    bus().holds++;
    static char hold;
    return reinterpret_cast<rte_iommufd_hold *>(&hold);
}

rte_iommufd_hold *rte_iommufd_hold_buffers(rte_mempool *pool) {
    const auto buffer_is_mapped = [](rte_mempool *mp, void *all, void *object, unsigned int) {
        auto *mbuf = static_cast<rte_mbuf *>(object);
        const char *buffer =
            static_cast<const char *>(rte_pktmbuf_priv_flags(mp) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF
                                          ? mbuf->buf_addr
                                          : rte_mbuf_to_baddr(mbuf));

        for (std::size_t at = 0; at < rte_pktmbuf_data_room_size(mp);) {
            const std::size_t run = bus().memory.contiguous(buffer + at, SIZE_MAX);
            *static_cast<bool *>(all) &= run != 0;
            at += std::max<std::size_t>(run, 1);
        }
    };
    bool all = true;

    rte_mempool_obj_iter(pool, buffer_is_mapped, &all);
    if (!all) {
        rte_errno = EFAULT;
        return nullptr;
    }
    return rte_iommufd_hold_pool(pool);
}

void rte_iommufd_hold_release(rte_iommufd_hold *hold) {
    if (hold != nullptr)
        bus().holds--;
}

int rte_iommufd_in_flight_register(rte_iommufd_in_flight *queue,
                                   rte_iommufd_in_flight_ranges_t ranges) {
    bus().called("register");
    if (bus().register_error != 0 && bus().registered_before_error-- == 0)
        return bus().register_error;
    bus().watched.push_back({queue, ranges});
    return 0;
}

void rte_iommufd_in_flight_unregister(rte_iommufd_in_flight *queue) {
    if (std::erase_if(bus().watched, [=](const auto &each) { return each.queue == queue; }) != 0)
        bus().called("unregister");
}

bool rte_iommufd_check_dpdk_version(const char *, unsigned int, unsigned int) {
    return true;
}
}
