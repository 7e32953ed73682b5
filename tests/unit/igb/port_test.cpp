// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "port_test.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>

#include <rte_log.h>
#include <rte_mempool.h>

namespace test {

LogCapture::LogCapture() : stream_(open_memstream(&buffer_, &size_)) {
    rte_openlog_stream(stream_);
}

LogCapture::~LogCapture() {
    rte_openlog_stream(nullptr);
    std::fclose(stream_);
    std::free(buffer_);
}

std::string LogCapture::text() {
    std::fflush(stream_);
    return {buffer_, size_};
}

void PortTest::SetUp() {
    rte_iommufd_driver *driver = bus().driver;

    ASSERT_NE(nullptr, driver);
    bus().calls.clear();
    bus().bus_master_on_error = 0;
    bus().bus_master_off_error = 0;
    bus().reset_error = 0;
    bus().hold_error = 0;
    bus().register_error = 0;
    bus().watched.clear();
    bus().holds = 0;
    bus().zones_left = -1;
    bus().device = std::make_unique<model::Igb>(bus().memory);
    bus().device->bus_master = false;
    pool = make_pool("mbufs", "iommufd", pool_size);
    ASSERT_NE(nullptr, pool);

    std::snprintf(bus_device.name, sizeof(bus_device.name), "iommufd:0000:01:00.0");
    bus_device.device.name = bus_device.name;
    bus_device.device.driver = &driver->driver;
    bus_device.device.numa_node = SOCKET_ID_ANY;
    bus_device.driver = driver;
    bus_device.bars[0] = {.addr = device().bar(), .length = igb::register_space};
}

void PortTest::TearDown() {
    if (port_exists()) {
        EXPECT_EQ(0, bus().driver->remove(&bus_device));
    }
    EXPECT_EQ(kept_holds, bus().holds) << "holds of queues that are gone";
    EXPECT_EQ(kept_watched, bus().watched.size()) << "queues that are gone and still asked";
    for (rte_mempool *each : pools) {
        expect_whole(each);
        rte_mempool_free(each);
    }
    EXPECT_TRUE(device().violations().empty()) << device().violations().front();
    bus().unmap_all();
}

void PortTest::expect_whole(rte_mempool *whole) {
    std::vector<void *> objects(whole->size);

    EXPECT_EQ(whole->size, rte_mempool_avail_count(whole)) << whole->name;
    ASSERT_EQ(0, rte_mempool_get_bulk(whole, objects.data(), whole->size)) << whole->name;
    for (const void *object : objects) {
        const auto *mbuf = static_cast<const rte_mbuf *>(object);
        EXPECT_EQ(1, rte_mbuf_refcnt_read(mbuf));
        EXPECT_EQ(1, mbuf->nb_segs);
        EXPECT_EQ(nullptr, mbuf->next);
    }
    EXPECT_EQ(whole->size, std::set<void *>(objects.begin(), objects.end()).size())
        << whole->name << ": an mbuf was freed twice";
    void *extra = nullptr;
    EXPECT_NE(0, rte_mempool_get(whole, &extra)) << whole->name << ": an mbuf was freed twice";
    rte_mempool_put_bulk(whole, objects.data(), whole->size);
}

int PortTest::probe() {
    return bus().driver->probe(bus().driver, &bus_device);
}

int PortTest::configure(std::uint16_t queues, const rte_eth_conf &conf) {
    if (const int ret = rte_eth_dev_configure(port_id, queues, queues, &conf); ret != 0)
        return ret;
    for (std::uint16_t queue = 0; queue < queues; queue++) {
        if (const int ret = rte_eth_rx_queue_setup(port_id, queue, ring_size, 0, nullptr, pool);
            ret != 0)
            return ret;
        if (const int ret = rte_eth_tx_queue_setup(port_id, queue, ring_size, 0, nullptr); ret != 0)
            return ret;
    }
    return 0;
}

int PortTest::start() {
    return rte_eth_dev_start(port_id);
}

void PortTest::bring_up(std::uint16_t queues, const rte_eth_conf &conf) {
    rte_eth_link link;

    if (!port_exists()) {
        ASSERT_EQ(0, probe());
    }
    ASSERT_EQ(0, configure(queues, conf));
    ASSERT_EQ(0, start());
    ASSERT_EQ(0, rte_eth_link_get(port_id, &link));
    ASSERT_EQ(RTE_ETH_LINK_UP, link.link_status);
}

rte_mempool *PortTest::make_pool(const char *name, const char *ops, unsigned int size,
                                 std::uint16_t room) {
    rte_mempool *made = rte_pktmbuf_pool_create_by_ops(name, size, 0, 0, room, SOCKET_ID_ANY, ops);

    if (made != nullptr)
        pools.push_back(made);
    return made;
}

namespace {

alignas(4096) std::uint8_t decoy[16384];

} // namespace

std::uint64_t PortTest::decoy_dma() {
    return reinterpret_cast<std::uint64_t>(decoy) + dma_offset;
}

void PortTest::map_pool(rte_mempool *mapped) {
    rte_mempool_mem_iter(
        mapped,
        [](rte_mempool *, void *, rte_mempool_memhdr *chunk, unsigned int) {
            bus().map(chunk->addr, chunk->len);
        },
        nullptr);
}

rte_mempool *PortTest::make_lying_pool(unsigned int size) {
    rte_mempool *made = make_pool("lying", "ring_mp_mc", size);

    EXPECT_NE(nullptr, made);
    map_pool(made);
    bus().map(decoy, sizeof(decoy));
    rte_mempool_obj_iter(
        made,
        [](rte_mempool *, void *, void *object, unsigned int) {
            static_cast<rte_mbuf *>(object)->buf_iova = decoy_dma();
        },
        nullptr);
    return made;
}

rte_eth_stats PortTest::stats() const {
    rte_eth_stats result{};

    EXPECT_EQ(0, rte_eth_stats_get(port_id, &result));
    return result;
}

std::vector<std::uint8_t> PortTest::frame(std::uint32_t id, std::size_t length) {
    std::vector<std::uint8_t> data(length);

    for (std::size_t i = 0; i < length; i++)
        data[i] = static_cast<std::uint8_t>(id * 7 + i);
    std::memcpy(data.data() + 12, &id, sizeof(id));
    return data;
}

std::vector<std::uint8_t> PortTest::contents(const rte_mbuf *mbuf) {
    const auto *data = rte_pktmbuf_mtod(mbuf, const std::uint8_t *);

    return {data, data + mbuf->data_len};
}

rte_mbuf *PortTest::packet(rte_mempool *from, std::uint32_t id, std::uint16_t length) {
    rte_mbuf *mbuf = rte_pktmbuf_alloc(from);

    EXPECT_NE(nullptr, mbuf);
    const std::vector<std::uint8_t> data = frame(id, length);
    std::memcpy(rte_pktmbuf_append(mbuf, length), data.data(), length);
    return mbuf;
}

void PortTest::free_all(const std::vector<rte_mbuf *> &mbufs) {
    for (rte_mbuf *mbuf : mbufs)
        rte_pktmbuf_free(mbuf);
}

std::vector<rte_mbuf *> PortTest::receive(std::uint16_t count, std::uint16_t queue) {
    std::vector<rte_mbuf *> mbufs(count);

    mbufs.resize(rte_eth_rx_burst(port_id, queue, mbufs.data(), count));
    return mbufs;
}

} // namespace test
