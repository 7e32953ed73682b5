// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// What an application asks of a port in rte_eth_conf, and what the driver can do of it. A
// configuration is read here and nowhere else: what it asks for becomes settings of the device, or
// is refused with a line that says what and why. Nothing is accepted and ignored.

#include <array>
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

// Toeplitz key of Microsoft's RSS verification suite, the default of other drivers too.
inline constexpr std::array<std::uint8_t, rss_key_size> default_rss_key = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3,
    0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3,
    0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

// Fields of mrqc:: for RTE_ETH_RSS_*, of which the device may have some; and back.
std::uint32_t rss_fields(std::uint64_t types);
std::uint64_t rss_types(std::uint32_t fields);

// The receive offloads of a port.
RxOffloads parse_rx_offloads(std::uint64_t offloads);

} // namespace igb
