// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Reset, EEPROM, PHY, addresses and link, with every wait running out once.

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "hw/igb_hw.hpp"
#include "igb_model.hpp"

namespace {

using namespace igb;

class HwTest : public testing::Test {
protected:
    std::size_t first(std::uint32_t offset, std::uint32_t mask, bool write = true) const {
        const auto it = std::find_if(device.log.begin(), device.log.end(), [&](const auto &a) {
            return a.write == write && a.offset == offset && (a.value & mask) == mask;
        });
        EXPECT_NE(it, device.log.end()) << std::hex << offset;
        return static_cast<std::size_t>(it - device.log.begin());
    }

    // Run step and say how much time it took by the device's clock.
    template <typename Step>
    auto timed(Step step) {
        const std::uint64_t start = device.now_us();
        auto result = step();
        took_us = device.now_us() - start;
        return result;
    }

    // errno of what failed; 0 if it did not.
    template <typename T>
    static int code(const Result<T> &result) {
        return result ? 0 : result.error().code;
    }

    model::DmaMap memory;
    model::Igb device{memory};
    Hw hw{device.registers()};
    std::uint64_t took_us = 0;
};

TEST_F(HwTest, ResetFollowsTheOrder) {
    device.poke(reg::RCTL, rctl::EN);
    device.poke(reg::TCTL, tctl::EN);
    const Result<bool> auto_read_done = hw.reset();

    const std::size_t master = first(reg::CTRL, ctrl::GIO_MASTER_DISABLE);
    const std::size_t mask = first(reg::IMC, 0xFFFFFFFF);
    const std::size_t rx_off = first(reg::RCTL, 0);
    const std::size_t tx_off = first(reg::TCTL, tctl::PSP);
    const std::size_t reset = first(reg::CTRL, ctrl::RST);
    const std::size_t auto_read = first(reg::EECD, eecd::AUTO_RD, false);

    EXPECT_LT(master, mask);
    EXPECT_LT(mask, rx_off);
    EXPECT_LT(rx_off, tx_off);
    EXPECT_LT(tx_off, reset);
    EXPECT_LT(reset, auto_read);
    EXPECT_EQ(0u, device.log[rx_off].value);
    EXPECT_EQ(tctl::PSP, device.log[tx_off].value);
    EXPECT_EQ(1u, device.resets());
    ASSERT_TRUE(auto_read_done);
    EXPECT_TRUE(*auto_read_done);
    EXPECT_EQ(0u, device.peek(reg::CTRL) & (ctrl::RST | ctrl::GIO_MASTER_DISABLE));

    // Interrupts are masked once more, for the reset has forgotten it.
    const auto masks = std::count_if(device.log.begin(), device.log.end(),
                                     [](const auto &a) { return a.write && a.offset == reg::IMC; });
    EXPECT_EQ(2, masks);
    EXPECT_GT(device.log.size() - 1, auto_read);
}

TEST_F(HwTest, ResetWaitsForMastersFirst) {
    device.faults.master_hangs = true;
    const auto result = timed([&] { return hw.reset(); });

    EXPECT_TRUE(result) << "the reset is the cure";
    EXPECT_EQ(1u, device.resets());
    EXPECT_GE(took_us, Hw::master_deadline_us);
    EXPECT_LT(took_us, Hw::master_deadline_us + 100'000);
}

TEST_F(HwTest, ResetThatNeverEnds) {
    device.faults.reset_hangs = true;
    const auto result = timed([&] { return hw.reset(); });

    ASSERT_EQ(ETIMEDOUT, code(result));
    EXPECT_NE(nullptr, strstr(result.error().step, "CTRL bit 26"));
    EXPECT_GE(took_us, Hw::reset_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::reset_deadline_us);
}

TEST_F(HwTest, NoAutoReadIsNoError) {
    device.faults.no_auto_read = true;
    const auto auto_read_done = timed([&] { return hw.reset(); });

    ASSERT_TRUE(auto_read_done);
    EXPECT_FALSE(*auto_read_done);
    EXPECT_GE(took_us, Hw::auto_read_deadline_us);
}

TEST_F(HwTest, AbsentDevice) {
    device.faults.absent = true;
    EXPECT_EQ(ENODEV, code(hw.reset()));
    EXPECT_FALSE(hw.link().up);
    EXPECT_EQ(0u, device.resets());
    EXPECT_TRUE(
        std::none_of(device.log.begin(), device.log.end(), [](const auto &a) { return a.write; }));
}

TEST_F(HwTest, DisableMaster) {
    EXPECT_TRUE(hw.disable_master());
    EXPECT_TRUE(device.peek(reg::CTRL) & ctrl::GIO_MASTER_DISABLE);

    device.faults.master_hangs = true;
    EXPECT_EQ(ETIMEDOUT, code(timed([&] { return hw.disable_master(); })));
    EXPECT_GE(took_us, Hw::master_deadline_us);
    EXPECT_LT(took_us, Hw::master_deadline_us + 1'000);
}

TEST_F(HwTest, NvmWord) {
    device.nvm[5] = 0xBEEF;
    EXPECT_EQ(0xBEEF, hw.read_nvm(5).value());
    EXPECT_EQ((5u << 2) | 1u, device.log[first(reg::EERD, eerd::START)].value);
    // Everything that was taken is given back.
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));
    EXPECT_EQ(0u, device.peek(reg::SWSM));
}

TEST_F(HwTest, NvmNeverDone) {
    device.faults.nvm_hangs = true;
    EXPECT_EQ(ETIMEDOUT, code(timed([&] { return hw.read_nvm(0); })));
    EXPECT_GE(took_us, Hw::nvm_word_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::nvm_word_deadline_us);
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC)) << "the lock is given back on failure too";
    EXPECT_EQ(ETIMEDOUT, code(hw.check_nvm()));
}

