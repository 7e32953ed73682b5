// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "device.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <emmintrin.h>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

namespace {

std::vector<Device *> &devices() {
    static std::vector<Device *> all;
    return all;
}

void flush(std::uint64_t address) {
    _mm_clflush(reinterpret_cast<const void *>(address));
}

void flush(const volatile Descriptor &descriptor) {
    _mm_clflush(const_cast<const Descriptor *>(&descriptor));
}

} // namespace

Device::Device(const NicModel &model) : model_(model), registers_(model.register_space) {
    model.power_on(registers_);
    devices().push_back(this);
}

Device::~Device() {
    std::erase(devices(), this);
}

void Device::react_all() {
    for (Device *device : devices())
        device->model_.react(device->registers_);
}

volatile Descriptor *Device::ring(const NicModel::Queue &queue, unsigned int &mask) {
    const std::uint64_t address =
        std::uint64_t{registers_[queue.base_high]} << 32 | registers_[queue.base_low];
    const unsigned int count =
        static_cast<unsigned int>(registers_[queue.length] / sizeof(Descriptor));

    if (address == 0 || !std::has_single_bit(count))
        throw std::runtime_error(std::string(model_.name) + ": a ring of " + std::to_string(count) +
                                 " descriptors");
    mask = count - 1;
    return reinterpret_cast<volatile Descriptor *>(address);
}

void Device::open_rings() {
    rx_ring_ = ring(model_.rx, rx_mask_);
    tx_ring_ = ring(model_.tx, tx_mask_);
    rx_head_ = 0;
    tx_head_ = 0;
}

Descriptor Device::native_form(const Descriptor &written) const {
    constexpr std::uint64_t errors = rx::L4E | rx::IPE;

    return {.lo = written.lo,
            .hi = (written.hi & ~errors) | (written.hi & errors) << model_.error_shift};
}

void Device::write_back(const Descriptor &written) {
    volatile Descriptor &descriptor = rx_ring_[rx_head_];

    descriptor.lo = written.lo;
    descriptor.hi = written.hi; // DD last; x86 keeps the order of stores
    rx_head_ = (rx_head_ + 1) & rx_mask_;
}

void Device::receive(const Descriptor &written, unsigned int count, Cache cache) {
    const Descriptor own = native_form(written);
    const unsigned int first = rx_head_;

    require_posted(count);
    for (unsigned int i = 0; i < count; i++) {
        if (cache == Cache::flushed)
            flush_payload();
        write_back(own);
    }
    if (cache == Cache::flushed)
        flush_written(first, count);
}

void Device::receive(std::span<const Descriptor> packet, unsigned int count, Cache cache) {
    const auto needed = static_cast<unsigned int>(packet.size() * count);
    const unsigned int first = rx_head_;

    require_posted(needed);
    for (unsigned int i = 0; i < count; i++) {
        for (const Descriptor &written : packet) {
            if (cache == Cache::flushed)
                flush_payload();
            write_back(native_form(written));
        }
    }
    if (cache == Cache::flushed)
        flush_written(first, needed);
}

void Device::require_posted(unsigned int count) {
    if (rx_posted() < count)
        throw std::runtime_error(std::string(model_.name) + ": the driver has given " +
                                 std::to_string(rx_posted()) + " buffers, " +
                                 std::to_string(count) + " are needed");
}

void Device::flush_payload() const {
    flush(rx_ring_[rx_head_].lo);
}

void Device::flush_written(unsigned int first, unsigned int count) const {
    for (unsigned int i = 0; i < count; i++)
        flush(rx_ring_[(first + i) & rx_mask_]);
    _mm_mfence();
}

void Device::complete(unsigned int index) {
    volatile Descriptor &descriptor = tx_ring_[index];

    if (descriptor.hi & tx::RS) {
        descriptor.hi = tx::DD;
        tx_write_backs_++;
    }
}

unsigned int Device::transmit(Cache cache) {
    const unsigned int count = distance(tx_head_, tx_tail(), tx_mask_);

    for (unsigned int i = 0; i < count; i++) {
        complete(tx_head_);
        if (cache == Cache::flushed)
            flush(tx_ring_[tx_head_]);
        tx_head_ = (tx_head_ + 1) & tx_mask_;
    }
    if (cache == Cache::flushed)
        _mm_mfence();
    return count;
}

void Device::transmit(const std::function<void(const Descriptor &)> &visit) {
    for (unsigned int i = distance(tx_head_, tx_tail(), tx_mask_); i > 0; i--) {
        visit({.lo = tx_ring_[tx_head_].lo, .hi = tx_ring_[tx_head_].hi});
        complete(tx_head_);
        tx_head_ = (tx_head_ + 1) & tx_mask_;
    }
}

} // namespace bench
