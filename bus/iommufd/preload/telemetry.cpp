// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "telemetry.hpp"

#include <cstdint>
#include <string>

#include <dlfcn.h>

#include <rte_telemetry.h>

#include "log.hpp"

namespace iommufd::preload {
namespace {

Memory::Census (*ask_census)(std::vector<Devices::Held> *held);

// Unsigned numbers have had two names: _u64 until 23.03, _uint since (lib/telemetry). A call has
// the same form either way.
struct Functions {
    decltype(&::rte_telemetry_register_cmd) register_cmd = nullptr;
    decltype(&::rte_tel_data_start_dict) start_dict = nullptr;
    decltype(&::rte_tel_data_add_dict_string) add_string = nullptr;
    int (*add_number)(rte_tel_data *, const char *, std::uint64_t) = nullptr;

    template <class F>
    static void find(F *function, const char *name) {
        *function = reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name));
    }
    bool find_all() {
        find(&register_cmd, "rte_telemetry_register_cmd");
        find(&start_dict, "rte_tel_data_start_dict");
        find(&add_string, "rte_tel_data_add_dict_string");
        find(&add_number, "rte_tel_data_add_dict_uint");
        if (add_number == nullptr)
            find(&add_number, "rte_tel_data_add_dict_u64");
        return register_cmd != nullptr && start_dict != nullptr && add_string != nullptr &&
               add_number != nullptr;
    }
};
Functions functions;

int info(const char * /*cmd*/, const char * /*params*/, rte_tel_data *data) {
    return guarded(-1, [&] {
        std::vector<Devices::Held> held;
        const Memory::Census census = ask_census(&held);
        (void)functions.start_dict(data);
        for (const auto &device : held)
            (void)functions.add_string(
                data, device.bdf.c_str(),
                (device.cdev + (device.in_use ? "" : ", for addresses only")).c_str());
        (void)functions.add_number(data, "pinned_bytes", census.bytes);
        (void)functions.add_number(data, "areas", census.areas);
        (void)functions.add_number(data, "single_pages", census.pages);
        (void)functions.add_number(data, "external_ranges", census.external);
        return 0;
    });
}

} // namespace

void register_telemetry(Memory::Census (*ask)(std::vector<Devices::Held> *held)) {
    ask_census = ask;
    if (functions.find_all())
        (void)functions.register_cmd("/iommufd_preload/info", info,
                                     "Devices over iommufd and the memory pinned for them. "
                                     "Takes no parameters");
}

} // namespace iommufd::preload
