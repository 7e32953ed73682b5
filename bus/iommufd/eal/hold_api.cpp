// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Holds as bus_iommufd_driver.h has them: the C name is a view of the C++ object.

#include <cerrno>
#include <memory>
#include <new>

#include <rte_errno.h>
#include <rte_mempool.h>

#include "../bus_iommufd_driver.h"
#include "log.hpp"
#include "memory.hpp"

using iommufd::Hold;
using iommufd::eal::guarded;
using iommufd::eal::log_error;
using iommufd::eal::memory;

namespace {

struct PoolWalk {
    Hold *hold;
    iommufd::Result<void> result;
    const char *start = nullptr; // of objects that follow each other in memory
    const char *end = nullptr;
};

void hold_run(PoolWalk *walk) {
    if (walk->start == walk->end || !walk->result)
        return;
    const auto length = static_cast<std::uint64_t>(walk->end - walk->start);
    try { // rte_mempool_obj_iter() is C
        walk->result = memory().space().hold(iommufd::va_of(walk->start), length, walk->hold);
    } catch (const std::bad_alloc &) {
        walk->result = tl::make_unexpected(iommufd::Error{ENOMEM, {}, {}});
    }
}

// Objects lie one after another, so a pool is a few runs.
void hold_object(rte_mempool *pool, void *opaque, void *object, unsigned int /*index*/) {
    auto *walk = static_cast<PoolWalk *>(opaque);
    const char *start = static_cast<const char *>(object);
    const char *end = start + pool->elt_size;
    const std::size_t gap = pool->header_size + pool->trailer_size;
    if (walk->end != nullptr && start >= walk->end &&
        static_cast<std::size_t>(start - walk->end) <= gap) {
        walk->end = end;
        return;
    }
    hold_run(walk);
    walk->start = start;
    walk->end = end;
}

} // namespace

rte_iommufd_hold *rte_iommufd_hold_pool(rte_mempool *pool) {
    std::unique_ptr<Hold> hold;
    const int ret = guarded([&] {
        hold = std::make_unique<Hold>();
        PoolWalk walk{.hold = hold.get(), .result = {}};
        (void)rte_mempool_obj_iter(pool, hold_object, &walk);
        hold_run(&walk);
        if (walk.result)
            return 0;
        memory().space().release(hold.get());
        hold.reset();
        return log_error(pool->name, walk.result.error());
    });
    if (ret < 0)
        hold.reset();
    rte_errno = -ret;
    return reinterpret_cast<rte_iommufd_hold *>(hold.release());
}

void rte_iommufd_hold_release(rte_iommufd_hold *face) {
    const std::unique_ptr<Hold> hold(reinterpret_cast<Hold *>(face));
    if (hold)
        memory().space().release(hold.get());
}
