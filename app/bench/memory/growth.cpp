// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What it costs that EAL's heap grows while a port sends, with the driver and on the ground that
// its arguments choose:
//
//     bench_growth MIB ROUNDS [EAL arguments]
//
// A worker sends on port 0 as fast as it can; the main lcore takes MIB from the heap, which has to
// take that from the system in hugepages, and gives it back. Prints one JSON object: the seconds of
// each round, and the frames that were sent meanwhile.

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "stopwatch.hpp"

namespace bench {

namespace {

constexpr std::uint16_t port_id = 0;
constexpr std::uint16_t burst = 32;
constexpr std::uint16_t frame_length = 60;
constexpr unsigned int nb_mbufs = 2047;

[[noreturn]] void fail(const std::string &why) {
    std::fprintf(stderr, "bench_growth: %s\n", why.c_str());
    std::exit(1);
}

struct Traffic {
    rte_mempool *pool = nullptr;
    std::atomic<bool> ends = false;
    std::atomic<std::uint64_t> frames = 0;
};

// Frames to everybody, of a type for experiments (IEEE 802), from nobody.
void fill(rte_mbuf *mbuf) {
    auto *bytes = reinterpret_cast<std::uint8_t *>(rte_pktmbuf_append(mbuf, frame_length));
    if (bytes == nullptr)
        fail("an mbuf has no room");
    std::memset(bytes, 0, frame_length);
    std::memset(bytes, 0xFF, RTE_ETHER_ADDR_LEN);
    bytes[12] = 0x88;
    bytes[13] = 0xB5;
}

int send(void *argument) {
    auto &traffic = *static_cast<Traffic *>(argument);
    std::array<rte_mbuf *, burst> mbufs;

    while (!traffic.ends) {
        if (rte_pktmbuf_alloc_bulk(traffic.pool, mbufs.data(), burst) != 0)
            continue; // all of them are on their way
        for (rte_mbuf *mbuf : mbufs)
            fill(mbuf);
        const std::uint16_t sent = rte_eth_tx_burst(port_id, 0, mbufs.data(), burst);
        rte_pktmbuf_free_bulk(mbufs.data() + sent, burst - sent);
        traffic.frames += sent;
    }
    return 0;
}

void start_port(rte_mempool *pool) {
    const rte_eth_conf conf{};

    if (rte_eth_dev_configure(port_id, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(port_id, 0, 512, SOCKET_ID_ANY, nullptr, pool) != 0 ||
        rte_eth_tx_queue_setup(port_id, 0, 512, SOCKET_ID_ANY, nullptr) != 0 ||
        rte_eth_dev_start(port_id) != 0)
        fail("port 0 cannot be started");
}

void wait_for_frames(const Traffic &traffic) {
    const std::uint64_t before = traffic.frames;

    for (unsigned int ms = 0; traffic.frames < before + 1000; ms++) {
        if (ms == 10'000)
            fail("nothing is sent");
        rte_delay_us_sleep(1000);
    }
}

double grow(std::size_t bytes) {
    void *memory = nullptr;
    const double ns = time_ns([&] { memory = rte_malloc(nullptr, bytes, 0); });

    if (memory == nullptr)
        fail("the heap cannot grow: are there hugepages?");
    rte_free(memory);
    return ns / 1e9;
}

int run(int argc, char **argv) {
    const char *const usage = "bench_growth MIB ROUNDS [EAL arguments]";
    if (argc < 3)
        fail(usage);
    const std::size_t bytes = std::strtoull(argv[1], nullptr, 10) << 20;
    const unsigned long rounds = std::strtoul(argv[2], nullptr, 10);
    argv[2] = argv[0];
    if (bytes == 0 || rounds == 0)
        fail(usage);
    if (rte_eal_init(argc - 2, argv + 2) < 0)
        fail("EAL does not start");
    const unsigned int worker = rte_get_next_lcore(-1U, 1, 0);
    if (!rte_eth_dev_is_valid_port(port_id) || worker == RTE_MAX_LCORE)
        fail("a port and two lcores are needed");

    Traffic traffic;
    traffic.pool = rte_pktmbuf_pool_create("frames", nb_mbufs, 64, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
                                           SOCKET_ID_ANY);
    if (traffic.pool == nullptr)
        fail("there is no memory for mbufs");
    start_port(traffic.pool);
    rte_eal_remote_launch(send, &traffic, worker);
    wait_for_frames(traffic);

    std::string seconds;
    const std::uint64_t before = traffic.frames;
    for (unsigned long i = 0; i < rounds; i++)
        seconds += (i == 0 ? "" : ", ") + std::to_string(grow(bytes));
    std::printf("{\"seconds\": [%s], \"frames\": %llu}\n", seconds.c_str(),
                static_cast<unsigned long long>(traffic.frames - before));
    traffic.ends = true;
    rte_eal_wait_lcore(worker);
    rte_eth_dev_stop(port_id);
    rte_eth_dev_close(port_id);
    return rte_eal_cleanup();
}

} // namespace

} // namespace bench

int main(int argc, char **argv) {
    return bench::run(argc, argv);
}
