// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Which frames a port takes: addresses, multicast groups, VLANs, promiscuous modes.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ethdev/igb_ethdev.hpp"
#include "igb_log.hpp"

namespace igb {

namespace {

MacAddress mac_of(const rte_ether_addr &address) {
    MacAddress mac;

    std::memcpy(mac.data(), address.addr_bytes, mac.size());
    return mac;
}

int set_promiscuous(rte_eth_dev *dev, bool on) {
    Settings &settings = port_of(dev).settings;

    settings.promiscuous = on;
    hw_of(dev).apply_promiscuous(settings);
    return 0;
}

int set_all_multicast(rte_eth_dev *dev, bool on) {
    Settings &settings = port_of(dev).settings;

    settings.all_multicast = on;
    hw_of(dev).apply_promiscuous(settings);
    return 0;
}

// ethdev counts the port's own address among them, as number 0.
int set_more_mac(rte_eth_dev *dev, std::uint32_t index, const MacAddress &mac) {
    Settings &settings = port_of(dev).settings;

    if (index == 0 || index >= nb_receive_addresses)
        return -EINVAL;
    settings.more_macs[index - 1] = mac;
    hw_of(dev).apply_mac(static_cast<std::uint16_t>(index), mac);
    return 0;
}

} // namespace

int promiscuous_enable(rte_eth_dev *dev) {
    return set_promiscuous(dev, true);
}

int promiscuous_disable(rte_eth_dev *dev) {
    return set_promiscuous(dev, false);
}

int allmulticast_enable(rte_eth_dev *dev) {
    return set_all_multicast(dev, true);
}

int allmulticast_disable(rte_eth_dev *dev) {
    return set_all_multicast(dev, false);
}

int mac_addr_set(rte_eth_dev *dev, rte_ether_addr *address) {
    MacAddress &mac = port_of(dev).settings.mac;

    mac = mac_of(*address);
    hw_of(dev).apply_mac(0, mac);
    return 0;
}

int mac_addr_add(rte_eth_dev *dev, rte_ether_addr *address, std::uint32_t index, std::uint32_t) {
    // ethdev restores all of them at a start, the port's own first.
    return index == 0 ? mac_addr_set(dev, address) : set_more_mac(dev, index, mac_of(*address));
}

void mac_addr_remove(rte_eth_dev *dev, std::uint32_t index) {
    (void)set_more_mac(dev, index, {});
}

int set_mc_addr_list(rte_eth_dev *dev, rte_ether_addr *list, std::uint32_t count) {
    FilterTable &table = port_of(dev).settings.multicast;

    table = {};
    for (std::uint32_t i = 0; i < count; i++)
        set_in_table(table, multicast_hash(mac_of(list[i])), true);
    hw_of(dev).apply_table(reg::MTA, table);
    return 0;
}

int vlan_filter_set(rte_eth_dev *dev, std::uint16_t vlan, int on) {
    FilterTable &table = port_of(dev).settings.vlans;

    set_in_table(table, vlan, on != 0);
    hw_of(dev).apply_table(reg::VFTA, table);
    return 0;
}

} // namespace igb
