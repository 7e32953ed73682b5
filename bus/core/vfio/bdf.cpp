// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/vfio/bdf.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstdio>

namespace iommufd {
namespace {

// A hexadecimal number that ends at a separator, which is taken too; '\0' is the end.
bool take(std::string_view *text, char separator, std::uint32_t limit, std::uint32_t *value) {
    const char *last = text->data() + text->size();
    const auto [end, error] = std::from_chars(text->data(), last, *value, 16);
    if (error != std::errc{} || *value > limit)
        return false;
    if (separator == '\0')
        return end == last;
    if (end == last || *end != separator)
        return false;
    text->remove_prefix(static_cast<std::size_t>(end - text->data()) + 1);
    return true;
}

} // namespace

std::optional<std::string> normal_bdf(std::string_view name) {
    std::uint32_t domain = 0;
    std::uint32_t bus = 0;
    std::uint32_t device = 0;
    std::uint32_t function = 0;
    if (std::count(name.begin(), name.end(), ':') == 2 && !take(&name, ':', UINT32_MAX, &domain))
        return std::nullopt;
    if (!take(&name, ':', 0xff, &bus) || !take(&name, '.', 0x1f, &device) ||
        !take(&name, '\0', 7, &function))
        return std::nullopt;
    char text[32];
    (void)std::snprintf(text, sizeof(text), "%04x:%02x:%02x.%x", domain, bus, device, function);
    return text;
}

} // namespace iommufd
