// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Reset, EEPROM, PHY, addresses and link, with every wait running out once.

#include <algorithm>
#include <cerrno>
#include <cstring>

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
    Status timed(Step step) {
        const std::uint64_t start = device.now_us();
        const Status status = step();
        took_us = device.now_us() - start;
        return status;
    }

    model::DmaMap memory;
    model::Igb device{memory};
    Hw hw{device};
    std::uint64_t took_us = 0;
};

TEST_F(HwTest, ResetFollowsTheOrder) {
    device.poke(reg::RCTL, rctl::EN);
    device.poke(reg::TCTL, tctl::EN);
    ASSERT_TRUE(hw.reset().ok());

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
    EXPECT_TRUE(hw.auto_read_done());
    EXPECT_EQ(0u, device.peek(reg::CTRL) & (ctrl::RST | ctrl::GIO_MASTER_DISABLE));

    // Interrupts are masked once more, for the reset has forgotten it.
    const auto masks = std::count_if(device.log.begin(), device.log.end(),
                                     [](const auto &a) { return a.write && a.offset == reg::IMC; });
    EXPECT_EQ(2, masks);
    EXPECT_GT(device.log.size() - 1, auto_read);
}

TEST_F(HwTest, ResetWaitsForMastersFirst) {
    device.faults.master_hangs = true;
    const Status status = timed([&] { return hw.reset(); });

    EXPECT_TRUE(status.ok()) << "the reset is the cure";
    EXPECT_EQ(1u, device.resets());
    EXPECT_GE(took_us, Hw::master_deadline_us);
    EXPECT_LT(took_us, Hw::master_deadline_us + 100'000);
}

TEST_F(HwTest, ResetThatNeverEnds) {
    device.faults.reset_hangs = true;
    const Status status = timed([&] { return hw.reset(); });

    EXPECT_EQ(-ETIMEDOUT, status.error);
    EXPECT_NE(nullptr, strstr(status.step, "CTRL bit 26"));
    EXPECT_GE(took_us, Hw::reset_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::reset_deadline_us);
}

TEST_F(HwTest, NoAutoReadIsNoError) {
    device.faults.no_auto_read = true;
    const Status status = timed([&] { return hw.reset(); });

    EXPECT_TRUE(status.ok());
    EXPECT_FALSE(hw.auto_read_done());
    EXPECT_GE(took_us, Hw::auto_read_deadline_us);
}

TEST_F(HwTest, AbsentDevice) {
    device.faults.absent = true;
    EXPECT_EQ(-ENODEV, hw.reset().error);
    EXPECT_FALSE(hw.link().up);
    EXPECT_EQ(0u, device.resets());
    EXPECT_TRUE(
        std::none_of(device.log.begin(), device.log.end(), [](const auto &a) { return a.write; }));
}

TEST_F(HwTest, DisableMaster) {
    EXPECT_TRUE(hw.disable_master().ok());
    EXPECT_TRUE(device.peek(reg::CTRL) & ctrl::GIO_MASTER_DISABLE);

    device.faults.master_hangs = true;
    EXPECT_EQ(-ETIMEDOUT, timed([&] { return hw.disable_master(); }).error);
    EXPECT_GE(took_us, Hw::master_deadline_us);
    EXPECT_LT(took_us, Hw::master_deadline_us + 1'000);
}

TEST_F(HwTest, NvmWord) {
    std::uint16_t value = 0;

    device.nvm[5] = 0xBEEF;
    ASSERT_TRUE(hw.read_nvm(5, value).ok());
    EXPECT_EQ(0xBEEF, value);
    EXPECT_EQ((5u << 2) | 1u, device.log[first(reg::EERD, eerd::START)].value);
    // Everything that was taken is given back.
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));
    EXPECT_EQ(0u, device.peek(reg::SWSM));
}

TEST_F(HwTest, NvmNeverDone) {
    std::uint16_t value = 0xAAAA;

    device.faults.nvm_hangs = true;
    EXPECT_EQ(-ETIMEDOUT, timed([&] { return hw.read_nvm(0, value); }).error);
    EXPECT_GE(took_us, Hw::nvm_word_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::nvm_word_deadline_us);
    EXPECT_EQ(0xAAAA, value);
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC)) << "the lock is given back on failure too";
    EXPECT_EQ(-ETIMEDOUT, hw.check_nvm().error);
}

TEST_F(HwTest, NvmChecksum) {
    EXPECT_TRUE(hw.check_nvm().ok());
    device.nvm[10] ^= 1;
    EXPECT_EQ(-EBADMSG, hw.check_nvm().error);
    device.fix_checksum();
    EXPECT_TRUE(hw.check_nvm().ok());
    device.nvm[0x3F] ^= 0x8000;
    EXPECT_EQ(-EBADMSG, hw.check_nvm().error);
}

TEST_F(HwTest, SemaphoreHeldByAnotherDriver) {
    std::uint16_t value = 0;

    device.faults.smbi_held = true;
    EXPECT_EQ(-EBUSY, timed([&] { return hw.read_nvm(0, value); }).error);
    EXPECT_GE(took_us, Hw::semaphore_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::semaphore_deadline_us);
}