TEST_F(HwTest, NvmChecksum) {
    EXPECT_TRUE(hw.check_nvm());
    device.nvm[10] ^= 1;
    EXPECT_EQ(EBADMSG, code(hw.check_nvm()));
    device.fix_checksum();
    EXPECT_TRUE(hw.check_nvm());
    device.nvm[0x3F] ^= 0x8000;
    EXPECT_EQ(EBADMSG, code(hw.check_nvm()));
}

TEST_F(HwTest, SemaphoreHeldByAnotherDriver) {
    device.faults.smbi_held = true;
    EXPECT_EQ(EBUSY, code(timed([&] { return hw.read_nvm(0); })));
    EXPECT_GE(took_us, Hw::semaphore_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::semaphore_deadline_us);
}

TEST_F(HwTest, SemaphoreHeldByFirmware) {
    device.faults.swesmbi_refused = true;
    EXPECT_EQ(EBUSY, code(timed([&] { return hw.read_nvm(0); })));
    EXPECT_GE(took_us, Hw::semaphore_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::semaphore_deadline_us);
    EXPECT_EQ(0u, device.peek(reg::SWSM)) << "SMBI is not kept";
}

TEST_F(HwTest, ResourceHeldByFirmware) {
    device.faults.sw_fw_held = sw_fw::EEPROM << sw_fw::FW_SHIFT;
    EXPECT_EQ(EBUSY, code(timed([&] { return hw.read_nvm(0); })));
    EXPECT_GE(took_us, Hw::semaphore_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::semaphore_deadline_us);

    // Another resource is none of our business.
    device.faults.sw_fw_held = sw_fw::PHY1 << sw_fw::FW_SHIFT;
    EXPECT_TRUE(hw.read_nvm(0));
}

TEST_F(HwTest, MacFromReceiveAddress) {
    device.set_mac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
    device.power_on();
    EXPECT_EQ((MacAddress{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}), hw.read_mac().value());
    EXPECT_TRUE(std::none_of(device.log.begin(), device.log.end(),
                             [](const auto &a) { return a.offset == reg::EERD; }));
}

TEST_F(HwTest, MacFromNvm) {
    device.set_mac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
    device.poke(reg::RAH0, 0);
    device.poke(reg::RAL0, 0);
    EXPECT_EQ((MacAddress{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}), hw.read_mac().value());
}

TEST_F(HwTest, NoUsableMac) {
    device.set_mac({});
    device.power_on();
    EXPECT_EQ(EADDRNOTAVAIL, code(hw.read_mac()));
    device.set_mac({0x01, 0, 0, 0, 0, 1}); // a group address
    device.power_on();
    EXPECT_EQ(EADDRNOTAVAIL, code(hw.read_mac()));
}

TEST_F(HwTest, SetMac) {
    hw.apply_mac(0, {0x02, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE});
    EXPECT_EQ(0xCCBBAA02, device.peek(reg::RAL0));
    EXPECT_EQ(0x8000EEDD, device.peek(reg::RAH0));
    EXPECT_LT(first(reg::RAL0, 0), first(reg::RAH0, rah::AV)) << "valid only when complete";
}

