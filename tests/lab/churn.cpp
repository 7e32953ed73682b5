// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "churn.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include <rte_byteorder.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

namespace {

constexpr unsigned int buffers = 2047;   // of a pool: three hugepages
constexpr std::size_t block = 6 << 20;   // bytes
constexpr std::uint8_t pattern = 0x5a;   // in a block
constexpr std::size_t pools_waiting = 4; // for buffers that are in the transmit queue
constexpr std::uint64_t quiet_seconds = 10;
constexpr unsigned int pause_us = 100;     // for whoever else needs the CPU
constexpr std::uint16_t end_type = 0x88b6; // IEEE 802, local experimental
constexpr std::uint16_t burst = 32;

// Pools go from the worker to the main lcore: newest is the one to send from, and using what the
// main lcore is about to take a buffer from, so that the worker keeps it.
class Churn {
public:
    // On the worker.
    void run() {
        for (unsigned int number = 0; !stop_; ++number) {
            const std::string name = "churn " + std::to_string(number);
            rte_mempool *pool = rte_pktmbuf_pool_create_by_ops(
                name.c_str(), buffers, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, "iommufd");
            if (pool == nullptr) {
                failed_ = true;
                return;
            }
            if (rte_mempool *before = newest_.exchange(pool); before != nullptr)
                waiting_.push_back(before);
            take_block();
            free_pools();
            while (!stop_ && waiting_.size() >= pools_waiting) {
                rte_delay_us_sleep(pause_us);
                free_pools();
            }
        }
    }

    // On the main lcore: a copy in the newest pool; nullptr without one.
    rte_mbuf *copy(const rte_mbuf *frame) {
        rte_mempool *pool = nullptr;
        do {
            pool = newest_;
            using_ = pool;
        } while (pool != newest_);
        rte_mbuf *made = pool == nullptr ? nullptr : rte_pktmbuf_copy(frame, pool, 0, UINT32_MAX);
        using_ = nullptr;
        return made;
    }

    [[nodiscard]] bool ready() const { return failed_ || newest_ != nullptr; }
    void stop() { stop_ = true; }

    // The worker has returned and the port is stopped. Whether every buffer of every pool came
    // back, no block was changed by anybody else, and memory was to be had throughout.
    bool finish() {
        if (rte_mempool *last = newest_.exchange(nullptr); last != nullptr)
            waiting_.push_back(last);
        free_pools();
        return waiting_.empty() && !changed_ && !failed_;
    }
    [[nodiscard]] unsigned int rounds() const { return rounds_; }

private:
    void take_block() {
        auto *memory = static_cast<std::uint8_t *>(rte_malloc("churn", block, 0));
        if (memory == nullptr) {
            failed_ = true;
            return;
        }
        std::fill_n(memory, block, pattern);
        changed_ = changed_ || std::count(memory, memory + block, pattern) != block;
        rte_free(memory);
    }

    void free_pools() {
        std::erase_if(waiting_, [this](rte_mempool *pool) {
            if (pool == using_ || rte_mempool_full(pool) != 1)
                return false;
            rte_mempool_free(pool);
            ++rounds_;
            return true;
        });
    }

    std::atomic<rte_mempool *> newest_{nullptr};
    std::atomic<rte_mempool *> using_{nullptr};
    std::atomic<bool> stop_{false};
    std::atomic<bool> failed_{false};
    std::vector<rte_mempool *> waiting_; // the worker's
    bool changed_ = false;
    unsigned int rounds_ = 0;
};

int work(void *churn) {
    static_cast<Churn *>(churn)->run();
    return 0;
}

bool is_end(const rte_mbuf *frame) {
    return rte_pktmbuf_mtod(frame, const rte_ether_hdr *)->ether_type == RTE_BE16(end_type);
}

// The number of frames that were sent back.
unsigned int echo(Churn &churn) {
    unsigned int sent = 0;
    bool ended = false;
    std::uint64_t last = rte_get_timer_cycles();
    const std::uint64_t quiet = quiet_seconds * rte_get_timer_hz();
    while (!ended && rte_get_timer_cycles() - last < quiet) {
        rte_mbuf *frames[burst];
        const std::uint16_t received = rte_eth_rx_burst(0, 0, frames, burst);
        for (std::uint16_t i = 0; i < received; ++i) {
            ended = ended || is_end(frames[i]);
            rte_mbuf *copy = ended ? nullptr : churn.copy(frames[i]);
            rte_pktmbuf_free(frames[i]);
            if (copy != nullptr && rte_eth_tx_burst(0, 0, &copy, 1) == 1)
                ++sent;
            else
                rte_pktmbuf_free(copy);
        }
        if (received != 0)
            last = rte_get_timer_cycles();
        else
            rte_delay_us_sleep(pause_us);
    }
    return sent;
}

} // namespace

Echoed echo_while_memory_changes() {
    Churn churn;
    const unsigned int worker = rte_get_next_lcore(-1U, 1, 0);
    if (worker == RTE_MAX_LCORE || rte_eal_remote_launch(work, &churn, worker) != 0)
        return {};
    while (!churn.ready())
        rte_delay_us_block(100);
    const unsigned int sent = echo(churn);
    churn.stop();
    (void)rte_eal_wait_lcore(worker);
    (void)rte_eth_dev_stop(0); // the transmit queue gives its buffers back
    return {.frames = sent, .whole = churn.finish(), .rounds = churn.rounds()};
}
