// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What a pool has taken of the address space and of the application's arena, until it is freed:
//
//     mapped    memory that EAL does not know, put into the address space here
//     arena     memory of the arena that the device argument "arena=SIZE" has made
//     held      memory with objects: not unmapped while they carry its addresses
//
// Any thread, each pool by one at a time.

#include <cstddef>

#include <rte_mempool.h>

#include <bus_iommufd_driver.h>

extern int iommufd_mempool_logtype;

namespace iommufd::mempool {

// Whether devices reach every byte of [start, start + length); mapped now if EAL does not know
// the memory. What is wrong is logged.
bool is_reachable(const rte_mempool *mp, char *start, std::size_t length);

// What is_reachable() has mapped, for memory of which nothing is used: rte_mempool.c frees it, and
// the next mapping at its address must not be taken for it.
void unmap_unknown(const rte_mempool *mp, void *start, std::size_t length);

// Keep devices' addresses of the objects in [start, start + length) valid. To be called before
// there are any: they could not be taken back if it fails.
bool hold(const rte_mempool *mp, void *start, std::size_t length);

// Of memory without objects, the last that hold() was called for.
void release_last_hold(const rte_mempool *mp);

// Holds ended with the last device; another is there. False if some of the memory is not.
bool hold_again(const rte_mempool *mp);

// Remember what is the pool's of an arena; freed if there is no memory for that.
bool keep_arena_memory(const rte_mempool *mp, rte_iommufd_arena *arena, void *memory);

// Everything, when the pool is freed.
void release_resources(const rte_mempool *mp);

} // namespace iommufd::mempool
