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
//      3. clear_filters()
//      4. start_link()      CTRL.SLU, auto-negotiation
//      5. clear_stats()
//      6. setup_tx(), program_tx_queue() of each queue
//      7. setup_rx(), apply(), program_rx_queue() of each queue
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
#include <optional>

#include "hw/igb_counters.hpp"
#include "hw/igb_osdep.hpp"
#include "hw/igb_regs.hpp"
#include "hw/igb_result.hpp"
#include "hw/igb_settings.hpp"

namespace igb {

struct Link {
    bool up = false;
    bool full_duplex = false;
    std::uint16_t speed_mbps = 0;

    bool operator==(const Link &) const = default;
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

// What the EEPROM's image says of itself.
struct ImageVersion {
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    std::uint8_t build = 0;   // of images that have no number
    std::uint32_t etrack = 0; // number of the image, 0 if it has none

    bool operator==(const ImageVersion &) const = default;
};

// Statistics registers, summed up since clear_stats().
struct HwStats {
    Counts counts{};
    std::uint64_t rx_packets = 0;
    std::uint64_t rx_bytes = 0; // From destination address to CRC.
    std::uint64_t tx_packets = 0;
    std::uint64_t tx_bytes = 0;
    std::uint64_t rx_missed = 0;
    std::uint64_t rx_errors = 0;
    std::uint64_t tx_errors = 0;
    std::array<std::uint64_t, max_queues> rx_queue_dropped{};
};

// The entry of the multicast table for an address, with RCTL.MO = 0 (DPDK 22.11.11, e1000_mac.c,
// e1000_hash_mc_addr_generic()). Other addresses may have the same.
std::uint32_t multicast_hash(const MacAddress &mac);

// An entry of MTA or VFTA.
void set_in_table(FilterTable &table, std::uint32_t entry, bool on);

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

    explicit Hw(Registers regs) : regs_(regs) {}

    // igb_hw.cpp

    // Stop all DMA and reset the MAC; ETIMEDOUT if CTRL.RST does not clear, ENODEV if the device
    // does not answer. Whether the device then said that it had read its EEPROM (EECD.AUTO_RD),
    // which is no error if not: QEMU's igb never says it.
    [[nodiscard]] Result<bool> reset();

    // Mask every interrupt and drop those pending.
    void mask_interrupts();

    // Keep the device from starting DMA, and wait for what is under way.
    [[nodiscard]] Result<> disable_master();

    // The address the device came up with, read from receive address 0 or the EEPROM.
    [[nodiscard]] Result<MacAddress> read_mac();

    // igb_link.cpp

    // Power the PHY up and let it negotiate, unless the link is up already and as wanted; or force
    // the one mode that is wanted.
    [[nodiscard]] Result<> start_link(const LinkSettings &wanted);
    // Power the PHY down: the other end sees the link go.
    [[nodiscard]] Result<> stop_link();
    [[nodiscard]] Link link() const;
    // What is told to a link that is up: PAUSE frames as wanted, or as both ends have agreed;
    // whether they have by now.
    void apply_flow_control(const FlowControl &wanted);
    [[nodiscard]] Result<bool> resolve_flow_control(const FlowControl &wanted);
    // Of pause::, as the device has it now.
    [[nodiscard]] std::uint8_t pause_mode() const;
    // Bytes of the receiver's packet buffer.
    [[nodiscard]] std::uint32_t packet_buffer_size() const;

    // igb_filter.cpp

    // Empty the VLAN, multicast and unicast filters and all receive addresses but the first.
    void clear_filters();

    // All of the settings, once setup_rx() has been called since the last reset.
    void apply(const Settings &settings);
    // Receive address index; none if mac is of zeros.
    void apply_mac(std::uint16_t index, const MacAddress &mac);
    // A table of filters: reg::MTA or reg::VFTA.
    void apply_table(std::uint32_t first, const FilterTable &table);
    void apply_promiscuous(const Settings &settings);
    // RLPML: frames longer than this, CRC included, are dropped by the device.
    void apply_max_frame(std::uint32_t max_frame);
    void apply_offloads(const RxOffloads &offloads);
    void apply_rss(const Rss &rss);
    // TPID of the outer tag.
    void apply_outer_tpid(std::uint16_t tpid);

    // igb_flow_filter.cpp

    // Filters that give a frame to a queue, and RSS, which has those that no filter takes.
    void apply_flow(const Settings &settings);
    // EtherType filters, that of timesync among them.
    void apply_ethertypes(const Settings &settings);
    void apply_tuple(std::uint16_t index, const TupleFilter &filter);
    void apply_syn(const SynFilter &filter);

