// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/telemetry.hpp"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <dlfcn.h>

#include <rte_telemetry.h>

#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

// Of an answer, which is one message of 16 KiB (v22.11, lib/telemetry/telemetry.c, MAX_OUTPUT_LEN).
constexpr std::size_t max_lines = 128;

Told (*ask_library)();

// Unsigned numbers have had two names: _u64 until 23.03, _uint since (lib/telemetry). A call has
// the same form either way.
struct Functions {
    decltype(&::rte_telemetry_register_cmd) register_cmd = nullptr;
    decltype(&::rte_tel_data_start_dict) start_dict = nullptr;
    decltype(&::rte_tel_data_start_array) start_array = nullptr;
    decltype(&::rte_tel_data_add_array_string) add_string = nullptr;
    int (*add_number)(rte_tel_data *, const char *, std::uint64_t) = nullptr;

    template <class F>
    static void find(F *function, const char *name) {
        *function = reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
    }
    bool find_all() {
        find(&register_cmd, "rte_telemetry_register_cmd");
        find(&start_dict, "rte_tel_data_start_dict");
        find(&start_array, "rte_tel_data_start_array");
        find(&add_string, "rte_tel_data_add_array_string");
        find(&add_number, "rte_tel_data_add_dict_uint");
        if (add_number == nullptr)
            find(&add_number, "rte_tel_data_add_dict_u64");
        return register_cmd != nullptr && start_dict != nullptr && start_array != nullptr &&
               add_string != nullptr && add_number != nullptr;
    }
};
Functions functions;

int info(const char * /*cmd*/, const char * /*params*/, rte_tel_data *data) {
    return guarded(-1, [&] {
        const Told told = ask_library();
        (void)functions.start_dict(data);
        (void)functions.add_number(data, "devices", told.devices.size());
        (void)functions.add_number(data, "pinned_bytes", told.memory.bytes);
        (void)functions.add_number(data, "areas", told.memory.areas);
        (void)functions.add_number(data, "single_pages", told.memory.pages);
        (void)functions.add_number(data, "external_ranges", told.memory.external);
        return 0;
    });
}

// An array: a dictionary takes no name with ':' or '.' in it (v22.11, lib/telemetry/
// telemetry_data.c, valid_name()), as PCI addresses have.
int devices(const char * /*cmd*/, const char * /*params*/, rte_tel_data *data) {
    return guarded(-1, [&] {
        const Told told = ask_library();
        (void)functions.start_array(data, RTE_TEL_STRING_VAL);
        for (const auto &device : told.devices) {
            const char *use = device.in_use ? "" : " for addresses only";
            (void)functions.add_string(data, (device.bdf + " " + device.cdev + use).c_str());
        }
        return 0;
    });
}

int pinned(const char * /*cmd*/, const char *params, rte_tel_data *data) {
    return guarded(-1, [&] {
        const std::size_t first = params == nullptr ? 0 : std::strtoul(params, nullptr, 10);
        const Told told = ask_library();
        (void)functions.start_array(data, RTE_TEL_STRING_VAL);
        for (std::size_t i = first; i < told.pinned.size() && i - first < max_lines; ++i)
            (void)functions.add_string(data, pinned_text(told.pinned[i]).c_str());
        return 0;
    });
}

} // namespace

std::string pinned_text(const Virt2Phy::Pinned &pinned) {
    using For = Virt2Phy::Pinned::For;
    char text[100];
    (void)std::snprintf(text, sizeof(text), "va=0x%" PRIx64 " bytes=%" PRIu64 " for=%s",
                        raw(pinned.va), pinned.length,
                        pinned.what == For::eal       ? "eal"
                        : pinned.what == For::dma_map ? "dma_map"
                                                      : "virt2phy");
    return pinned.what == For::dma_map ? text + (" users=" + std::to_string(pinned.users)) : text;
}

void register_telemetry(Told (*ask)()) {
    ask_library = ask;
    if (!functions.find_all())
        return;
    (void)functions.register_cmd("/iommufd_preload/info", info,
                                 "Memory pinned for devices over iommufd. Takes no parameters");
    (void)functions.register_cmd("/iommufd_preload/devices", devices,
                                 "Devices over iommufd and their nodes. Takes no parameters");
    (void)functions.register_cmd(
        "/iommufd_preload/pinned", pinned,
        "Ranges that are pinned for devices, and for whom. Parameters: number of the first (0)");
}

} // namespace iommufd::preload
