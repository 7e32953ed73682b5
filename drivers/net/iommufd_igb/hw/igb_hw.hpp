// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Control of the 82576: everything that is not moving packets. Needs neither DPDK nor EAL.
//
// The order from a cold device to traffic, as Linux 7.3 does it (igb_reset_hw_82575() and
// igb_init_hw_82575() in e1000_82575.c, igb_configure() in igb_main.c):
//
//      1. reset()           masters off, interrupts masked, CTRL.RST, EEPROM auto-read
//      2. check_nvm()       checksum of the EEPROM
//      3. clear_filters(), set_mac()
//      4. start_link()      CTRL.SLU, auto-negotiation
//      5. clear_stats()
//      6. setup_tx(), program_tx_queue() of each queue
//      7. setup_rx(), setup_rss(), program_rx_queue() of each queue
//         -- the caller lets the function master the bus --
//      8. enable_tx_queue(), enable_rx_queue() of each queue
//      9. enable_rx()       RCTL.EN: packets flow
//
// and back: disable_rx(), disable_rx_queue(), disable_tx_queue(), disable_tx(),
// disable_master(); the caller then takes bus mastering away.
//
// Not thread-safe; ethdev's control path is serialised by its callers.

#include <array>
#include <cstdint>

#include "hw/igb_osdep.hpp"
#include "hw/igb_regs.hpp"

namespace igb {

using MacAddress = std::array<std::uint8_t, 6>;

// Outcome of a hardware step: 0, or a negative errno and the step that failed.
struct [[nodiscard]] Status {
    int error = 0;
    const char *step = "";

    [[nodiscard]] constexpr bool ok() const { return error == 0; }
};

struct Link {
    bool up = false;
    bool full_duplex = false;
    std::uint16_t speed_mbps = 0;

    bool operator==(const Link &) const = default;
};

// What the receive side of a port has in common.
struct RxSetup {
    std::uint32_t max_frame; // Longest frame accepted, with its CRC, in bytes.
    bool promiscuous;
    bool all_multicast;
    bool ip_checksum = false; // Check the IPv4 header's.
    bool l4_checksum = false; // Check TCP's and UDP's.
    bool vlan_strip = false;
};

// One receive ring.
struct RxRing {
    std::uint64_t dma;         // Of the first descriptor; 128-byte aligned.
    std::uint16_t nb_desc;     // A multiple of 8 (RDLEN counts 128 bytes).
    std::uint32_t buffer_size; // Bytes of each buffer, a multiple of 1024.
    bool drop_when_full;       // Rather than hold up the other queues.
    std::uint8_t pthresh;
    std::uint8_t hthresh;
    std::uint8_t wthresh;
};

// One transmit ring.
struct TxRing {
    std::uint64_t dma;
    std::uint16_t nb_desc;
    std::uint8_t pthresh;
    std::uint8_t hthresh;
    std::uint8_t wthresh;
};

inline constexpr std::uint16_t reta_size = 128; // SDM 5.4.2.2
inline constexpr std::uint16_t rss_key_size = 40;

struct Rss {
    std::uint32_t fields; // Of mrqc::, without the mode. 0: no RSS, all packets to queue 0.
    std::array<std::uint8_t, rss_key_size> key;
    std::array<std::uint8_t, reta_size> reta; // Queue of each hash value, modulo 128.
};

// Statistics registers, summed up since clear_stats().
struct HwStats {
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0; // From destination address to CRC.
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t rx_missed = 0;
    std::uint64_t rx_errors = 0;
    std::uint64_t tx_errors = 0;
    std::array<std::uint64_t, max_queues> rx_queue_dropped{};
};

class Hw {
public:
    // Deadlines in microseconds.
    static constexpr std::uint32_t reset_deadline_us = 100'000;
    static constexpr std::uint32_t auto_read_deadline_us = 10'000; // as Linux: ten times 1 ms
    static constexpr std::uint32_t master_deadline_us = 80'000;    // as Linux: 800 times 100 us
    static constexpr std::uint32_t nvm_word_deadline_us = 100'000;
    static constexpr std::uint32_t mdic_deadline_us = 96'000; // as Linux: 1920 times 50 us
    static constexpr std::uint32_t semaphore_deadline_us = 1'000'000;
    static constexpr std::uint32_t queue_deadline_us = 10'000;

