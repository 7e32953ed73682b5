// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A model of the 82576: registers with their side effects, EEPROM, PHY, descriptor rings.
//
// It follows the manual where the driver relies on it, is stricter than QEMU where a driver
// could get away with something (a ring is not to be moved while its queue is enabled), and
// can be told to fail: every wait of the driver has a fault here that makes it run out.
//
// Doorbells are written by the driver straight into bar(); the device acts on them when the
// test says so, with receive() and transmit(). Time passes only in sleep_us().

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dma_map.hpp"
#include "hw/igb_osdep.hpp"
#include "hw/igb_regs.hpp"
#include "rxtx/igb_desc.hpp"

namespace model {

// What the device does wrong.
struct Faults {
    bool absent = false;               // Reads return all ones.
    bool reset_hangs = false;          // CTRL.RST never clears.
    int resets_until_hang = -1;        // Resets that still work; negative: all.
    bool master_hangs = false;         // STATUS.GIO_MASTER_ENABLE never clears.
    bool no_auto_read = false;         // EECD.AUTO_RD stays 0, as in QEMU.
    bool nvm_hangs = false;            // EERD.DONE stays 0.
    bool mdic_hangs = false;           // MDIC.READY stays 0.
    bool mdic_error = false;           // MDIC.ERROR.
    bool no_phy = false;               // All PHY registers read ones.
    bool smbi_held = false;            // Another driver keeps SWSM.SMBI.
    bool swesmbi_refused = false;      // Firmware keeps SWSM.SWESMBI.
    std::uint32_t sw_fw_held = 0;      // Bits of SW_FW_SYNC that somebody keeps.
    std::uint32_t enable_rx_hangs = 0; // Bit n: RXDCTL(n).ENABLE cannot be set.
    std::uint32_t enable_tx_hangs = 0;
    std::uint32_t disable_rx_hangs = 0; // Bit n: RXDCTL(n).ENABLE cannot be cleared.
    std::uint32_t disable_tx_hangs = 0;
};

// One register access by the driver.
struct Access {
    bool write;
    std::uint32_t offset;
    std::uint32_t value;

    bool operator==(const Access &) const = default;
};

// A packet that the device was given to send.
struct Sent {
    igb::TxDesc desc; // The last one, and where it is.
    std::uint16_t index;
    std::vector<std::uint8_t> data; // Of all descriptors.
    unsigned int nb_descs = 1;      // Descriptors, a context not among them.
    igb::TxDesc context{};          // The queue's, as the device had it.
};

// What happened to a frame from the wire.
enum class Received {
    Delivered,
    Off,       // Receiver, queue or bus master off, or no link.
    TooLong,   // Longer than RLPML.
    NoBuffers, // Counted in RQDPC with SRRCTL.DROP_EN, else in MPC.
    Fault,     // An address that is not mapped; see violations().
};

class Igb {
public:
    static constexpr std::uint32_t autoneg_us = 500'000;
    static constexpr std::uint32_t phy_id = 0x02A80391;
    static constexpr std::uint32_t led_default = 0x07068302;
    static constexpr std::uint8_t crc_byte = 0xC5; // four make what stands for a CRC

    explicit Igb(DmaMap &memory);
    ~Igb();
    Igb(const Igb &) = delete;
    Igb &operator=(const Igb &) = delete;

    // What the driver has, by igb::Registers (igb_model_registers.cpp).
    std::uint32_t read(std::uint32_t offset);
    void write(std::uint32_t offset, std::uint32_t value);
    [[nodiscard]] std::uint64_t now_us() const { return now_us_; }
    void sleep_us(std::uint32_t us) { now_us_ += us; }
    void *bar() { return regs_.get(); }
    igb::Registers registers() { return igb::Registers(bar()); }
    // The model whose registers are at bar.
    static Igb &at_bar(const void *bar);

    // What the test has.
    Faults faults;
    bool cable = true;
    bool bus_master = true;
    std::array<std::uint16_t, 128> nvm{};
    std::uint16_t other_end = 0; // ANLPAR: what it offers
    std::array<std::uint16_t, 32> phy{};
    std::vector<Access> log;                           // Of read() and write().
    std::function<void(std::uint32_t offset)> on_read; // Before a register answers.

    void set_mac(const std::array<std::uint8_t, 6> &mac);
    void fix_checksum();
    // A register as it is, without side effects.
    std::uint32_t peek(std::uint32_t offset) const;
    void poke(std::uint32_t offset, std::uint32_t value);
    // Function-level reset, as VFIO_DEVICE_RESET.
    void power_on();
    std::uint64_t resets() const { return resets_; }

    // Things no correct driver makes the device meet.
    const std::vector<std::string> &violations() const { return violations_; }

    // A frame without CRC arrives for a queue. errors are bits of igb::rx_status that the
    // write-back shows in addition.
    Received receive(std::uint16_t queue, std::span<const std::uint8_t> frame,
                     std::uint32_t errors = 0);
    // The same for the queue that its filters and RSS give it to (igb_model_steering.cpp).
    Received arrive(std::span<const std::uint8_t> frame) {
        return receive(queue_for(frame), frame);
    }
    std::uint16_t queue_for(std::span<const std::uint8_t> frame) const;
    // None if RSS is off or hashes no such frame.
    std::optional<std::uint32_t> rss_hash(std::span<const std::uint8_t> frame) const;

    // Write any descriptor back at the head, as a device gone mad would.
    bool write_back(std::uint16_t queue, const igb::RxDesc &desc);

    // Descriptors the device owns.
    std::uint16_t rx_owned(std::uint16_t queue) const;

    // Take up to limit descriptors; how many were taken.
    std::uint16_t transmit(std::uint16_t queue, std::uint16_t limit = UINT16_MAX);
    std::vector<Sent> sent;
    std::uint64_t tx_write_backs = 0;
    std::uint64_t tx_contexts = 0;

private:
    void enter(); // among the models that at_bar() finds
    bool take_context(std::uint16_t queue, const igb::TxDesc &desc);
    void take(const igb::TxDesc &desc, std::uint16_t index, const std::uint8_t *data,
              std::size_t length);
    std::uint32_t &at(std::uint32_t offset);
    void reset(bool power_on);
    std::uint32_t read_side_effects(std::uint32_t offset);
    void write_ctrl(std::uint32_t value);
    void write_eerd(std::uint32_t value);
    void write_mdic(std::uint32_t value);
    void write_swsm(std::uint32_t value);
    bool write_queue(std::uint32_t offset, std::uint32_t value);
    void check_filter_write(std::uint32_t offset);
    void violation(std::string what) { violations_.push_back(std::move(what)); }
    bool link_up() const;
    std::uint32_t speed_and_duplex() const;
    bool rx_on(std::uint16_t queue) const;
    bool deliver(std::uint16_t queue, std::span<const std::uint8_t> frame, std::uint32_t errors);

    DmaMap &memory_;
    Sent unfinished_{.desc = {}, .index = 0, .data = {}, .nb_descs = 0}; // Without EOP so far.
    std::array<igb::TxDesc, igb::max_queues> contexts_{};
    std::unique_ptr<std::uint32_t[]> regs_;
    std::vector<std::string> violations_;
    std::uint64_t now_us_ = 1'000'000;
    std::uint64_t link_at_us_ = UINT64_MAX;
    std::uint64_t resets_ = 0;
};

} // namespace model