TEST_F(HwTest, SemaphoreHeldByFirmware) {
    std::uint16_t value = 0;

    device.faults.swesmbi_refused = true;
    EXPECT_EQ(-EBUSY, timed([&] { return hw.read_nvm(0, value); }).error);
    EXPECT_GE(took_us, Hw::semaphore_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::semaphore_deadline_us);
    EXPECT_EQ(0u, device.peek(reg::SWSM)) << "SMBI is not kept";
}

TEST_F(HwTest, ResourceHeldByFirmware) {
    std::uint16_t value = 0;

    device.faults.sw_fw_held = sw_fw::EEPROM << sw_fw::FW_SHIFT;
    EXPECT_EQ(-EBUSY, timed([&] { return hw.read_nvm(0, value); }).error);
    EXPECT_GE(took_us, Hw::semaphore_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::semaphore_deadline_us);

    // Another resource is none of our business.
    device.faults.sw_fw_held = sw_fw::PHY1 << sw_fw::FW_SHIFT;
    EXPECT_TRUE(hw.read_nvm(0, value).ok());
}

TEST_F(HwTest, MacFromReceiveAddress) {
    MacAddress mac{};

    device.set_mac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
    device.power_on();
    ASSERT_TRUE(hw.read_mac(mac).ok());
    EXPECT_EQ((MacAddress{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}), mac);
    EXPECT_TRUE(std::none_of(device.log.begin(), device.log.end(),
                             [](const auto &a) { return a.offset == reg::EERD; }));
}

TEST_F(HwTest, MacFromNvm) {
    MacAddress mac{};

    device.set_mac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
    device.poke(reg::RAH0, 0);
    device.poke(reg::RAL0, 0);
    ASSERT_TRUE(hw.read_mac(mac).ok());
    EXPECT_EQ((MacAddress{0x02, 0x11, 0x22, 0x33, 0x44, 0x55}), mac);
}

TEST_F(HwTest, NoUsableMac) {
    MacAddress mac{};

    device.set_mac({});
    device.power_on();
    EXPECT_EQ(-EADDRNOTAVAIL, hw.read_mac(mac).error);
    device.set_mac({0x01, 0, 0, 0, 0, 1}); // a group address
    device.power_on();
    EXPECT_EQ(-EADDRNOTAVAIL, hw.read_mac(mac).error);
}

TEST_F(HwTest, SetMac) {
    hw.set_mac({0x02, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE});
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
    std::uint32_t id = 0;

    ASSERT_TRUE(hw.phy_id(id).ok());
    EXPECT_EQ(model::Igb::phy_id, id);
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));

    device.faults.no_phy = true;
    EXPECT_EQ(-ENODEV, hw.phy_id(id).error);
    device.faults.mdic_error = true;
    EXPECT_EQ(-EIO, hw.phy_id(id).error);
    EXPECT_EQ(0u, device.peek(reg::SW_FW_SYNC));
}

TEST_F(HwTest, PhyNeverReady) {
    std::uint16_t value = 0;

    device.faults.mdic_hangs = true;
    EXPECT_EQ(-ETIMEDOUT, timed([&] { return hw.read_phy(phy::BMSR, value); }).error);
    EXPECT_GE(took_us, Hw::mdic_deadline_us);
    EXPECT_LT(took_us, 2 * Hw::mdic_deadline_us);
}

TEST_F(HwTest, LinkComesUpAfterNegotiation) {
    device.phy[phy::BMCR] |= phy::BMCR_POWER_DOWN | phy::BMCR_ISOLATE;
    device.poke(reg::CTRL, ctrl::FRCSPD | ctrl::FRCDPX);
    EXPECT_EQ(Link{}, hw.link());
    ASSERT_TRUE(hw.start_link().ok());
    EXPECT_EQ(ctrl::SLU, device.peek(reg::CTRL) & (ctrl::SLU | ctrl::FRCSPD | ctrl::FRCDPX));
    EXPECT_EQ(Link{}, hw.link());
    device.sleep_us(model::Igb::autoneg_us);
    EXPECT_EQ((Link{.up = true, .full_duplex = true, .speed_mbps = 1000}), hw.link());

    // Up already: not torn down by negotiating again.
    ASSERT_TRUE(hw.start_link().ok());
    EXPECT_TRUE(hw.link().up);

    device.cable = false;
    EXPECT_EQ(Link{}, hw.link());
}

TEST_F(HwTest, Promiscuous) {
    device.poke(reg::RCTL, rctl::EN);
    hw.set_promiscuous(true, false);
    EXPECT_EQ(rctl::EN | rctl::UPE | rctl::MPE, device.peek(reg::RCTL));
    hw.set_promiscuous(false, true);
    EXPECT_EQ(rctl::EN | rctl::MPE, device.peek(reg::RCTL));
    hw.set_promiscuous(false, false);
    EXPECT_EQ(rctl::EN, device.peek(reg::RCTL));
}

} // namespace
