// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A port of the driver over the device model, used through ethdev as applications do.

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "fake_bus.hpp"
#include "hw/igb_hw.hpp"

namespace test {

// What the driver logs while this is alive.
class LogCapture {
public:
    LogCapture();
    ~LogCapture();
    std::string text();

private:
    FILE *stream_;
    char *buffer_ = nullptr;
    std::size_t size_ = 0;
};

class PortTest : public testing::Test {
protected:
    static constexpr std::uint16_t ring_size = 64;
    // Not 511: the handler's ring would have no room for an mbuf freed twice.
    static constexpr unsigned int pool_size = 500;
    static constexpr std::uint16_t port_id = 0;

    void SetUp() override;
    void TearDown() override;

    int probe();
    // Configure and set up queues Rx and Tx queues of ring_size descriptors.
    int configure(std::uint16_t queues = 1, const rte_eth_conf &conf = {});
    int start();
    // configure(), start(), and wait for the link.
    void bring_up(std::uint16_t queues = 1, const rte_eth_conf &conf = {});
    bool port_exists() const { return rte_eth_dev_is_valid_port(port_id) != 0; }

    rte_mempool *make_pool(const char *name, const char *ops, unsigned int size,
                           std::uint16_t room = RTE_MBUF_DEFAULT_BUF_SIZE);
    // A pool of another kind, which the device reaches. Its mbufs say that their buffers are at
    // decoy_dma(), where the device may write too: who believes them receives into the decoy.
    rte_mempool *make_lying_pool(unsigned int size);
    static std::uint64_t decoy_dma();
    // Let the device reach all of a pool.
    static void map_pool(rte_mempool *mapped);
    // Every mbuf is in its pool, once, and as the mbuf library wants it there.
    static void expect_whole(rte_mempool *whole);
    rte_eth_stats stats() const;
    model::Igb &device() { return *bus().device; }

    // A frame with id in it.
    static std::vector<std::uint8_t> frame(std::uint32_t id, std::size_t length = 60);
    static std::vector<std::uint8_t> contents(const rte_mbuf *mbuf);
    // An mbuf holding frame(id, length).
    static rte_mbuf *packet(rte_mempool *from, std::uint32_t id, std::uint16_t length = 60);
    static void free_all(const std::vector<rte_mbuf *> &mbufs);
    // One burst.
    std::vector<rte_mbuf *> receive(std::uint16_t count = 32, std::uint16_t queue = 0);

    rte_iommufd_device bus_device{};
    rte_mempool *pool = nullptr;
    // What is left when the device cannot be stopped.
    int kept_holds = 0;
    std::size_t kept_watched = 0;
    std::vector<rte_mempool *> pools;
};

} // namespace test
