// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The functions that have to do with memory; the table of all is in interpose.cpp.

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include "preload/library.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

using DmaFunction = decltype(&::rte_vfio_container_dma_map);

// A refusal that would repeat itself for every page is said once.
phys_addr_t no_address(Library &p, const char *who, const Error &error) {
    const bool first = !p.has_complained.exchange(true);
    log(first ? RTE_LOG_ERR : RTE_LOG_DEBUG, "%s: %s", who, error.message().c_str());
    return RTE_BAD_IOVA;
}

phys_addr_t physical_of_secondary(Library &p, const void *address) {
    const rte_memseg_list *msl = p.eal.rte_mem_virt2memseg_list(address);
    if (msl != nullptr) {
        const rte_memseg *ms = p.eal.rte_mem_virt2memseg(address, msl);
        if (ms == nullptr || ms->len == 0 || ms->iova == RTE_BAD_IOVA)
            return RTE_BAD_IOVA;
        return ms->iova + (va_of(address) - va_of(ms->addr)); // the primary has pinned it
    }
    const LockGuard lock(p.mutex);
    const bool is_first = p.lent.fd < 0; // rte_eal_init()'s test of a variable on its stack
    if (is_first) {
        auto lent = ask_primary(broker::process_kernel(), p.eal, "");
        if (!lent)
            return no_address(p, "secondary process", lent.error());
        p.lent = *lent;
        p.pages_of = getpid();
        p.pages.use(lent->fd, lent->ioas, static_cast<std::uint32_t>(getpid()));
    }
    const Va va = va_of(address);
    auto pa = is_first ? p.pages.probe(va) : p.pages.pin(va);
    return pa ? *pa : no_address(p, "physical address", pa.error());
}

// How long a device stays attached that the application has released. EAL holds its memory lock
// until it has all pages of an attempt.
constexpr std::uint64_t moment_us = 100'000;

void end_moment(void * /*arg*/) {
    (void)guarded(0, [] {
        Library &p = *library();
        p.eal.rte_mcfg_mem_read_lock();
        {
            const LockGuard lock(p.mutex);
            p.devices.end_moment();
        }
        p.eal.rte_mcfg_mem_read_unlock();
        return 0;
    });
}

phys_addr_t physical(Library &p, const void *address) {
    p.was_asked = true;
    if (is_secondary(p))
        return physical_of_secondary(p, address);
    const LockGuard lock(p.mutex);
    register_callbacks(p);
    const bool attached = p.devices.attached();
    if (auto ok = p.devices.attach_any(); !ok) {
        if (p.eal.rte_eal_iova_mode() == RTE_IOVA_DC) // not chosen yet
            p.start_error = ok.error().message();
        return no_address(p, "no device for physical addresses", ok.error());
    }
    if (!attached && p.devices.is_for_a_moment())
        (void)p.eal.rte_eal_alarm_set(moment_us, end_moment, nullptr);
    auto pa = p.memory.physical(address);
    return pa ? *pa : no_address(p, "physical address", pa.error());
}

// ours(Library &) for the default container while a device is attached, else DPDK's own function.
template <class F>
int with_external_memory(DmaFunction EalApi::*next, int container, std::uint64_t va,
                         std::uint64_t iova, std::uint64_t length, F &&ours) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return -1;
        if (container != RTE_VFIO_DEFAULT_CONTAINER_FD || !is_attached(*p))
            return (p->eal.*next)(container, va, iova, length);
        auto ok = ours(*p);
        return ok ? 0 : log_error("external memory", ok.error());
    });
}

int dma_map(DmaFunction EalApi::*next, int container, std::uint64_t va, std::uint64_t iova,
            std::uint64_t length) {
    return with_external_memory(next, container, va, iova, length, [&](Library &p) {
        return p.memory.map_external(Va{va}, iova, length);
    });
}

int dma_unmap(DmaFunction EalApi::*next, int container, std::uint64_t va, std::uint64_t iova,
              std::uint64_t length) {
    return with_external_memory(next, container, va, iova, length, [&](Library &p) {
        return p.memory.unmap_external(Va{va}, length);
    });
}

} // namespace
} // namespace iommufd::preload

using namespace iommufd;
using namespace iommufd::preload;

extern "C" {

[[gnu::visibility("default")]] phys_addr_t rte_mem_virt2phy(const void *virt) {
    return guarded<phys_addr_t>(RTE_BAD_IOVA, [&]() -> phys_addr_t {
        Library *p = library();
        if (p == nullptr)
            return RTE_BAD_IOVA;
        p->was_asked = true;
        return is_ours(*p) ? physical(*p, virt) : p->eal.rte_mem_virt2phy(virt);
    });
}

[[gnu::visibility("default")]] int rte_vfio_container_dma_map(int container_fd, uint64_t vaddr,
                                                              uint64_t iova, uint64_t len) {
    return dma_map(&EalApi::rte_vfio_container_dma_map, container_fd, vaddr, iova, len);
}

[[gnu::visibility("default")]] int rte_vfio_container_dma_unmap(int container_fd, uint64_t vaddr,
                                                                uint64_t iova, uint64_t len) {
    return dma_unmap(&EalApi::rte_vfio_container_dma_unmap, container_fd, vaddr, iova, len);
}

[[gnu::visibility("default")]] int dev_vfio_container_dma_map(int container_fd, uint64_t vaddr,
                                                              uint64_t iova, uint64_t len) {
    return dma_map(&EalApi::dev_vfio_container_dma_map, container_fd, vaddr, iova, len);
}

[[gnu::visibility("default")]] int dev_vfio_container_dma_unmap(int container_fd, uint64_t vaddr,
                                                                uint64_t iova, uint64_t len) {
    return dma_unmap(&EalApi::dev_vfio_container_dma_unmap, container_fd, vaddr, iova, len);
}

// librte_mempool gives the memory of an anonymous pool back so, and vhost that of a guest.
[[gnu::visibility("default")]] int munmap(void *addr, size_t length) noexcept {
    static const auto next = reinterpret_cast<PagePins::Unmap>(dlsym(RTLD_NEXT, "munmap"));
    return guarded(-1, [&] { return unmap_and_release(addr, length, next); });
}

[[gnu::visibility("default")]] int rte_extmem_unregister(void *va_addr, size_t len) {
    return guarded(-1, [&] {
        Library *p = library();
        if (p == nullptr)
            return -1;
        const int ret = p->eal.rte_extmem_unregister(va_addr, len);
        if (ret == 0 && p->memory.has_pages())
            p->memory.release(va_of(va_addr), len);
        return ret;
    });
}

} // extern "C"
