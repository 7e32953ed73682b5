// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// A modelled NIC: registers, and the hardware's side of the rings that a driver has put
// there. Addresses on the bus are virtual addresses.

#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "descriptor.hpp"
#include "nic_model.hpp"

namespace bench {

// What of a round's data is in the CPU's caches when the driver comes to it.
enum class Cache { warm, flushed };

class Device {
public:
    explicit Device(const NicModel &model);
    ~Device();
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;

    [[nodiscard]] const NicModel &model() const { return model_; }
    Registers &registers() { return registers_; }
    volatile std::uint32_t &rx_tail() { return registers_[model_.rx.tail]; }
    volatile std::uint32_t &tx_tail() { return registers_[model_.tx.tail]; }

    // Take the rings from the registers, once the driver has started the port.
    void open_rings();

    // Descriptors that the driver has given for reception and that are not used yet.
    unsigned int rx_posted() { return distance(rx_head_, rx_tail(), rx_mask_); }

    // Address of a buffer given for reception.
    // i: 0 is the next one to be used; below rx_posted().
    [[nodiscard]] std::uint64_t rx_buffer(unsigned int i) const {
        return rx_ring_[(rx_head_ + i) & rx_mask_].lo;
    }

    // Receive a packet into the next buffer; rx_posted() must not be 0.
    // written: as the 82576 has it; brought into the form of this NIC.
    void receive(const Descriptor &written) { write_back(native_form(written)); }

    // The same for the next count buffers.
    void receive(const Descriptor &written, unsigned int count, Cache cache);

    // The same for count packets that take several buffers each.
    void receive(std::span<const Descriptor> packet, unsigned int count, Cache cache);

    // Send all the driver has put into the ring.
    // Returns the number of descriptors sent.
    unsigned int transmit(Cache cache);

    // The same, showing each descriptor first.
    void transmit(const std::function<void(const Descriptor &)> &visit);

    // Descriptors written back for transmitted packets so far.
    [[nodiscard]] std::uint64_t tx_write_backs() const { return tx_write_backs_; }

    // Let every model react to what was written to its registers.
    static void react_all();

private:
    static unsigned int distance(unsigned int from, unsigned int to, unsigned int mask) {
        return (to - from) & mask;
    }
    volatile Descriptor *ring(const NicModel::Queue &queue, unsigned int &mask);
    [[nodiscard]] Descriptor native_form(const Descriptor &written) const;
    void write_back(const Descriptor &written);
    void require_posted(unsigned int count);
    // Out of the caches: the next buffer; the count descriptors from first on.
    void flush_payload() const;
    void flush_written(unsigned int first, unsigned int count) const;
    void complete(unsigned int index);

    const NicModel &model_;
    Registers registers_;
    volatile Descriptor *rx_ring_ = nullptr;
    volatile Descriptor *tx_ring_ = nullptr;
    unsigned int rx_mask_ = 0;
    unsigned int tx_mask_ = 0;
    unsigned int rx_head_ = 0;
    unsigned int tx_head_ = 0;
    std::uint64_t tx_write_backs_ = 0;
};

} // namespace bench
