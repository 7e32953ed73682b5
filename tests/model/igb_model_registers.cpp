// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The driver's registers and its time, over the models of this process: in place of
// hw/igb_osdep.cpp. A model is found by where its BAR is, as a device is.

#include <cstdio>
#include <cstdlib>
#include <map>

#include "igb_model.hpp"

namespace model {

namespace {

std::map<const void *, Igb *> &models() {
    static auto &all = *new std::map<const void *, Igb *>; // outlives every model

    return all;
}

} // namespace

void Igb::enter() {
    models()[bar()] = this;
}

Igb::~Igb() {
    models().erase(bar());
}

Igb &Igb::at_bar(const void *bar) {
    const auto found = models().find(bar);

    if (found == models().end()) {
        std::fprintf(stderr, "there is no device at BAR %p\n", bar);
        std::abort();
    }
    return *found->second;
}

} // namespace model

namespace igb {

std::uint32_t Registers::read(std::uint32_t offset) const {
    return model::Igb::at_bar(bar_).read(offset);
}

void Registers::write(std::uint32_t offset, std::uint32_t value) const {
    model::Igb::at_bar(bar_).write(offset, value);
}

std::uint64_t Registers::now_us() const {
    return model::Igb::at_bar(bar_).now_us();
}

void Registers::sleep_us(std::uint32_t us) const {
    model::Igb::at_bar(bar_).sleep_us(us);
}

} // namespace igb