TEST_F(HwTest, ClearFiltersLeavesTheFirstAddress) {
    const std::uint32_t low = device.peek(reg::RAL0);

    for (std::uint32_t offset : {reg::VFTA, reg::VFTA + 508, reg::MTA, reg::MTA + 508, reg::UTA,
                                 reg::UTA + 508, reg::RAL0 + 8, reg::RAH0 + 8 * 15})
        device.poke(offset, 0xFFFFFFFF);
    hw.clear_filters();
    for (std::uint32_t offset : {reg::VFTA, reg::VFTA + 508, reg::MTA, reg::MTA + 508, reg::UTA,
                                 reg::UTA + 508, reg::RAL0 + 8, reg::RAH0 + 8 * 15})
        EXPECT_EQ(0u, device.peek(offset)) << std::hex << offset;
    EXPECT_EQ(low, device.peek(reg::RAL0));
    EXPECT_NE(0u, low);
}

TEST_F(HwTest, PhyId) {
    EXPECT_EQ(model::Igb::phy_id, hw.phy_id().value());
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));

    device.faults.no_phy = true;
    EXPECT_EQ(ENODEV, code(hw.phy_id()));
    device.faults.mdic_error = true;
    EXPECT_EQ(EIO, code(hw.phy_id()));
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));
}

TEST_F(HwTest, PhyNeverReady) {
    device.faults.mdic_hangs = true;
    EXPECT_EQ(ETIMEDOUT, code(timed([&] { return hw.read_phy(phy::BMSR); })));
    EXPECT_GE(took_us, Hw::mdic_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::mdic_deadline_us);
}

TEST_F(HwTest, LinkComesUpAfterNegotiation) {
    device.phy[phy::BMCR] |= phy::BMCR_POWER_DOWN | phy::BMCR_ISOLATE;
    device.poke(reg::CTRL, ctrl::FRCSPD | ctrl::FRCDPX);
    EXPECT_EQ(Link{}, hw.link());
    ASSERT_TRUE(hw.start_link({}));
    EXPECT_EQ(ctrl::SLU, device.peek(reg::CTRL) & (ctrl::SLU | ctrl::FRCSPD | ctrl::FRCDPX));
    EXPECT_EQ(Link{}, hw.link());
    device.sleep_us(model::Igb::autoneg_us);
    EXPECT_EQ((Link{.up = true, .full_duplex = true, .speed_mbps = 1000}), hw.link());

    // Up already: not torn down by negotiating again.
    ASSERT_TRUE(hw.start_link({}));
    EXPECT_TRUE(hw.link().up);

    device.cable = false;
    EXPECT_EQ(Link{}, hw.link());
}

TEST_F(HwTest, LinkAdvertisesWhatIsWanted) {
    ASSERT_TRUE(hw.start_link({}));
    device.sleep_us(model::Igb::autoneg_us);
    ASSERT_EQ(1000, hw.link().speed_mbps);

    const std::uint8_t hundred = link_mode::M100_FULL | link_mode::M10_HALF;
    ASSERT_TRUE(hw.start_link({.modes = hundred, .fixed = false}));
    EXPECT_EQ(Link{}, hw.link()) << "negotiated anew, though there was a link";
    EXPECT_EQ(phy::ANAR_100_FULL | phy::ANAR_10_HALF | 1, device.phy[phy::ANAR]);
    EXPECT_EQ(0, device.phy[phy::GBCR]);
    device.sleep_us(model::Igb::autoneg_us);
    EXPECT_EQ((Link{.up = true, .full_duplex = true, .speed_mbps = 100}), hw.link());

    ASSERT_TRUE(hw.start_link({.modes = hundred, .fixed = false}));
    EXPECT_TRUE(hw.link().up) << "nothing has changed";
}

TEST_F(HwTest, LinkIsForced) {
    ASSERT_TRUE(hw.start_link({.modes = link_mode::M100_HALF, .fixed = true}));
    EXPECT_EQ(phy::BMCR_SPEED_100, device.phy[phy::BMCR]) << "no negotiation";
    EXPECT_EQ(0, device.phy[phy::PORT_CTRL]);
    EXPECT_EQ(ctrl::SLU | ctrl::FRCSPD | ctrl::FRCDPX | ctrl::SPD_100, device.peek(reg::CTRL));
    device.sleep_us(model::Igb::autoneg_us);
    EXPECT_EQ((Link{.up = true, .full_duplex = false, .speed_mbps = 100}), hw.link());

    ASSERT_TRUE(hw.start_link({.modes = link_mode::M10_FULL, .fixed = true}));
    EXPECT_EQ(phy::BMCR_FULL_DUPLEX, device.phy[phy::BMCR]);
    EXPECT_EQ((Link{.up = true, .full_duplex = true, .speed_mbps = 10}), hw.link());

    ASSERT_TRUE(hw.start_link({}));
    EXPECT_EQ(phy::BMCR_FULL_DUPLEX | phy::BMCR_AUTONEG, device.phy[phy::BMCR]);
    EXPECT_EQ(phy::PORT_CTRL_AUTO_MDIX, device.phy[phy::PORT_CTRL]);
    EXPECT_EQ(0u, device.peek(reg::CTRL) & (ctrl::FRCSPD | ctrl::FRCDPX));
}

