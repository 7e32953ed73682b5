/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright(c) 2026 The dpdk-iommufd authors
 */

/**
 * @file
 * Registers behind a mapped BAR. Unit tests link their own make_registers() instead of
 * hw/igb_osdep.cpp and have the whole driver run on the device model.
 */

#pragma once

#include <cstddef>

#include "hw/igb_osdep.hpp"

namespace igb {

/** Room that make_registers() may use, in bytes. */
inline constexpr size_t kRegistersRoom = 64;

/**
 * @param room
 *   kRegistersRoom bytes, aligned for a pointer; the object is made there. It needs no
 *   destruction.
 * @param bar
 *   BAR 0, kRegisterSpace bytes.
 */
Registers &make_registers(void *room, void *bar);

} // namespace igb
