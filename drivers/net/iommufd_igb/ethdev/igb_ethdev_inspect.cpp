// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What can be looked at of a device: version of its EEPROM's image, the EEPROM, the registers; and
// the LED to find the port by. As DPDK 22.11.11, igb_ethdev.c, has them for the 82576. There is no
// module information: stock gives it for ports with a module alone, and 8086:10c9 is copper.

#include <cerrno>
#include <cinttypes>
#include <cstdio>

#include "ethdev/igb_ethdev.hpp"
#include "hw/igb_dump.hpp"
#include "igb_log.hpp"

namespace igb {

namespace {

// e1000_82576 in enum e1000_mac_type (DPDK 22.11.11, base/e1000_hw.h), which stock's dump tells.
constexpr std::uint32_t mac_type_82576 = 29;

} // namespace

// 0, or the size that is needed, with the final NUL, if there is less.
int fw_version_get(rte_eth_dev *dev, char *text, std::size_t size) {
    const Result<ImageVersion> read = hw_of(dev).image_version();

    if (!read)
        return report(dev, read);
    const int length = read->etrack != 0 ? std::snprintf(text, size, "%u.%u, 0x%08" PRIx32,
                                                         read->major, read->minor, read->etrack)
                                         : std::snprintf(text, size, "%u.%u.%u", read->major,
                                                         read->minor, read->build);
    return static_cast<std::size_t>(length) < size ? 0 : length + 1;
}

int get_reg(rte_eth_dev *dev, rte_dev_reg_info *info) {
    if (info->data == nullptr) {
        info->length = dump_registers;
        info->width = sizeof(std::uint32_t);
        return 0;
    }
    if (info->length != 0 && info->length != dump_registers) {
        IGB_PORT_LOG(ERR, dev, "a register dump is of all %zu registers, not of %u", dump_registers,
                     info->length);
        return -ENOTSUP;
    }
    const rte_pci_id &id = RTE_ETH_DEV_TO_IOMMUFD(dev)->id;
    const Registers regs(bar_of(dev));
    auto *value = static_cast<std::uint32_t *>(info->data);
    info->version = mac_type_82576 << 24 | id.device_id;
    for (const DumpRange &range : dump_ranges)
        for (std::uint32_t i = 0; i < range.count; i++)
            *value++ = regs.read(range.offset + i * range.stride);
    return 0;
}

int get_eeprom_length(rte_eth_dev *dev) {
    return static_cast<int>(2 * hw_of(dev).nvm_words());
}

// By whole words, as the EEPROM has them.
int get_eeprom(rte_eth_dev *dev, rte_dev_eeprom_info *info) {
    const rte_pci_id &id = RTE_ETH_DEV_TO_IOMMUFD(dev)->id;
    Hw hw = hw_of(dev);
    const std::uint32_t words = hw.nvm_words();
    const std::uint32_t first = info->offset / 2;
    const std::uint32_t count = info->length / 2;

    if (first >= words || count > words - first)
        return -EINVAL;
    info->magic = id.vendor_id | std::uint32_t{id.device_id} << 16;
    auto *out = static_cast<std::uint16_t *>(info->data);
    for (std::uint32_t i = 0; i < count; i++) {
        const Result<std::uint16_t> word = hw.read_nvm(static_cast<std::uint16_t>(first + i));
        if (!word)
            return report(dev, word);
        out[i] = *word;
    }
    return 0;
}

int led_on(rte_eth_dev *dev) {
    return report(dev, hw_of(dev).set_led(port_of(dev).led_default, true));
}

int led_off(rte_eth_dev *dev) {
    return report(dev, hw_of(dev).set_led(port_of(dev).led_default, false));
}

} // namespace igb
