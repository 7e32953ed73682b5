// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Registers behind a mapped BAR. Unit tests link their own make_registers() instead of
// hw/igb_osdep.cpp and have the whole driver run on the device model.

#include <cstddef>

#include "hw/igb_osdep.hpp"

namespace igb {

// Room that make_registers() may use, in bytes.
inline constexpr std::size_t registers_room = 64;

// @param room
//   registers_room bytes, aligned for a pointer; the object is made there. It needs no
//   destruction.
// @param bar
//   BAR 0, register_space bytes.
Registers &make_registers(void *room, void *bar);

} // namespace igb
