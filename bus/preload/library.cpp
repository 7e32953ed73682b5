// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/library.hpp"

#include <cerrno>

#include <unistd.h>

#include "preload/log.hpp"
#include "preload/telemetry.hpp"

namespace iommufd::preload {
namespace {

// Set once there is one: munmap() is called by every program, before main() too.
std::atomic<Library *> the_library{nullptr};

void on_memory(rte_mem_event type, const void *addr, size_t length, void * /*arg*/) {
    (void)guarded(0, [&] {
        Virt2Phy &memory = library()->memory;
        if (type == RTE_MEM_EVENT_ALLOC)
            memory.added(va_of(addr), length);
        else
            memory.freed(va_of(addr), length);
        return 0;
    });
}

// EAL asks before each attempt to take memory; every answer is yes.
int on_allocation(int /*socket*/, size_t /*limit*/, size_t /*length*/) {
    return guarded(0, [] {
        library()->memory.before_allocation();
        return 0;
    });
}

LentDescriptor lend(const std::string &bdf) {
    Library &p = *library();
    const LockGuard lock(p.mutex);
    if (!p.devices.attached())
        return {};
    if (bdf.empty())
        return {.fd = p.memory.space().iommufd(), .ioas = p.memory.space().ioas()};
    return {.fd = p.devices.cdev(bdf), .ioas = p.memory.space().ioas()};
}

} // namespace

Library *library() {
    static Library *found = [] {
        auto *made = eal() == nullptr ? nullptr : new Library(*eal());
        the_library = made;
        return made;
    }();
    return found;
}

bool is_secondary(const Library &p) {
    return p.eal.rte_eal_process_type() == RTE_PROC_SECONDARY;
}

void register_callbacks(Library &p) {
    if (p.has_callbacks)
        return;
    p.has_callbacks = true;
    // Static memory (--legacy-mem) has no events.
    (void)p.eal.rte_mem_event_callback_register("iommufd_preload", on_memory, nullptr);
    for (int socket = 0; socket < RTE_MAX_NUMA_NODES; ++socket)
        (void)p.eal.rte_mem_alloc_validator_register("iommufd_preload", on_allocation, socket, 0);
    serve_secondaries(p.eal, lend);
    register_telemetry([] {
        Library &all = *library();
        Told told{.memory = all.memory.census(), .pinned = all.memory.pinned(), .devices = {}};
        const LockGuard lock(all.mutex);
        told.devices = all.devices.held();
        return told;
    });
}

bool is_ours(Library &p) {
    if (p.ours)
        return true;
    const LockGuard lock(p.mutex);
    p.ours = p.devices.any();
    return p.ours;
}

bool is_attached(Library &p) {
    const LockGuard lock(p.mutex);
    return p.devices.attached();
}

int unmap_and_release(void *memory, std::size_t length, PagePins::Unmap unmap) {
    Library *p = the_library;
    if (p == nullptr)
        return unmap(memory, length);
    if (p->memory.has_pages())
        return p->memory.unmap_and_release(memory, length, unmap);
    if (p->pages_of != getpid()) // a secondary process has pins of its own
        return unmap(memory, length);
    const LockGuard lock(p->mutex);
    return p->pages.unmap_and_release(memory, length, unmap);
}

} // namespace iommufd::preload