    explicit Hw(Registers &regs) : regs_(regs) {}

    // igb_hw.cpp

    // Stop all DMA and reset the MAC. A device that does not report the end of its EEPROM
    // auto-read is not an error (see auto_read_done()).
    //
    // @return
    //   -ETIMEDOUT if CTRL.RST does not clear; -ENODEV if the device does not answer.
    Status reset();

    // Whether the last reset() saw EECD.AUTO_RD. QEMU's igb never sets it.
    [[nodiscard]] bool auto_read_done() const { return auto_read_done_; }

    // Mask every interrupt and drop those pending.
    void mask_interrupts();

    // Keep the device from starting DMA, and wait for what is under way.
    Status disable_master();

    // Empty the VLAN, multicast and unicast filters and all receive addresses but the first.
    void clear_filters();

    // Receive address 0.
    void set_mac(const MacAddress &mac);
    // The address the device came up with, read from receive address 0 or the EEPROM.
    Status read_mac(MacAddress &mac);

    void set_promiscuous(bool promiscuous, bool all_multicast);

    // Let the MAC follow the PHY and negotiate, unless the link is already up.
    Status start_link();
    Link link();

    // igb_nvm_phy.cpp

    Status read_nvm(std::uint16_t word, std::uint16_t &value);
    // -EBADMSG if the words do not sum up to 0xBABA.
    Status check_nvm();
    Status read_phy(std::uint8_t address, std::uint16_t &value);
    Status write_phy(std::uint8_t address, std::uint16_t value);
    Status phy_id(std::uint32_t &id);

    // hw/igb_queue_ctrl.cpp

    void setup_rx(const RxSetup &setup);
    // RLPML: frames longer than this, CRC included, are dropped by the device.
    void set_max_frame(std::uint32_t max_frame);
    // CTRL.VME: tags go from the frame to the descriptor, on all queues.
    void set_vlan_strip(bool on);
    void setup_rss(const Rss &rss);
    void setup_tx();
    void program_rx_queue(std::uint16_t queue, const RxRing &ring);
    void program_tx_queue(std::uint16_t queue, const TxRing &ring);
    // @param tail  Descriptors before it belong to the device from now on.
    Status enable_rx_queue(std::uint16_t queue, std::uint16_t tail);
    Status enable_tx_queue(std::uint16_t queue);
    Status disable_rx_queue(std::uint16_t queue);
    Status disable_tx_queue(std::uint16_t queue);
    void enable_rx();
    void disable_rx();
    void disable_tx();

    // igb_stats.cpp

    // Add the registers to stats; they clear as they are read.
    void read_stats(HwStats &stats, std::uint16_t nb_rx_queues);
    void clear_stats();

private:
    friend class SwFwLock;

    // Wait for (read(offset) & mask) == value, looking every step_us.
    bool wait(std::uint32_t offset, std::uint32_t mask, std::uint32_t value,
              std::uint32_t deadline_us, std::uint32_t step_us);
    Status take_semaphore();
    void put_semaphore();
    Status lock_sw_fw(std::uint32_t resource);
    void unlock_sw_fw(std::uint32_t resource);
    Status mdic(std::uint32_t command, std::uint32_t &result);
    Status set_enable(std::uint32_t offset, bool on, const char *step);
    void set_bits(std::uint32_t offset, std::uint32_t clear, std::uint32_t set);
    Status read_nvm_unlocked(std::uint16_t word, std::uint16_t &value);

    Registers &regs_;
    bool auto_read_done_ = false;
};

} // namespace igb
