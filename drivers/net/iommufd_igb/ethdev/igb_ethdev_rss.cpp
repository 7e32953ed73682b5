// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// RSS of a running port: redirection table, key, and the types that are hashed. ethdev has checked
// that RSS is configured, that queues exist, and the types.

#include <cerrno>
#include <cstring>

#include "ethdev/igb_config.hpp"
#include "ethdev/igb_ethdev.hpp"

namespace igb {

namespace {

int check_reta_size(const rte_eth_dev *dev, std::uint16_t size) {
    if (size == reta_size)
        return 0;
    IGB_PORT_LOG(ERR, dev, "the redirection table has %u entries, not %u", reta_size, size);
    return -EINVAL;
}

// A rule's RSS stands for the port's own, which would change unseen.
int check_no_rule(const rte_eth_dev *dev) {
    if (!port_of(dev).settings.has_flow_rss)
        return 0;
    IGB_PORT_LOG(ERR, dev, "RSS is that of a flow rule: destroy the rule to change the port's");
    return -EBUSY;
}

// Call visit(entry of the table, ethdev's value for it) where an entry is asked for.
template <class Visit>
void visit_entries(rte_eth_rss_reta_entry64 *conf, Visit visit) {
    for (std::uint16_t i = 0; i < reta_size; i++) {
        rte_eth_rss_reta_entry64 &group = conf[i / RTE_ETH_RETA_GROUP_SIZE];
        const unsigned int place = i % RTE_ETH_RETA_GROUP_SIZE;

        if (group.mask & RTE_BIT64(place))
            visit(i, group.reta[place]);
    }
}

} // namespace

int reta_update(rte_eth_dev *dev, rte_eth_rss_reta_entry64 *conf, std::uint16_t size) {
    Rss &rss = port_of(dev).settings.rss;

    if (const int ret = check_reta_size(dev, size); ret != 0)
        return ret;
    if (const int ret = check_no_rule(dev); ret != 0)
        return ret;
    visit_entries(conf, [&](std::uint16_t entry, std::uint16_t queue) {
        rss.reta[entry] = static_cast<std::uint8_t>(queue);
    });
    if (dev->data->dev_started)
        hw_of(dev).apply_rss(rss);
    return 0;
}

int reta_query(rte_eth_dev *dev, rte_eth_rss_reta_entry64 *conf, std::uint16_t size) {
    const Rss &rss = rss_in_force(port_of(dev).settings);

    if (const int ret = check_reta_size(dev, size); ret != 0)
        return ret;
    visit_entries(conf,
                  [&](std::uint16_t entry, std::uint16_t &queue) { queue = rss.reta[entry]; });
    return 0;
}

int rss_hash_update(rte_eth_dev *dev, rte_eth_rss_conf *conf) {
    Rss &rss = port_of(dev).settings.rss;

    if (const int ret = check_no_rule(dev); ret != 0)
        return ret;
    if (const int ret = parse_rss_hash(dev, *conf, rss); ret != 0)
        return ret;
    if (dev->data->dev_started)
        hw_of(dev).apply_rss(rss);
    return 0;
}

int rss_hash_conf_get(rte_eth_dev *dev, rte_eth_rss_conf *conf) {
    const Rss &rss = rss_in_force(port_of(dev).settings);

    if (conf->rss_key != nullptr && conf->rss_key_len >= rss_key_size)
        std::memcpy(conf->rss_key, rss.key.data(), rss_key_size);
    conf->rss_key_len = rss_key_size;
    conf->rss_hf = rss_types(rss.fields);
    return 0;
}

} // namespace igb
