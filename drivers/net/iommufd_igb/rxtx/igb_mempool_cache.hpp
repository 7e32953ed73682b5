// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A batch of mbufs out of and into the lcore's cache of their pool.
//
// The cache is an array used as a stack, and a batch is nearly always the top batch_size of it.
// rte_mempool_get_bulk() takes them one by one from the top down, any number of them; a copy
// of constant length in the order they lie in is a few vector instructions. Whatever is not
// this case (no cache, too few in it, a put that would flush it) is left to the library.
//
// Included by files that are compiled for different CPUs: internal linkage.

#include <cstdint>

#include <rte_branch_prediction.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "igb_dpdk.hpp"
#include "rxtx/igb_rxtx.hpp"

namespace igb {

namespace {

// The library's own accounting and cookies are kept by its own functions only.
#if defined(RTE_LIBRTE_MEMPOOL_STATS) || defined(RTE_LIBRTE_MEMPOOL_DEBUG)
constexpr bool cache_is_a_stack = false;
#else
constexpr bool cache_is_a_stack = true;
#endif

// The compiler chooses the registers: those of the CPU the including file is for.
inline void copy_batch(void **__restrict to, void *const *__restrict from) {
#pragma GCC unroll 8
    for (std::uint16_t i = 0; i < batch_size; i++)
        to[i] = from[i];
}

// Not inlined: rte_memcpy() makes a kilobyte of it, with vector instructions in any code.
[[gnu::noinline, gnu::cold]] inline bool get_by_library(rte_mempool *pool, void **objects) {
    return rte_mempool_get_bulk(pool, objects, batch_size) == 0;
}

[[gnu::noinline, gnu::cold]] inline void put_by_library(rte_mempool *pool, void *const *objects) {
    rte_mempool_put_bulk(pool, objects, batch_size);
}

// rte_mempool_get_bulk() of batch_size objects.
inline bool get_batch(rte_mempool *pool, void **objects) {
    if constexpr (cache_is_a_stack) {
        rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
        if (likely(cache != nullptr && cache->len >= batch_size)) {
            const std::uint32_t left = cache->len - batch_size;
            cache->len = left;
            copy_batch(objects, &cache->objs[left]);
            return true;
        }
    }
    return get_by_library(pool, objects);
}

// rte_mempool_put_bulk() of batch_size objects.
inline void put_batch(rte_mempool *pool, void *const *objects) {
    if constexpr (cache_is_a_stack) {
        rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
        if (likely(cache != nullptr && cache->len + batch_size <= most_cached(*cache))) {
            const std::uint32_t length = cache->len;
            cache->len = length + batch_size;
            copy_batch(&cache->objs[length], objects);
            return;
        }
    }
    put_by_library(pool, objects);
}

} // namespace

} // namespace igb
