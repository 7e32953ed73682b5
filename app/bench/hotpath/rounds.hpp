// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A round: the device receives 256 packets, the driver comes for them burst by burst, the
// device sends what it was given. Only the driver's part is metered. 256 packets because
// starting and stopping a timer costs as much as several packets.
//
// A meter has start() and stop() around the driver's part of a round, and call() for each
// call of a burst function.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "variant.hpp"

namespace bench {

enum class Op { rx, tx, fwd };

inline constexpr unsigned int round_packets = 256;

// Length of a packet of 64 bytes without its CRC, which the hardware strips and appends.
inline constexpr std::uint16_t packet_length = 60;

// UDP over IPv4 with an RSS hash, both checksums right.
inline constexpr Descriptor received_packet =
    rx::written(rx::DD | rx::EOP | rx::UDPCS | rx::L4CS | rx::IPCS, packet_length, 0, 0x12345678,
                rx::RSS_IPV4_UDP | (rx::TYPE_IPV4 | rx::TYPE_UDP) << rx::TYPE_SHIFT);

// The meter that measures nothing.
struct Unmetered {
    void start() {}
    void stop() {}
    static std::uint16_t call(Burst burst, void *queue, rte_mbuf **packets, std::uint16_t count) {
        return burst(queue, packets, count);
    }
};

// Rounds before the ones that count: two laps of the rings, so that every queue is in its stride.
inline constexpr unsigned int warm_up_rounds = 2 * ring_size / round_packets;

// A lap of the rings: refills, completions and the pool's cache repeat within.
inline constexpr unsigned int lap_rounds = ring_size / round_packets;

class Round {
public:
    Round(Variant &variant, Op op, unsigned int burst, Cache cache)
        : variant_(variant), op_(op), burst_(burst), cache_(cache) {
        if (op == Op::tx && !variant.uses_pool)
            get_mbufs();
    }
    ~Round() {
        if (op_ == Op::tx && !variant_.uses_pool)
            put_mbufs();
    }
    Round(const Round &) = delete;
    Round &operator=(const Round &) = delete;

    template <typename Meter>
    void run(Meter &meter) {
        if (op_ == Op::tx)
            prepare();
        else
            variant_.device->receive(received_packet, round_packets, cache_);

        meter.start();
        for (unsigned int done = 0; done < round_packets;) {
            const unsigned int wanted = std::min(burst_, round_packets - done);
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
            put_mbufs();
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
        if (rte_mempool_get_bulk(variant_.pool, objects(), round_packets) != 0)
            throw std::runtime_error(variant_.name + ": no mbufs left");
    }

    void put_mbufs() { rte_mempool_put_bulk(variant_.pool, objects(), round_packets); }

    // Packets for an application to send.
    void prepare() {
        if (variant_.uses_pool)
            get_mbufs();
        for (rte_mbuf *mbuf : packets_) {
            rte_pktmbuf_reset(mbuf);
            mbuf->data_len = packet_length;
            mbuf->pkt_len = packet_length;
        }
    }

    void **objects() { return reinterpret_cast<void **>(packets_.data()); }

    Variant &variant_;
    Op op_;
    unsigned int burst_;
    Cache cache_;
    std::array<rte_mbuf *, round_packets> packets_{};
};

} // namespace bench
