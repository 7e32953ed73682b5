// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What --check and --status print.

#include <algorithm>
#include <string>

#include <nlohmann/json.hpp>

#include "check.hpp"

namespace run {
namespace {

using Json = nlohmann::ordered_json;

const char *name_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::fine:
        return "ok";
    case Verdict::note:
        return "note";
    default:
        return "missing";
    }
}

std::string padded(std::string text, std::size_t width) {
    text.resize(std::max(text.size(), width), ' ');
    return text;
}

// Paths and names of processes may hold any bytes: what is not UTF-8 is replaced.
std::string dump(const Json &value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json json_of(const Function &f) {
    return {{"bdf", f.bdf},
            {"class", f.class_id},
            {"vendor", f.vendor_id},
            {"device", f.device_id},
            {"driver", f.driver},
            {"cdev", f.cdev.empty() ? "" : "/dev/vfio/devices/" + f.cdev},
            {"group", f.group},
            {"iommu", f.has_iommu},
            {"numa_node", f.numa_node},
            {"interrupts", f.interrupts},
            {"ready", f.is_ready()}};
}

std::string counted(std::size_t number, const char *one, const char *several) {
    return std::to_string(number) + (number == 1 ? one : several);
}

} // namespace

std::string to_text(const std::vector<Finding> &findings) {
    std::size_t width = 0;
    for (const Finding &f : findings)
        width = std::max(width, f.subject.size());
    std::string text;
    std::size_t missing = 0;
    for (const Finding &f : findings) {
        missing += f.verdict == Verdict::missing ? 1 : 0;
        text += padded(name_of(f.verdict), 8) + padded(f.subject, width + 2) + f.text + "\n";
        if (!f.remedy.empty())
            text += std::string(8, ' ') + padded("", width + 2) + "-> " + f.remedy + "\n";
    }
    return text + (missing == 0 ? "An application can start.\n"
                                : counted(missing, " thing is", " things are") +
                                      " missing before an application can start.\n");
}

std::string to_json(const std::vector<Finding> &findings, const Host &host) {
    Json all{{"ready", is_ready(findings)},
             {"kernel", host.release},
             {"findings", Json::array()},
             {"devices", Json::array()},
             {"hugepages", Json::array()}};
    for (const Finding &f : findings)
        all["findings"].push_back({{"subject", f.subject},
                                   {"verdict", name_of(f.verdict)},
                                   {"text", f.text},
                                   {"remedy", f.remedy}});
    for (const Function &f : host.functions)
        all["devices"].push_back(json_of(f));
    for (const HugepagePool &pool : host.pools)
        all["hugepages"].push_back({{"node", pool.node},
                                    {"page_size", pool.page_size},
                                    {"total", pool.total},
                                    {"free", pool.free}});
    return dump(all);
}

std::string status_text(const Host &host, const HostPaths &paths) {
    std::string text;
    for (const Function &f : host.functions) {
        if (f.cdev.empty())
            continue;
        const auto holders = find_holders(f, paths);
        text += f.bdf + "  /dev/vfio/devices/" + f.cdev + (holders.empty() ? "  free\n" : "\n");
        for (const Holder &holder : holders)
            text += "    " + std::to_string(holder.pid) + " " + holder.name + ", uid " +
                    std::to_string(holder.uid) + ", " + std::to_string(holder.pinned >> 20) +
                    " MiB pinned" +
                    (holder.runtime.empty() ? "" : ", RUNTIME_DIRECTORY=" + holder.runtime) + "\n";
    }
    return text.empty() ? "No device has a vfio node.\n" : text;
}

std::string status_json(const Host &host, const HostPaths &paths) {
    Json all{{"devices", Json::array()}};
    for (const Function &f : host.functions) {
        if (f.cdev.empty())
            continue;
        Json device = json_of(f);
        device["clients"] = Json::array();
        for (const Holder &holder : find_holders(f, paths))
            device["clients"].push_back({{"pid", holder.pid},
                                         {"uid", holder.uid},
                                         {"name", holder.name},
                                         {"pinned_bytes", holder.pinned},
                                         {"runtime_directory", holder.runtime}});
        all["devices"].push_back(std::move(device));
    }
    return dump(all);
}

} // namespace run
