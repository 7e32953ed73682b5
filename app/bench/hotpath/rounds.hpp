// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A round: the device receives the packets of a workload, 256 plain ones, the driver comes for
// them burst by burst, the device sends what it was given. Only the driver's part is metered. So
// many because starting and stopping a timer costs as much as several packets.
//
// A meter has start() and stop() around the driver's part of a round, and call() for each
// call of a burst function.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "variant.hpp"

namespace bench {

// The meter that measures nothing.
struct Unmetered {
    void start() {}
    void stop() {}
    static std::uint16_t call(Burst burst, void *queue, rte_mbuf **packets, std::uint16_t count) {
        return burst(queue, packets, count);
    }
};

// Rounds before the ones that count: two laps of the rings, so that every queue is in its stride.
inline constexpr unsigned int warm_up_rounds = 2 * ring_size / round_descs;

class Round {
public:
    Round(Variant &variant, const Workload &workload, Op op, unsigned int burst, Cache cache)
        : variant_(variant), workload_(workload), op_(op), burst_(burst), cache_(cache),
          received_(received_packet(workload)) {
        if (op == Op::tx && !variant.uses_pool)
            get_mbufs();
    }
    ~Round() {
        if (op_ == Op::tx && !variant_.uses_pool)
            rte_mempool_put_bulk(variant_.pool, objects(mbufs_), workload_.mbufs());
    }
    Round(const Round &) = delete;
    Round &operator=(const Round &) = delete;

    template <typename Meter>
    void run(Meter &meter) {
        if (op_ == Op::tx)
            prepare();
        else
            variant_.device->receive(received_, workload_.packets, cache_);

        meter.start();
        for (unsigned int done = 0; done < workload_.packets;) {
            const unsigned int wanted = std::min(burst_, workload_.packets - done);
            rte_mbuf **packets = &packets_[done];
            unsigned int count = wanted;
            if (op_ != Op::tx)
                count = call(meter, variant_.rx, packets, wanted, "receives");
            for (unsigned int sent = 0; op_ != Op::rx && sent < count;)
                sent += call(meter, variant_.tx, packets + sent, count - sent, "sends");
            done += count;
        }
        meter.stop();

        if (op_ != Op::rx)
            variant_.device->transmit(cache_);
        else if (variant_.uses_pool)
            put_packets();
    }

private:
    template <typename Meter>
    unsigned int call(Meter &meter, const Path &path, rte_mbuf **packets, unsigned int count,
                      const char *what) {
        const std::uint16_t done =
            meter.call(path.burst, path.queue, packets, static_cast<std::uint16_t>(count));

        if (done == 0 || done > count)
            throw std::runtime_error(variant_.name + " " + what + " " + std::to_string(done) +
                                     " packets of " + std::to_string(count));
        return done;
    }

    void get_mbufs() {
        if (rte_mempool_get_bulk(variant_.pool, objects(mbufs_), workload_.mbufs()) != 0)
            throw std::runtime_error(variant_.name + ": no mbufs left");
    }

    // What was received, without a look at single mbufs.
    void put_packets() {
        if (workload_.segments() == 1)
            rte_mempool_put_bulk(variant_.pool, objects(packets_), workload_.packets);
        else
            rte_pktmbuf_free_bulk(packets_.data(), workload_.packets);
    }

    // Packets for an application to send.
    void prepare() {
        if (variant_.uses_pool)
            get_mbufs();
        for (unsigned int i = 0; i < workload_.packets; i++)
            packets_[i] = make_packet(workload_, &mbufs_[i * workload_.segments()]);
    }

    using Mbufs = std::array<rte_mbuf *, round_descs>;

    static void **objects(Mbufs &mbufs) { return reinterpret_cast<void **>(mbufs.data()); }

    Variant &variant_;
    const Workload &workload_;
    Op op_;
    unsigned int burst_;
    Cache cache_;
    std::vector<Descriptor> received_;
    Mbufs packets_{};
    Mbufs mbufs_{}; // Of the packets to send, in order.
};

} // namespace bench
