// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Holds as bus_iommufd_driver.h has them: the C name is a view of the C++ object.

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_mempool.h>

#include "core/sys/guarded.hpp"
#include "iommufd/bus_iommufd_driver.h"
#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

using iommufd::HeldBy;
using iommufd::Hold;
using iommufd::Result;
using iommufd::eal::guarded;
using iommufd::eal::log_error;
using iommufd::eal::process_memory;

namespace {

// Objects or buffers one by one, of which those that follow each other closely are held together.
struct HoldWalk {
    Hold *hold;
    std::size_t gap = 0; // bytes between two of them that belong together
    Result<void> result{};
    const char *start = nullptr; // of the run so far
    const char *end = nullptr;
};

// Walks of a pool are C: nothing is thrown across.
template <class F>
void unless_failed(Result<void> *result, F &&f) {
    if (!*result)
        return;
    (void)iommufd::catch_all(
        [&] {
            *result = f();
            return 0;
        },
        [&](int code, const char *) {
            *result = tl::make_unexpected(iommufd::Error{code, {}, {}});
            return 0;
        });
}

void hold_run(HoldWalk *walk) {
    if (walk->start == walk->end)
        return;
    const auto length = static_cast<std::uint64_t>(walk->end - walk->start);
    unless_failed(&walk->result,
                  [=] { return walk->hold->add(iommufd::va_of(walk->start), length); });
}

void hold_next(HoldWalk *walk, const void *memory, std::size_t length) {
    const char *start = static_cast<const char *>(memory);
    const char *end = start + length;
    if (walk->end != nullptr && start >= walk->end &&
        static_cast<std::size_t>(start - walk->end) <= walk->gap) {
        walk->end = end;
        return;
    }
    hold_run(walk);
    walk->start = start;
    walk->end = end;
}

void hold_object(rte_mempool *pool, void *opaque, void *object, unsigned int /*index*/) {
    hold_next(static_cast<HoldWalk *>(opaque), object, pool->elt_size);
}

bool has_external_buffers(rte_mempool *pool) {
    return (rte_pktmbuf_priv_flags(pool) & RTE_PKTMBUF_POOL_F_PINNED_EXT_BUF) != 0;
}

// The buffer that an mbuf has in its pool: an mbuf in use may show another one's.
void hold_buffer(rte_mempool *pool, void *opaque, void *object, unsigned int /*index*/) {
    auto *walk = static_cast<HoldWalk *>(opaque);
    auto *mbuf = static_cast<rte_mbuf *>(object);
    if (has_external_buffers(pool))
        hold_next(walk, mbuf->buf_addr, mbuf->buf_len);
    else
        hold_next(walk, rte_mbuf_to_baddr(mbuf), rte_pktmbuf_data_room_size(pool));
}

struct MapWalk {
    std::vector<iommufd::Va> mapped{}; // by this walk
    Result<void> result{};
};

// What EAL does not know was given to the pool alone (rte_mempool_populate_anon(),
// rte_mempool_populate_virt()), so that nobody else may have mapped it.
void map_chunk(rte_mempool *pool, void *opaque, rte_mempool_memhdr *chunk, unsigned int /*index*/) {
    auto *walk = static_cast<MapWalk *>(opaque);
    if (rte_mem_virt2memseg_list(chunk->addr) != nullptr)
        return;
    const char *start = RTE_PTR_ALIGN_FLOOR(static_cast<char *>(chunk->addr), iommufd::page_4k);
    const char *end =
        RTE_PTR_ALIGN_CEIL(static_cast<char *>(chunk->addr) + chunk->len, iommufd::page_4k);
    unless_failed(&walk->result, [=]() -> Result<void> {
        walk->mapped.reserve(walk->mapped.size() + 1);
        if (TRY(process_memory().map_pool_memory(pool, iommufd::va_of(start),
                                                 static_cast<std::uint64_t>(end - start))))
            walk->mapped.push_back(iommufd::va_of(start));
        return {};
    });
}

// A new hold, filled by Result<void>(Hold *). NULL with rte_errno set if that fails; nothing is
// held then.
template <class F>
rte_iommufd_hold *make_hold(const char *who, HeldBy by, F &&fill) {
    std::unique_ptr<Hold> hold;
    const int ret = guarded([&] {
        auto made = std::make_unique<Hold>(process_memory().space(), by);
        if (const Result<void> result = fill(made.get()); !result)
            return log_error(who, result.error());
        hold = std::move(made);
        return 0;
    });
    rte_errno = -ret;
    return reinterpret_cast<rte_iommufd_hold *>(hold.release());
}

Result<void> hold_buffers(rte_mempool *pool, Hold *hold) {
    HoldWalk walk{.hold = hold};
    if (!has_external_buffers(pool))
        walk.gap = pool->header_size + pool->elt_size + pool->trailer_size -
                   rte_pktmbuf_data_room_size(pool);
    (void)rte_mempool_obj_iter(pool, hold_buffer, &walk);
    hold_run(&walk);
    return walk.result;
}

} // namespace

rte_iommufd_hold *rte_iommufd_hold_pool(rte_mempool *pool) {
    return make_hold(pool->name, HeldBy::queue, [=](Hold *hold) {
        HoldWalk walk{.hold = hold, .gap = pool->header_size + pool->trailer_size};
        (void)rte_mempool_obj_iter(pool, hold_object, &walk);
        hold_run(&walk);
        return walk.result;
    });
}

rte_iommufd_hold *rte_iommufd_hold_buffers(rte_mempool *pool) {
    return make_hold(pool->name, HeldBy::queue, [=](Hold *hold) {
        MapWalk map;
        if (!has_external_buffers(pool))
            (void)rte_mempool_mem_iter(pool, map_chunk, &map);
        Result<void> result = map.result ? hold_buffers(pool, hold) : map.result;
        if (!result) {
            hold->release();
            for (const iommufd::Va va : map.mapped)
                process_memory().unmap_pool_memory(pool, va);
        }
        return result;
    });
}

rte_iommufd_hold *rte_iommufd_hold_memory(const void *addr, size_t len) {
    return make_hold("rte_iommufd_hold_memory", HeldBy::pool,
                     [=](Hold *hold) { return hold->add(iommufd::va_of(addr), len); });
}

void rte_iommufd_hold_release(rte_iommufd_hold *hold) {
    delete reinterpret_cast<Hold *>(hold);
}