    // igb_timesync.cpp

    // A clock of 0 that runs, and timestamps of the frames that an EtherType filter marks; or
    // neither.
    void apply_timesync(bool on);
    // SYSTIM, in units of 2^-16 ns.
    [[nodiscard]] std::uint64_t clock() const;
    // Of the last PTP frame that was received, and of the last frame that was sent for which it
    // was asked: the device keeps one until it is read.
    [[nodiscard]] std::optional<std::uint64_t> rx_timestamp();
    [[nodiscard]] std::optional<std::uint64_t> tx_timestamp();

    // igb_nvm_phy.cpp

    [[nodiscard]] Result<std::uint16_t> read_nvm(std::uint16_t word);
    // Take back what a process that was killed amid an access has left locked: nobody else of this
    // function is there when a device is probed. SWSM.SMBI and bits of sw_fw:: that were locked.
    struct StaleLocks {
        bool semaphore = false;
        std::uint32_t resources = 0;
    };
    StaleLocks break_stale_locks();
    // EBADMSG if the words do not sum up to 0xBABA.
    [[nodiscard]] Result<> check_nvm();
    // Words of it.
    [[nodiscard]] std::uint32_t nvm_words() const;
    [[nodiscard]] Result<ImageVersion> image_version();
    // LEDCTL, and the LED that tells ports apart: on or off, the others as in normal.
    [[nodiscard]] std::uint32_t led_control() const;
    [[nodiscard]] Result<> set_led(std::uint32_t normal, bool on);
    [[nodiscard]] Result<std::uint16_t> read_phy(std::uint8_t address);
    [[nodiscard]] Result<> write_phy(std::uint8_t address, std::uint16_t value);
    [[nodiscard]] Result<std::uint32_t> phy_id();

    // igb_queue_ctrl.cpp

    // The receive unit as it is before the settings: no filter is open, the receiver is off.
    void setup_rx();
    void setup_tx();
    void program_rx_queue(std::uint16_t queue, const RxRing &ring);
    void program_tx_queue(std::uint16_t queue, const TxRing &ring);
    // Descriptors before tail belong to the device from now on.
    [[nodiscard]] Result<> enable_rx_queue(std::uint16_t queue, std::uint16_t tail);
    [[nodiscard]] Result<> enable_tx_queue(std::uint16_t queue);
    [[nodiscard]] Result<> disable_rx_queue(std::uint16_t queue);
    [[nodiscard]] Result<> disable_tx_queue(std::uint16_t queue);
    // Let a transmit queue send what it has, for a while.
    void finish_tx_queue(std::uint16_t queue);
    // Of a queue that is off: what is under way to memory arrives.
    void settle();
    void enable_rx();
    void disable_rx();
    void disable_tx();

    // igb_stats.cpp

    // Add the registers to stats; they clear as they are read. A device that is gone adds nothing.
    void read_stats(HwStats &stats, std::uint16_t nb_rx_queues);
    void clear_stats();

private:
    friend class SwFwLock;

    // Wait for (read(offset) & mask) == value, looking every step_us.
    bool wait(std::uint32_t offset, std::uint32_t mask, std::uint32_t value,
              std::uint32_t deadline_us, std::uint32_t step_us);
    [[nodiscard]] Result<> take_semaphore();
    void release_semaphore();
    [[nodiscard]] Result<> lock_sw_fw(std::uint32_t resource);
    void unlock_sw_fw(std::uint32_t resource);
    [[nodiscard]] std::uint32_t phy_resource() const;
    [[nodiscard]] Result<> check_present() const;
    void set_pause_mode(std::uint8_t mode);
    // Whether the register of the PHY had to be written for it.
    [[nodiscard]] Result<bool> change_phy(std::uint8_t address, std::uint16_t clear,
                                          std::uint16_t set);
    [[nodiscard]] Result<> negotiate_link(const LinkSettings &wanted);
    [[nodiscard]] Result<> force_link(const LinkSettings &wanted);
    [[nodiscard]] Result<std::uint32_t> mdic(std::uint32_t command);
    [[nodiscard]] Result<> set_enable(std::uint32_t offset, bool on, const char *step);
    void set_bits(std::uint32_t offset, std::uint32_t clear, std::uint32_t set);
    [[nodiscard]] Result<std::uint16_t> read_nvm_unlocked(std::uint16_t word);

    HwStats take_stats(std::uint16_t nb_rx_queues);

    Registers regs_;
};

} // namespace igb
