// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Mempool ops beside each other: what it costs to get and put an object.
//
// A window of objects is out of the pool, as a driver's rings are: each turn gets `bulk`
// objects and puts those that have been out longest. With two threads both do so on one pool
// all the time, and the first one is timed.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <sched.h>
#include <stdexcept>
#include <thread>
#include <vector>
#include <x86intrin.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "cpu.hpp"
#include "median.hpp"
#include "modes.hpp"
#include "turns.hpp"

namespace bench {

namespace {

constexpr unsigned int nb_objects = 8191;
constexpr unsigned int object_size = 2304;  // about an mbuf with its buffer
constexpr unsigned int nb_turns = 512;      // timed together
constexpr unsigned int nb_samples = 11;     // of a round
constexpr unsigned int warm_up_samples = 2; // before them
constexpr unsigned int nb_rounds = 5;
constexpr unsigned int max_bulk = 64;

struct Case {
    const char *ops;
    unsigned int flags;
    unsigned int cache;
    unsigned int bulk;
    unsigned int window; // Objects out of the pool, at least bulk.
    unsigned int threads;
    std::vector<double> cycles; // To get and put one object, so far.
};

class Pool {
public:
    explicit Pool(const Case &c)
        : pool_(rte_mempool_create_empty("bench", nb_objects, object_size, c.cache, 0,
                                         SOCKET_ID_ANY, c.flags)) {
        if (pool_ == nullptr)
            throw std::runtime_error(std::string("no mempool: ") + rte_strerror(rte_errno));
        if (rte_mempool_set_ops_byname(pool_, c.ops, nullptr) != 0 ||
            rte_mempool_populate_default(pool_) < static_cast<int>(nb_objects)) {
            rte_mempool_free(pool_);
            throw std::runtime_error(std::string("no mempool ops ") + c.ops);
        }
    }
    ~Pool() { rte_mempool_free(pool_); }
    Pool(const Pool &) = delete;
    Pool &operator=(const Pool &) = delete;
    [[nodiscard]] rte_mempool *get() const { return pool_; }

private:
    rte_mempool *pool_;
};

// Objects that are out, oldest first.
class Window {
public:
    Window(rte_mempool *pool, unsigned int size, unsigned int bulk)
        : pool_(pool), bulk_(bulk), objects_(size / bulk * bulk) {
        if (rte_mempool_get_bulk(pool_, objects_.data(), count()) != 0)
            throw std::runtime_error("the mempool is too small");
    }
    ~Window() { rte_mempool_put_bulk(pool_, objects_.data(), count()); }
    Window(const Window &) = delete;
    Window &operator=(const Window &) = delete;

    void turn() {
        void *objects[max_bulk];
        void **oldest = &objects_[at_];

        if (rte_mempool_get_bulk(pool_, objects, bulk_) != 0)
            throw std::runtime_error("the mempool is empty");
        rte_mempool_put_bulk(pool_, oldest, bulk_);
        std::copy_n(objects, bulk_, oldest);
        at_ = at_ + bulk_ == objects_.size() ? 0 : at_ + bulk_;
    }

private:
    unsigned int count() const { return static_cast<unsigned int>(objects_.size()); }

    rte_mempool *pool_;
    unsigned int bulk_;
    std::size_t at_ = 0;
    std::vector<void *> objects_;
};

// Does the same on another core until it is destroyed.
class Rival {
public:
    Rival(rte_mempool *pool, const Case &c, int cpu)
        : thread_([this, pool, c, cpu] {
              pin_to_cpu(cpu);
              if (rte_thread_register() != 0) // an lcore id, and with it a cache
                  return;
              {
                  Window window(pool, c.window, c.bulk);
                  ready_ = true;
                  while (!stop_)
                      window.turn();
              }
              rte_thread_unregister();
          }) {
        while (!ready_)
            sched_yield();
    }
    ~Rival() {
        stop_ = true;
        thread_.join();
    }
    Rival(const Rival &) = delete;
    Rival &operator=(const Rival &) = delete;

private:
    std::atomic<bool> ready_ = false;
    std::atomic<bool> stop_ = false;
    std::thread thread_;
};

void take_samples(rte_mempool *pool, Case &c) {
    Window window(pool, c.window, c.bulk);

    for (unsigned int sample = 0; sample < warm_up_samples + nb_samples; sample++) {
        const std::uint64_t begin = __rdtsc();
        for (unsigned int turn = 0; turn < nb_turns; turn++)
            window.turn();
        if (sample >= warm_up_samples)
            c.cycles.push_back(static_cast<double>(__rdtsc() - begin) / (nb_turns * c.bulk));
    }
}

// One round of one case, on a pool of its own.
void run(Case &c, const Machine &machine) {
    const Pool pool(c);

    if (c.threads == 2) {
        const Rival rival(pool.get(), c, machine.device_cpu);
        take_samples(pool.get(), c);
    } else {
        take_samples(pool.get(), c);
    }
}

// Cases that differ in the ops alone, in turns.
void compare(std::vector<Case> cases, const Machine &machine) {
    for (unsigned int round = 0; round < nb_rounds; round++)
        for (std::size_t turn = 0; turn < cases.size(); turn++)
            run(cases[at_turn(turn, cases.size(), round)], machine);
    for (const Case &c : cases)
        std::printf(
            "{\"ops\": \"%s\", \"single\": %s, \"cache\": %u, \"bulk\": %u, \"window\": %u, "
            "\"threads\": %u, \"cycles\": %.2f}\n",
            c.ops, c.flags != 0 ? "true" : "false", c.cache, c.bulk, c.window, c.threads,
            median(c.cycles));
}

std::vector<Case> with_ops(std::initializer_list<const char *> ops, const Case &of) {
    std::vector<Case> cases;

    for (const char *name : ops) {
        cases.push_back(of);
        cases.back().ops = name;
    }
    return cases;
}

} // namespace

void measure_mempools(const Machine &machine) {
    constexpr unsigned int single = RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET;

    for (const unsigned int threads : {1u, 2u}) {
        if (threads == 2 && machine.device_cpu < 0)
            break;
        for (const unsigned int cache : {0u, 256u})
            for (const unsigned int bulk : {1u, 32u})
                for (const unsigned int window : {bulk, 512u})
                    compare(with_ops({"ring_mp_mc", "stack", "lf_stack", "iommufd"},
                                     {.ops = nullptr,
                                      .flags = 0,
                                      .cache = cache,
                                      .bulk = bulk,
                                      .window = window,
                                      .threads = threads,
                                      .cycles = {}}),
                            machine);
    }
    // One thread alone may ask for a ring without atomic operations.
    for (const unsigned int bulk : {1u, 32u})
        compare(with_ops({"ring_sp_sc", "iommufd"}, {.ops = nullptr,
                                                     .flags = single,
                                                     .cache = 0,
                                                     .bulk = bulk,
                                                     .window = 512,
                                                     .threads = 1,
                                                     .cycles = {}}),
                machine);
}

} // namespace bench
