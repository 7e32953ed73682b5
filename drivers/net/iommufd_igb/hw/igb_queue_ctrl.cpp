// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Receive and transmit units of the 82576: rings, enabling and disabling.

#include "hw/igb_hw.hpp"

#include <cerrno>

namespace igb {

namespace {

constexpr std::uint32_t thresholds(std::uint8_t pthresh, std::uint8_t hthresh,
                                   std::uint8_t wthresh) {
    return (pthresh & 0x1Fu) << xdctl::PTHRESH_SHIFT | (hthresh & 0x1Fu) << xdctl::HTHRESH_SHIFT |
           (wthresh & 0x1Fu) << xdctl::WTHRESH_SHIFT;
}

} // namespace

// CRC is stripped, bad packets are not stored, broadcasts are accepted. LPE is always on,
// so that RLPML alone decides what is too long: with LPE off the limit is fixed (SDM
// 14.9.34).
void Hw::setup_rx() {
    regs_.write(reg::RCTL, rctl::BAM | rctl::SECRC | rctl::LPE);

    // Receive queue 0 comes out of reset enabled (QEMU igb_mac_reg_init; Linux
    // igb_setup_rctl); its ring is programmed while it is off.
    regs_.write(reg::RXDCTL(0), 0);

    // PCSD puts the RSS hash where the packet checksum would be; several queues need it
    // (SDM 5.4.2).
    set_bits(reg::RXCSUM, 0, rxcsum::PCSD);
}

// The transmit unit is on, its queues are not yet.
void Hw::setup_tx() {
    regs_.write(reg::TXDCTL(0), 0); // enabled by reset, as receive queue 0
    set_bits(reg::TCTL, tctl::CT_MASK,
             tctl::PSP | tctl::RTLC | tctl::CT << tctl::CT_SHIFT | tctl::EN);
}

void Hw::program_rx_queue(std::uint16_t queue, const RxRing &ring) {
    std::uint32_t srrctl_value =
        (ring.buffer_size >> srrctl::BSIZEPACKET_SHIFT & srrctl::BSIZEPACKET_MASK) |
        srrctl::DESCTYPE_ADV_ONEBUF;

    if (ring.drop_when_full)
        srrctl_value |= srrctl::DROP_EN;
    regs_.write(reg::RXDCTL(queue), thresholds(ring.pthresh, ring.hthresh, ring.wthresh));
    regs_.write(reg::RDBAL(queue), static_cast<std::uint32_t>(ring.dma));
    regs_.write(reg::RDBAH(queue), static_cast<std::uint32_t>(ring.dma >> 32));
    regs_.write(reg::RDLEN(queue), static_cast<std::uint32_t>(ring.nb_desc * desc_size));
    regs_.write(reg::RDH(queue), 0);
    regs_.write(reg::RDT(queue), 0);
    regs_.write(reg::SRRCTL(queue), srrctl_value);
}

void Hw::program_tx_queue(std::uint16_t queue, const TxRing &ring) {
    regs_.write(reg::TXDCTL(queue), thresholds(ring.pthresh, ring.hthresh, ring.wthresh));
    regs_.write(reg::TDLEN(queue), static_cast<std::uint32_t>(ring.nb_desc * desc_size));
    regs_.write(reg::TDBAL(queue), static_cast<std::uint32_t>(ring.dma));
    regs_.write(reg::TDBAH(queue), static_cast<std::uint32_t>(ring.dma >> 32));
    regs_.write(reg::TDWBAL(queue), 0); // no head write-back: DD is what completion reads
    regs_.write(reg::TDWBAH(queue), 0);
    regs_.write(reg::TDH(queue), 0);
    regs_.write(reg::TDT(queue), 0);
}

Result<> Hw::set_enable(std::uint32_t offset, bool on, const char *step) {
    const std::uint32_t wanted = on ? xdctl::ENABLE : 0;

    set_bits(offset, xdctl::ENABLE, wanted);
    if (!wait(offset, xdctl::ENABLE, wanted, queue_deadline_us, 100))
        return failure(ETIMEDOUT, step);
    return {};
}

// The tail comes after ENABLE: a write to a disabled queue's RDT is ignored (SDM 14.3.59).
Result<> Hw::enable_rx_queue(std::uint16_t queue, std::uint16_t tail) {
    TRY(set_enable(reg::RXDCTL(queue), true, "enabling a receive queue"));
    regs_.write(reg::RDT(queue), tail);
    return {};
}

Result<> Hw::enable_tx_queue(std::uint16_t queue) {
    return set_enable(reg::TXDCTL(queue), true, "enabling a transmit queue");
}

Result<> Hw::disable_rx_queue(std::uint16_t queue) {
    return set_enable(reg::RXDCTL(queue), false, "disabling a receive queue");
}

Result<> Hw::disable_tx_queue(std::uint16_t queue) {
    return set_enable(reg::TXDCTL(queue), false, "disabling a transmit queue");
}

void Hw::finish_tx_queue(std::uint16_t queue) {
    (void)wait(reg::TDH(queue), 0xFFFF, regs_.read(reg::TDT(queue)) & 0xFFFF, queue_deadline_us,
               100);
}

// As long as Linux 7.3 waits for the receiver (igb_main.c, igb_down()); and no write of the
// device's is behind its answer to a read.
void Hw::settle() {
    regs_.sleep_us(10'000);
    regs_.read(reg::STATUS);
}

void Hw::enable_rx() {
    set_bits(reg::RCTL, 0, rctl::EN);
}

void Hw::disable_rx() {
    set_bits(reg::RCTL, rctl::EN, 0);
}

void Hw::disable_tx() {
    set_bits(reg::TCTL, tctl::EN, 0);
}

} // namespace igb
