// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Counting instructions by executing them one at a time: with EFLAGS.TF set the CPU traps
// after every instruction (Intel SDM, volume 3, 18.3.1.4). The count is exact. The handler
// sees every doorbell as well: before each step the tail registers hold a value that no
// driver writes.

#pragma once

#include <cstdint>

#include "device.hpp"
#include "variant.hpp"

namespace bench {

struct Counts {
    std::uint64_t instructions = 0;
    std::uint64_t doorbells = 0;
};

// A meter of rounds (rounds.hpp). One at a time.
class Stepper {
public:
    explicit Stepper(Variant &variant);
    ~Stepper();
    Stepper(const Stepper &) = delete;
    Stepper &operator=(const Stepper &) = delete;

    void start() {}
    void stop() {}
    std::uint16_t call(Burst burst, void *queue, rte_mbuf **packets, std::uint16_t count);

    [[nodiscard]] const Counts &rx() const { return rx_; }
    [[nodiscard]] const Counts &tx() const { return tx_; }

private:
    Variant &variant_;
    Counts rx_;
    Counts tx_;
};

} // namespace bench
