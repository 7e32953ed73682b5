// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What an application asks of a port in rte_eth_conf, and what the driver can do of it. A
// configuration is read here and nowhere else: what it asks for becomes settings of the device, or
// is refused with a line that says what and why. Nothing is accepted and ignored.

#include <cstdint>

#include <ethdev_driver.h>
#include <rte_ethdev.h>

#include "hw/igb_settings.hpp"

namespace igb {

inline constexpr std::uint64_t supported_rss_types =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP |
    RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP;

inline constexpr std::uint64_t supported_rx_offloads =
    RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_VLAN_FILTER | RTE_ETH_RX_OFFLOAD_IPV4_CKSUM |
    RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_RSS_HASH |
    RTE_ETH_RX_OFFLOAD_SCATTER | RTE_ETH_RX_OFFLOAD_KEEP_CRC | RTE_ETH_RX_OFFLOAD_VLAN_EXTEND;

inline constexpr std::uint64_t supported_tx_offloads =
    RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE | RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
    RTE_ETH_TX_OFFLOAD_VLAN_INSERT | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM |
    RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_SCTP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;

// Header, one VLAN tag and CRC: longest frame = MTU + this.
inline constexpr std::uint32_t frame_overhead =
    RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN + RTE_VLAN_HLEN;

// Offloads and RSS of dev->data->dev_conf into settings; 0, or -EINVAL or -ENOTSUP after saying
// why, with settings as they were.
int parse_config(const rte_eth_dev *dev, Settings &settings);

// Types and key of conf into rss, whose key stays where conf has none; 0, or -EINVAL after saying
// why, with rss as it was.
int parse_rss_hash(const rte_eth_dev *dev, const rte_eth_rss_conf &conf, Rss &rss);

// RTE_ETH_RSS_* of fields of mrqc::.
std::uint64_t rss_types(std::uint32_t fields);

// The receive offloads of a port.
RxOffloads parse_rx_offloads(std::uint64_t offloads);

} // namespace igb
