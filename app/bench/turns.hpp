// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Who comes when among things that are compared round by round. What a machine does besides, its
// clock and what the one before has left in the caches must favour none: every other round goes
// backwards, and every pair of rounds begins with another one.

#pragma once

#include <cstddef>

namespace bench {

// Which one of count has turn number turn, from 0, of a round.
constexpr std::size_t at_turn(std::size_t turn, std::size_t count, unsigned int round) {
    const std::size_t place = round % 2 == 0 ? turn : count - 1 - turn;

    return (place + round / 2) % count;
}
static_assert(at_turn(0, 2, 0) == 0 && at_turn(1, 2, 0) == 1);
static_assert(at_turn(0, 2, 1) == 1 && at_turn(1, 2, 1) == 0);
static_assert(at_turn(0, 3, 2) == 1 && at_turn(1, 3, 2) == 2 && at_turn(2, 3, 2) == 0);

} // namespace bench
