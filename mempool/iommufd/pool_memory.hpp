// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What a pool has taken of the address space and of the arena of its NUMA node, until it is freed
// or a population of it fails:
//
//     reserved  memory of the arena for the objects that come next
//     arena     memory of the arena with objects
//     mapped    memory that EAL does not know, put into the address space here
//     held      memory with objects: not unmapped while they carry its addresses
//
// Any thread, each pool by one at a time. Nothing of a pool but what is kept here is looked at on
// behalf of another one: its lists are its own thread's.

#include <cstddef>
#include <optional>

#include <rte_mempool.h>

#include <bus_iommufd_driver.h>

extern int iommufd_mempool_logtype;

namespace iommufd::mempool {

struct Region {
    void *start;
    std::size_t length;
};

// Between the two, one chunk is given to a pool. If it was in vain, whoever asked for it gives the
// chunks before it back in silence; so does the first call behind that.
void begin_population(const rte_mempool *mp);
void end_population(const rte_mempool *mp, bool has_objects);
// Whether the last was in vain: rte_mempool.c may be taking the pool's lists apart in its own
// thread.
bool is_coming_apart(const rte_mempool *mp);

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

// Take memory of an arena for the pool; false if there is none.
bool reserve(const rte_mempool *mp, rte_iommufd_arena *arena, std::size_t length,
             std::size_t align);
// The same memory, which is to have objects now; {nullptr, 0} if none is reserved.
Region take_reserved(const rte_mempool *mp);
// It has none.
void free_arena_memory(const rte_mempool *mp, void *memory);

// The pool is about to be freed: all but what is of an arena.
void unmap_resources(const rte_mempool *mp);
// Of such a pool, whether that is anything.
std::optional<bool> dies_with_arena_memory(const rte_mempool *mp);

// Everything, when the pool is freed.
void release_resources(const rte_mempool *mp);

} // namespace iommufd::mempool