TEST_F(HwTest, LinkStopsWithThePhy) {
    ASSERT_TRUE(hw.start_link({}));
    device.sleep_us(model::Igb::autoneg_us);
    ASSERT_TRUE(hw.stop_link());
    EXPECT_EQ(Link{}, hw.link());
    EXPECT_TRUE(device.phy[phy::BMCR] & phy::BMCR_POWER_DOWN);
    ASSERT_TRUE(hw.start_link({}));
    device.sleep_us(model::Igb::autoneg_us);
    EXPECT_TRUE(hw.link().up);
}

TEST_F(HwTest, StaleLocksAreBroken) {
    // As a process leaves them that was killed amid an access to EEPROM and PHY.
    device.poke(reg::SWSM, swsm::SMBI | swsm::SWESMBI);
    device.poke(reg::SW_FW_SYNC, sw_fw::EEPROM | sw_fw::PHY0);
    EXPECT_EQ(EBUSY, code(hw.read_nvm(0))) << "nothing works before";

    const Hw::StaleLocks broken = hw.break_stale_locks();
    EXPECT_TRUE(broken.semaphore);
    EXPECT_EQ(sw_fw::EEPROM | sw_fw::PHY0, broken.resources);
    EXPECT_TRUE(hw.read_nvm(0));
    EXPECT_TRUE(hw.phy_id());
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));

    const Hw::StaleLocks none = hw.break_stale_locks();
    EXPECT_FALSE(none.semaphore);
    EXPECT_EQ(0u, none.resources);
}

TEST_F(HwTest, WhatFirmwareHoldsIsNotBroken) {
    device.faults.sw_fw_held = sw_fw::EEPROM << sw_fw::FW_SHIFT;
    EXPECT_EQ(0u, hw.break_stale_locks().resources);
    EXPECT_EQ(EBUSY, code(hw.read_nvm(0)));
}

TEST_F(HwTest, Promiscuous) {
    Settings settings;

    device.poke(reg::RCTL, rctl::EN);
    settings.promiscuous = true;
    hw.apply_promiscuous(settings);
    EXPECT_EQ(rctl::EN | rctl::UPE | rctl::MPE, device.peek(reg::RCTL));
    settings.promiscuous = false;
    settings.all_multicast = true;
    hw.apply_promiscuous(settings);
    EXPECT_EQ(rctl::EN | rctl::MPE, device.peek(reg::RCTL));
    settings.all_multicast = false;
    hw.apply_promiscuous(settings);
    EXPECT_EQ(rctl::EN, device.peek(reg::RCTL));
}

TEST_F(HwTest, SettingsAreAppliedTwiceAsOnce) {
    const Settings settings{
        .mac = {0x02, 1, 2, 3, 4, 5},
        .promiscuous = true,
        .all_multicast = false,
        .max_frame = 1522,
        .offloads = {.ip_checksum = true, .l4_checksum = false, .vlan_strip = true},
        .rss = {.fields = mrqc::IPV4, .key = {1, 2, 3}, .reta = {0, 1}}};
    const auto registers = [&] {
        std::vector<std::uint32_t> values;
        for (std::uint32_t offset = 0; offset < register_space; offset += 4)
            values.push_back(device.peek(offset));
        return values;
    };

    hw.setup_rx();
    hw.apply(settings);
    const auto once = registers();
    EXPECT_EQ(1522u, device.peek(reg::RLPML));
    EXPECT_TRUE(device.peek(reg::CTRL) & ctrl::VME);
    EXPECT_EQ(rxcsum::PCSD | rxcsum::IPOFL, device.peek(reg::RXCSUM));
    hw.apply(settings);
    EXPECT_EQ(once, registers());

    hw.apply({.mac = settings.mac});
    EXPECT_FALSE(device.peek(reg::CTRL) & ctrl::VME) << "what is off is taken back";
    EXPECT_EQ(rxcsum::PCSD, device.peek(reg::RXCSUM));
    EXPECT_EQ(0u, device.peek(reg::MRQC));
}

} // namespace
