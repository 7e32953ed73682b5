// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "iommufd/bus_devargs.hpp"

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include <rte_kvargs.h>
#include <rte_lcore.h>

#include "iommufd/log.hpp"
#include "iommufd/process_memory.hpp"

namespace iommufd::eal {
namespace {

constexpr const char *arena_key = "arena";
constexpr const char *arena_page_key = "arena_page";
constexpr const char *arena_full_key = "arena_full";
constexpr const char *rlimit_mode_key = "rlimit_mode";

tl::unexpected<Error> bad(const char *key, const std::string &value, const char *want) {
    return failure(-EINVAL, std::string("device argument ") + key + "=" + value, want);
}

// "512M", "2G", "2097152"; 0 if it is none.
std::uint64_t parse_size(const char *text) {
    if (*text < '0' || *text > '9')
        return 0;
    char *end = nullptr;
    errno = 0;
    const std::uint64_t number = std::strtoull(text, &end, 10);
    if (errno != 0)
        return 0;
    unsigned int shift = 0;
    switch (*end) {
    case 'K':
    case 'k':
        shift = 10;
        break;
    case 'M':
    case 'm':
        shift = 20;
        break;
    case 'G':
    case 'g':
        shift = 30;
        break;
    default:
        break;
    }
    if (shift != 0)
        ++end;
    return *end == '\0' && number <= UINT64_MAX >> shift ? number << shift : 0;
}

} // namespace

const char *const bus_devargs[] = {arena_key, arena_page_key, arena_full_key, rlimit_mode_key,
                                   nullptr};

Result<BusDevargs> parse_bus_devargs(const rte_devargs *devargs) {
    BusDevargs options;
    if (devargs == nullptr || devargs->args == nullptr)
        return options;
    const std::unique_ptr<rte_kvargs, decltype(&rte_kvargs_free)> args(
        rte_kvargs_parse(devargs->args, nullptr), rte_kvargs_free);
    if (!args)
        return options; // none, or not a list, which check_devargs() has said
    if (const char *value = rte_kvargs_get(args.get(), arena_key)) {
        options.arena = parse_size(value);
        if (options.arena == 0)
            return bad(arena_key, value, "a size above 0 such as 512M or 2G is wanted");
    }
    if (const char *value = rte_kvargs_get(args.get(), arena_page_key)) {
        options.arena_page_size = parse_size(value);
        if (options.arena_page_size != page_2m && options.arena_page_size != page_1g)
            return bad(arena_page_key, value, "2M or 1G is wanted");
    }
    if (const char *value = rte_kvargs_get(args.get(), arena_full_key)) {
        options.arena_required = std::string(value) == "fail";
        if (!options.arena_required && std::string(value) != "hugepages")
            return bad(arena_full_key, value, "hugepages or fail is wanted");
    }
    if (const char *value = rte_kvargs_get(args.get(), rlimit_mode_key)) {
        if (std::string(value) == "process")
            options.rlimit_mode = AddressSpace::RlimitMode::process;
        else if (std::string(value) == "user")
            options.rlimit_mode = AddressSpace::RlimitMode::user;
        else
            return bad(rlimit_mode_key, value, "user or process is wanted");
    }
    return options;
}

Result<void> set_rlimit_mode(const BusDevargs &options) {
    AddressSpace &space = process_memory().space();
    if (!options.rlimit_mode || *options.rlimit_mode == space.rlimit_mode())
        return {};
    if (space.is_open())
        return bad(rlimit_mode_key, "...",
                   "the address space exists already; give it to the first device");
    space.set_rlimit_mode(*options.rlimit_mode);
    return {};
}

Result<void> make_pool_arena(const BusDevargs &options, int node) {
    if (options.arena == 0)
        return {};
    // An arena that is bound to no node would be every pool's.
    if (node < 0 && rte_socket_count() > 1)
        node = static_cast<int>(rte_socket_id());
    ProcessMemory &memory = process_memory();
    const bool is_first = !memory.pool_arenas();
    if (!memory.offer_pool_arenas({.length = options.arena,
                                   .page_size = options.arena_page_size,
                                   .required = options.arena_required}))
        return bad(arena_key, std::to_string(options.arena >> 20) + "M",
                   "the process has arenas of another kind; give all devices the same arguments");
    auto arena = memory.pool_arena(node);
    if (!arena && is_first)
        memory.withdraw_pool_arenas();
    TRY(std::move(arena));
    return {};
}

} // namespace iommufd::eal
