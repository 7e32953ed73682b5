// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Descriptor rings of the model.

#include <algorithm>
#include <cstring>
#include <utility>

#include "igb_model.hpp"

namespace model {

using namespace igb;

namespace {

constexpr std::uint32_t crc_bytes = 4;

std::uint64_t join(std::uint32_t low, std::uint32_t high) {
    return std::uint64_t{high} << 32 | low;
}

} // namespace

bool Igb::rx_on(std::uint16_t queue) const {
    return (peek(reg::RCTL) & rctl::EN) && (peek(reg::RXDCTL(queue)) & xdctl::ENABLE) &&
           !(peek(reg::CTRL) & ctrl::GIO_MASTER_DISABLE) && bus_master && link_up();
}

std::uint16_t Igb::rx_owned(std::uint16_t queue) const {
    const std::uint32_t count = peek(reg::RDLEN(queue)) / desc_size;

    if (count == 0)
        return 0;
    return static_cast<std::uint16_t>(
        (peek(reg::RDT(queue)) + count - peek(reg::RDH(queue)) % count) % count);
}

bool Igb::write_back(std::uint16_t queue, const RxDesc &desc) {
    const std::uint32_t count = peek(reg::RDLEN(queue)) / desc_size;
    const std::uint32_t head = peek(reg::RDH(queue));
    const std::uint64_t base = join(peek(reg::RDBAL(queue)), peek(reg::RDBAH(queue)));
    auto *slot = static_cast<RxDesc *>(memory_.translate(base + head * desc_size, desc_size));

    if (slot == nullptr) {
        violation("receive descriptor at an address that is not mapped");
        return false;
    }
    // Status last, as a device writes it and as QEMU's igb_pci_dma_write_rx_desc() does.
    __atomic_store_n(&slot->lo, desc.lo, __ATOMIC_RELAXED);
    __atomic_store_n(&slot->hi, desc.hi, __ATOMIC_RELEASE);
    at(reg::RDH(queue)) = head + 1 == count ? 0 : head + 1;
    return true;
}

// Write a frame over as many buffers as it takes.
bool Igb::deliver(std::uint16_t queue, std::span<const std::uint8_t> frame, std::uint32_t errors) {
    const std::uint32_t buffer_size = (peek(reg::SRRCTL(queue)) & srrctl::BSIZEPACKET_MASK)
                                      << srrctl::BSIZEPACKET_SHIFT;
    const std::uint64_t base = join(peek(reg::RDBAL(queue)), peek(reg::RDBAH(queue)));

    for (std::size_t offset = 0; offset < frame.size();) {
        const std::size_t piece = std::min<std::size_t>(frame.size() - offset, buffer_size);
        const std::uint32_t head = peek(reg::RDH(queue));
        const auto *desc =
            static_cast<const RxDesc *>(memory_.translate(base + head * desc_size, desc_size));
        if (desc == nullptr) {
            violation("receive descriptor at an address that is not mapped");
            return false;
        }
        if (rx_desc_status(desc->hi) & rx_status::DD)
            violation("receive descriptor given to the device with DD set");
        void *buffer = memory_.translate(desc->lo, buffer_size);
        if (buffer == nullptr) {
            violation("receive buffer at an address that is not mapped");
            return false;
        }
        std::memcpy(buffer, frame.data() + offset, piece);
        offset += piece;
        std::uint32_t status = rx_status::DD;
        if (offset == frame.size())
            status |= rx_status::EOP | errors;
        if (!write_back(queue, rx_desc_written(status, static_cast<std::uint16_t>(piece), 0, 0)))
            return false;
    }
    return true;
}

Received Igb::receive(std::uint16_t queue, std::span<const std::uint8_t> frame,
                      std::uint32_t errors) {
    if (!rx_on(queue))
        return Received::Off;
    if (frame.size() + crc_bytes > ((peek(reg::RCTL) & rctl::LPE) ? peek(reg::RLPML) : 1522)) {
        at(reg::RLEC)++;
        return Received::TooLong;
    }
    const std::uint32_t buffer_size = (peek(reg::SRRCTL(queue)) & srrctl::BSIZEPACKET_MASK)
                                      << srrctl::BSIZEPACKET_SHIFT;
    if (buffer_size == 0) {
        violation("SRRCTL.BSIZEPACKET is 0");
        return Received::Fault;
    }
    if (std::uint64_t{rx_owned(queue)} * buffer_size < frame.size() + crc_bytes) {
        at(peek(reg::SRRCTL(queue)) & srrctl::DROP_EN ? reg::RQDPC(queue) : reg::MPC)++;
        return Received::NoBuffers;
    }
    std::vector<std::uint8_t> bytes(frame.begin(), frame.end());
    if (!(peek(reg::RCTL) & rctl::SECRC))
        bytes.insert(bytes.end(), crc_bytes, crc_byte);
    if (!deliver(queue, bytes, errors))
        return Received::Fault;
    at(reg::GPRC)++;
    const std::uint64_t octets =
        join(peek(reg::GORCL), peek(reg::GORCH)) + frame.size() + crc_bytes;
    at(reg::GORCL) = static_cast<std::uint32_t>(octets);
    at(reg::GORCH) = static_cast<std::uint32_t>(octets >> 32);
    return Received::Delivered;
}

// False if the descriptor is none.
bool Igb::take_context(std::uint16_t queue, const TxDesc &desc) {
    if (!tx_desc_is_context(desc.command))
        return false;
    if (unfinished_.nb_descs != 0)
        violation("context within a packet");
    if (desc.command & tx_cmd::RS)
        violation("context descriptor that is to report");
    contexts_[queue] = desc;
    tx_contexts++;
    return true;
}

void Igb::take(const TxDesc &desc, std::uint16_t index, const std::uint8_t *data,
               std::size_t length) {
    Sent &packet = unfinished_;

    if (length == 0)
        violation("transmit descriptor without data");
    if (packet.nb_descs != 0 &&
        packet.desc.command >> tx_paylen_shift != desc.command >> tx_paylen_shift)
        violation("PAYLEN differs within a packet");
    packet.desc = desc;
    packet.index = index;
    packet.data.insert(packet.data.end(), data, data + length);
    packet.nb_descs++;
    if (!(desc.command & tx_cmd::EOP))
        return;
    const std::uint64_t payload = desc.command >> tx_paylen_shift;
    if (desc.command & tx_cmd::TSE ? packet.data.size() <= payload : packet.data.size() != payload)
        violation("PAYLEN is not the length of the packet");
    at(reg::GPTC)++;
    at(reg::GOTCL) += static_cast<std::uint32_t>(packet.data.size()) + crc_bytes;
    sent.push_back(std::exchange(packet, {.desc = {}, .index = 0, .data = {}, .nb_descs = 0}));
}

std::uint16_t Igb::transmit(std::uint16_t queue, std::uint16_t limit) {
    const std::uint32_t count = peek(reg::TDLEN(queue)) / desc_size;
    const std::uint64_t base = join(peek(reg::TDBAL(queue)), peek(reg::TDBAH(queue)));
    std::uint16_t taken = 0;

    if (!(peek(reg::TCTL) & tctl::EN) || !(peek(reg::TXDCTL(queue)) & xdctl::ENABLE) || !bus_master)
        return 0;
    if (peek(reg::TDT(queue)) >= count)
        violation("TDT beyond the ring");

    while (taken < limit && peek(reg::TDH(queue)) != peek(reg::TDT(queue))) {
        const std::uint32_t head = peek(reg::TDH(queue));
        auto *desc = static_cast<TxDesc *>(memory_.translate(base + head * desc_size, desc_size));
        if (desc == nullptr) {
            violation("transmit descriptor at an address that is not mapped");
            return taken;
        }
        at(reg::TDH(queue)) = head + 1 == count ? 0 : head + 1;
        taken++;
        if (take_context(queue, *desc))
            continue;
        const auto length = static_cast<std::size_t>(desc->command & tx_cmd::LENGTH_MASK);
        const auto *data =
            static_cast<const std::uint8_t *>(memory_.translate(desc->address, length));
        if (data == nullptr) {
            violation("transmit buffer at an address that is not mapped");
            return taken;
        }
        if (tx_desc_done(desc->command))
            violation("transmit descriptor given to the device with DD set");
        unfinished_.context = contexts_[queue];
        take(*desc, static_cast<std::uint16_t>(head), data, length);
        if (desc->command & tx_cmd::RS) {
            __atomic_store_n(&desc->command, desc->command | tx_done_bit, __ATOMIC_RELEASE);
            tx_write_backs++;
        }
    }
    return taken;
}

} // namespace model
