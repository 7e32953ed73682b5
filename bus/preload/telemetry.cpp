// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/telemetry.hpp"

#include <cstdint>
#include <string>

#include <dlfcn.h>

#include <rte_telemetry.h>

#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

Virt2Phy::Census (*ask_census)(std::vector<Devices::Held> *held);

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
        std::vector<Devices::Held> held;
        const Virt2Phy::Census census = ask_census(&held);
        (void)functions.start_dict(data);
        (void)functions.add_number(data, "devices", held.size());
        (void)functions.add_number(data, "pinned_bytes", census.bytes);
        (void)functions.add_number(data, "areas", census.areas);
        (void)functions.add_number(data, "single_pages", census.pages);
        (void)functions.add_number(data, "external_ranges", census.external);
        return 0;
    });
}

// An array: a dictionary takes no name with ':' or '.' in it (v22.11, lib/telemetry/
// telemetry_data.c, valid_name()), as PCI addresses have.
int devices(const char * /*cmd*/, const char * /*params*/, rte_tel_data *data) {
    return guarded(-1, [&] {
        std::vector<Devices::Held> held;
        (void)ask_census(&held);
        (void)functions.start_array(data, RTE_TEL_STRING_VAL);
        for (const auto &device : held) {
            const char *use = device.in_use ? "" : " for addresses only";
            (void)functions.add_string(data, (device.bdf + " " + device.cdev + use).c_str());
        }
        return 0;
    });
}

} // namespace

void register_telemetry(Virt2Phy::Census (*ask)(std::vector<Devices::Held> *held)) {
    ask_census = ask;
    if (!functions.find_all())
        return;
    (void)functions.register_cmd("/iommufd_preload/info", info,
                                 "Memory pinned for devices over iommufd. Takes no parameters");
    (void)functions.register_cmd("/iommufd_preload/devices", devices,
                                 "Devices over iommufd and their nodes. Takes no parameters");
}

} // namespace iommufd::preload
