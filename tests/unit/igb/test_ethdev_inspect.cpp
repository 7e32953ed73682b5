// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What can be looked at of a device, and its LED.

#include <cstring>

#include <rte_dev_info.h>

#include "ethdev/igb_ethdev.hpp"
#include "hw/igb_dump.hpp"
#include "port_test.hpp"

namespace {

using namespace igb;
using test::bus;

class InspectTest : public test::PortTest {
protected:
    void SetUp() override {
        PortTest::SetUp();
        bus_device.id = {.class_id = 0x020000,
                         .vendor_id = 0x8086,
                         .device_id = 0x10C9,
                         .subsystem_vendor_id = 0x8086,
                         .subsystem_device_id = 0xA02B};
        ASSERT_EQ(0, probe());
    }

    std::string version() {
        char text[64] = "";
        EXPECT_EQ(0, rte_eth_dev_fw_version_get(port_id, text, sizeof(text)));
        return text;
    }
};

TEST_F(InspectTest, FirmwareVersion) {
    // An image without a number, one of an old tool, one of a new tool.
    device().nvm[0x43] = 0xFFFF;
    device().nvm[5] = 0x1234;
    EXPECT_EQ("1.35.4", version());
    device().nvm[0x42] = 0x0001;
    device().nvm[0x43] = 0x0002;
    EXPECT_EQ("1.35, 0x00010002", version());
    device().nvm[0x42] = 0x5678;
    device().nvm[0x43] = 0x8001;
    device().nvm[5] = 0x2015;
    EXPECT_EQ("2.15, 0x80015678", version()) << "15, a decimal number in two digits";
    device().nvm[5] = 0x2150;
    EXPECT_EQ("2.15, 0x80015678", version()) << "the same, above";
}

TEST_F(InspectTest, FirmwareVersionNeedsRoom) {
    char text[4] = "";

    device().nvm[0x43] = 0xFFFF;
    device().nvm[5] = 0x1234;
    EXPECT_EQ(7, rte_eth_dev_fw_version_get(port_id, text, sizeof(text)));
    EXPECT_STREQ("1.3", text);
    device().faults.nvm_hangs = true;
    EXPECT_EQ(-ETIMEDOUT, rte_eth_dev_fw_version_get(port_id, text, sizeof(text)));
}

TEST_F(InspectTest, RegisterDump) {
    rte_dev_reg_info info{};

    ASSERT_EQ(0, configure());
    ASSERT_EQ(0, start());
    ASSERT_EQ(0, rte_eth_dev_get_reg_info(port_id, &info));
    EXPECT_EQ(dump_registers, info.length);
    EXPECT_EQ(206u, info.length) << "as many as stock's";
    EXPECT_EQ(4u, info.width);
    std::vector<std::uint32_t> data(info.length + 1, 0xEEEEEEEE);
    info.data = data.data();
    ASSERT_EQ(0, rte_eth_dev_get_reg_info(port_id, &info));
    EXPECT_EQ(29u << 24 | 0x10C9u, info.version);
    EXPECT_EQ(0xEEEEEEEEu, data.back());
    std::size_t at = 0;
    for (const DumpRange &range : dump_ranges)
        for (std::uint32_t i = 0; i < range.count; i++) {
            const std::uint32_t offset = range.offset + i * range.stride;
            if (offset != reg::STATUS && offset != 0x04100) {
                EXPECT_EQ(device().peek(offset), data[at]) << std::hex << offset;
            }
            at++;
        }
    EXPECT_NE(0u, data[0]) << "CTRL";
    info.length = 5;
    EXPECT_EQ(-ENOTSUP, rte_eth_dev_get_reg_info(port_id, &info));
}

TEST_F(InspectTest, EepromDump) {
    rte_dev_eeprom_info info{};
    std::vector<std::uint16_t> words(128);

    for (std::size_t i = 64; i < 128; i++)
        device().nvm[i] = static_cast<std::uint16_t>(0x5A00 + i);
    ASSERT_EQ(256, rte_eth_dev_get_eeprom_length(port_id));
    info.data = words.data();
    info.length = 256;
    ASSERT_EQ(0, rte_eth_dev_get_eeprom(port_id, &info));
    EXPECT_EQ(0x10C98086u, info.magic);
    EXPECT_TRUE(std::equal(words.begin(), words.end(), device().nvm.begin()));
    info.offset = 128;
    info.length = 4;
    ASSERT_EQ(0, rte_eth_dev_get_eeprom(port_id, &info));
    EXPECT_EQ(device().nvm[64], words[0]);
    EXPECT_EQ(device().nvm[65], words[1]);
    for (const auto &[offset, length] : {std::pair{256u, 2u}, std::pair{254u, 4u},
                                         std::pair{0u, 258u}, std::pair{2u, 0xFFFFFFFEu}}) {
        info.offset = offset;
        info.length = length;
        EXPECT_EQ(-EINVAL, rte_eth_dev_get_eeprom(port_id, &info)) << offset << " " << length;
    }
    EXPECT_EQ(-ENOTSUP, rte_eth_dev_set_eeprom(port_id, &info)) << "nobody is to lose a NIC by it";
}

TEST_F(InspectTest, ThereIsNoModule) {
    rte_eth_dev_module_info info{};

    EXPECT_EQ(-ENOTSUP, rte_eth_dev_get_module_info(port_id, &info));
}

TEST_F(InspectTest, LedOnAndOff) {
    constexpr std::uint32_t normal = model::Igb::led_default;

    device().nvm[4] = 0xFFFF; // by default LED 3 blinks, and LED 2 is off meanwhile
    ASSERT_EQ(0, rte_eth_led_on(port_id));
    EXPECT_EQ(0x0E0F0000u | (normal & 0xFFFF), device().peek(reg::LEDCTL));
    ASSERT_EQ(0, rte_eth_led_off(port_id));
    EXPECT_EQ(0x0F0F0000u | (normal & 0xFFFF), device().peek(reg::LEDCTL));
    device().nvm[4] = 0x1118; // LED 0
    ASSERT_EQ(0, rte_eth_led_on(port_id));
    EXPECT_EQ((normal & 0xFFFFFF00) | 0x0E, device().peek(reg::LEDCTL));
    ASSERT_EQ(0, rte_eth_led_off(port_id));
    EXPECT_EQ((normal & 0xFFFFFF00) | 0x0F, device().peek(reg::LEDCTL));
}

} // namespace
