// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// rte_eth_conf, read.

#include "ethdev/igb_config.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cinttypes>
#include <cstring>

#include "hw/igb_regs.hpp"
#include "igb_log.hpp"

namespace igb {

namespace {

// The hardware has one switch for both.
constexpr std::uint64_t l4_checksums = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

struct HashField {
    std::uint64_t hash;
    std::uint32_t field;
};
constexpr HashField hash_fields[] = {
    {RTE_ETH_RSS_IPV4, mrqc::IPV4},
    {RTE_ETH_RSS_NONFRAG_IPV4_TCP, mrqc::IPV4_TCP},
    {RTE_ETH_RSS_NONFRAG_IPV4_UDP, mrqc::IPV4_UDP},
    {RTE_ETH_RSS_IPV6, mrqc::IPV6},
    {RTE_ETH_RSS_NONFRAG_IPV6_TCP, mrqc::IPV6_TCP},
    {RTE_ETH_RSS_NONFRAG_IPV6_UDP, mrqc::IPV6_UDP},
};

int parse_rss(const rte_eth_dev *dev, Rss &rss) {
    rss = {.fields = 0, .key = default_rss_key, .reta = {}};
    if (!(dev->data->dev_conf.rxmode.mq_mode & RTE_ETH_MQ_RX_RSS_FLAG))
        return 0;
    if (const int ret = parse_rss_hash(dev, dev->data->dev_conf.rx_adv_conf.rss_conf, rss);
        ret != 0)
        return ret;
    const std::uint16_t queues = std::max<std::uint16_t>(dev->data->nb_rx_queues, 1);
    for (std::uint16_t i = 0; i < reta_size; i++)
        rss.reta[i] = static_cast<std::uint8_t>(i % queues);
    return 0;
}

// RTE_ETH_LINK_SPEED_* into modes; all of them for RTE_ETH_LINK_SPEED_AUTONEG, which is 0.
int parse_link(const rte_eth_dev *dev, LinkSettings &link) {
    static constexpr struct {
        std::uint32_t speed;
        std::uint8_t mode;
    } known[] = {
        {RTE_ETH_LINK_SPEED_10M_HD, link_mode::M10_HALF},
        {RTE_ETH_LINK_SPEED_10M, link_mode::M10_FULL},
        {RTE_ETH_LINK_SPEED_100M_HD, link_mode::M100_HALF},
        {RTE_ETH_LINK_SPEED_100M, link_mode::M100_FULL},
        {RTE_ETH_LINK_SPEED_1G, link_mode::M1000_FULL},
    };
    const std::uint32_t asked = dev->data->dev_conf.link_speeds;
    std::uint32_t rest = asked & ~std::uint32_t{RTE_ETH_LINK_SPEED_FIXED};

    link = {};
    if (asked == RTE_ETH_LINK_SPEED_AUTONEG)
        return 0;
    link = {.modes = 0, .fixed = (asked & RTE_ETH_LINK_SPEED_FIXED) != 0};
    for (const auto &entry : known) {
        if (rest & entry.speed)
            link.modes |= entry.mode;
        rest &= ~entry.speed;
    }
    if (rest != 0 || link.modes == 0) {
        IGB_PORT_LOG(ERR, dev,
                     "link_speeds 0x%" PRIx32 ": the device has 10 and 100 Mb/s, half and full "
                     "duplex, and 1 Gb/s",
                     asked);
        return -EINVAL;
    }
    if (link.fixed && std::popcount(link.modes) != 1) {
        IGB_PORT_LOG(ERR, dev,
                     "link_speeds 0x%" PRIx32 ": RTE_ETH_LINK_SPEED_FIXED is for one speed", asked);
        return -EINVAL;
    }
    // 1000BASE-T has no link without negotiation: its one mode is what is advertised.
    if (link.modes == link_mode::M1000_FULL)
        link.fixed = false;
    return 0;
}

// What the driver does not do and ethdev does not refuse for it.
int refuse_unsupported(const rte_eth_dev *dev) {
    const rte_eth_conf &conf = dev->data->dev_conf;

    if ((conf.rxmode.mq_mode & ~RTE_ETH_MQ_RX_RSS_FLAG) != 0 ||
        conf.txmode.mq_mode != RTE_ETH_MQ_TX_NONE) {
        IGB_PORT_LOG(ERR, dev, "of multi-queue modes only RSS is supported");
        return -EINVAL;
    }
    if (conf.intr_conf.rxq != 0 || conf.intr_conf.lsc != 0 || conf.intr_conf.rmv != 0) {
        IGB_PORT_LOG(ERR, dev,
                     "intr_conf: interrupts are not supported; poll, and ask rte_eth_link_get()");
        return -ENOTSUP;
    }
    if (conf.lpbk_mode != 0) {
        IGB_PORT_LOG(ERR, dev, "lpbk_mode %" PRIu32 ": loopback is not supported", conf.lpbk_mode);
        return -ENOTSUP;
    }
    if (conf.dcb_capability_en != 0) {
        IGB_PORT_LOG(ERR, dev, "dcb_capability_en: DCB is not supported");
        return -ENOTSUP;
    }
    if (conf.txmode.hw_vlan_insert_pvid || conf.txmode.hw_vlan_reject_tagged ||
        conf.txmode.hw_vlan_reject_untagged) {
        IGB_PORT_LOG(ERR, dev, "txmode: no VLAN tag is inserted or rejected on transmit");
        return -ENOTSUP;
    }
    return 0;
}

} // namespace

int parse_rss_hash(const rte_eth_dev *dev, const rte_eth_rss_conf &conf, Rss &rss) {
    if (conf.rss_key != nullptr) {
        if (conf.rss_key_len != 0 && conf.rss_key_len != rss_key_size) {
            IGB_PORT_LOG(ERR, dev, "an RSS key has %u bytes, not %u", rss_key_size,
                         conf.rss_key_len);
            return -EINVAL;
        }
        std::memcpy(rss.key.data(), conf.rss_key, rss_key_size);
    }
    rss.fields = rss_fields(conf.rss_hf);
    return 0;
}

std::uint32_t rss_fields(std::uint64_t types) {
    std::uint32_t fields = 0;

    for (const HashField &entry : hash_fields)
        if (types & entry.hash)
            fields |= entry.field;
    return fields;
}

std::uint64_t rss_types(std::uint32_t fields) {
    std::uint64_t types = 0;

    for (const HashField &entry : hash_fields)
        if (fields & entry.field)
            types |= entry.hash;
    return types;
}

RxOffloads parse_rx_offloads(std::uint64_t offloads) {
    return {.ip_checksum = (offloads & RTE_ETH_RX_OFFLOAD_IPV4_CKSUM) != 0,
            .l4_checksum = (offloads & l4_checksums) != 0,
            .vlan_extend = (offloads & RTE_ETH_RX_OFFLOAD_VLAN_EXTEND) != 0,
            .vlan_strip = (offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP) != 0,
            .keep_crc = (offloads & RTE_ETH_RX_OFFLOAD_KEEP_CRC) != 0,
            .vlan_filter = (offloads & RTE_ETH_RX_OFFLOAD_VLAN_FILTER) != 0};
}

int parse_config(const rte_eth_dev *dev, Settings &settings) {
    LinkSettings link;
    Rss rss;

    if (const int ret = refuse_unsupported(dev); ret != 0)
        return ret;
    if (const int ret = parse_rss(dev, rss); ret != 0)
        return ret;
    if (const int ret = parse_link(dev, link); ret != 0)
        return ret;
    link.pause = settings.flow_control.mode;
    settings.link = link;
    settings.rss = rss;
    settings.offloads = parse_rx_offloads(dev->data->dev_conf.rxmode.offloads);
    return 0;
}

} // namespace igb
