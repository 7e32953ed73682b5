// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/virt2phy.hpp"

#include <cinttypes>
#include <utility>

#include "preload/eal_api.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

EalFunctions memory_functions(const EalApi &eal) {
    return {
        .virt2memseg_list = eal.rte_mem_virt2memseg_list,
        .virt2memseg = eal.rte_mem_virt2memseg,
        .memseg_list_walk = eal.rte_memseg_list_walk_thread_unsafe,
        .memseg_walk = eal.rte_memseg_walk_thread_unsafe,
    };
}

} // namespace

Virt2Phy::Virt2Phy(Kernel &kernel, const EalApi &eal)
    : eal_(eal), space_(kernel, table_),
      mirror_(space_, table_, memory_functions(eal), {.compares_iova = true}, *this),
      external_(space_, table_, true), pages_(kernel) {}

void Virt2Phy::failed(const char *what, const Error &error) {
    (void)log_error(what, error);
}

void Virt2Phy::still_used(const char *what, Va va, std::uint64_t length) {
    log(RTE_LOG_ERR,
        "%s: 0x%" PRIx64 " bytes at 0x%" PRIx64
        " stay pinned, as a device that could not be stopped may still reach them",
        what, length, raw(va));
}

void Virt2Phy::first_attached() {
    const LockGuard lock(mutex_);
    pages_.use(space_.iommufd(), space_.ioas(), 0);
}

Result<void> Virt2Phy::start() {
    const LockGuard lock(mutex_);
    if (started_)
        return {};
    TRY(mirror_.start());
    pages_.sweep(); // of the first places of --legacy-mem
    started_ = true;
    log(RTE_LOG_INFO, "%" PRIu64 " MiB pinned and compared in %zu areas",
        space_.bytes_mapped() >> 20, space_.areas());
    return {};
}

void Virt2Phy::stop() {
    const LockGuard lock(mutex_);
    if (auto ok = space_.unmap_all(); !ok)
        failed("unmapping", ok.error());
    if (space_.keeps_pins())
        pages_.abandon();
    else
        pages_.release_all();
    pages_of_ = -1;
    mirror_.clear();
    external_.clear();
    started_ = false;
}

Result<std::uint64_t> Virt2Phy::physical(const void *address) {
    const Va va = va_of(address);
    if (!mirror_.has_pending())
        if (const auto dma = table_.lookup(va))
            return raw(*dma);

    const LockGuard lock(mutex_);
    if (!std::exchange(was_asked_, true) && !has_memory())
        return pages_.probe(va);
    if (const auto dma = TRY(mirror_.pin_asked(address)))
        return raw(*dma);
    if (const auto dma = table_.lookup(va))
        return raw(*dma);
    pages_of_ = getpid();
    return pages_.pin(va);
}

bool Virt2Phy::has_memory() const {
    const auto found = [](const rte_memseg_list * /*msl*/, void * /*arg*/) { return 1; };
    return eal_.rte_memseg_list_walk_thread_unsafe(found, nullptr) != 0;
}

void Virt2Phy::added(Va va, std::uint64_t length) {
    mirror_.added(va, length);
}

void Virt2Phy::freed(Va va, std::uint64_t length) {
    {
        const LockGuard lock(mutex_);
        if (!space_.keeps_pins())
            pages_.release(va, length);
    }
    mirror_.freed(va, length);
}

Result<void> Virt2Phy::map_external(Va va, std::uint64_t iova, std::uint64_t length) {
    const LockGuard lock(mutex_);
    return external_.map(nullptr, va, length, iova);
}

Result<void> Virt2Phy::unmap_external(Va va, std::uint64_t length) {
    const LockGuard lock(mutex_);
    TRY(external_.unmap(nullptr, va, length));
    if (external_.users(va) == 0 && !space_.keeps_pins())
        pages_.release(va, length); // those that were asked about before
    return {};
}

int Virt2Phy::unmap_and_release(void *memory, std::size_t length, PagePins::Unmap unmap) {
    const LockGuard lock(mutex_); // nobody asks about what comes to the same place before that
    return space_.keeps_pins() ? unmap(memory, length)
                               : pages_.unmap_and_release(memory, length, unmap);
}

void Virt2Phy::release(Va va, std::uint64_t length) {
    const LockGuard lock(mutex_);
    if (!space_.keeps_pins())
        pages_.release(va, length);
}

std::vector<Virt2Phy::Pinned> Virt2Phy::pinned() {
    std::vector<Pinned> all;
    const LockGuard lock(mutex_);
    for (const auto &[va, length] : mirror_.ranges())
        all.push_back({Va{va}, length, Pinned::For::eal, 0});
    for (const auto &[va, length, users] : external_.ranges())
        all.push_back({Va{va}, length, Pinned::For::dma_map, users});
    for (const auto &[va, length] : pages_.ranges())
        all.push_back({Va{va}, length, Pinned::For::virt2phy, 0});
    return all;
}

Virt2Phy::Census Virt2Phy::census() {
    const LockGuard lock(mutex_);
    return {space_.bytes_mapped(), space_.areas(), pages_.count(), external_.size()};
}

} // namespace iommufd::preload
