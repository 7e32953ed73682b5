// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "simd.hpp"

#include "port.hpp"

#include <cstdint>
#include <stdexcept>

#include <rte_errno.h>
#include <rte_ethdev.h>

#include "mbuf.hpp"

namespace bench {

namespace {

// What an application asks for that wants all this hardware tells of a packet.
constexpr std::uint64_t rx_offloads =
    RTE_ETH_RX_OFFLOAD_CHECKSUM | RTE_ETH_RX_OFFLOAD_VLAN_STRIP | RTE_ETH_RX_OFFLOAD_RSS_HASH;

constexpr std::uint64_t rss_types =
    RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP;

void check(const Variant &variant, const char *step, int result) {
    if (result != 0)
        throw std::runtime_error(variant.name + ": " + step + ": " + rte_strerror(-result));
}

void poison_object(rte_mempool *, void *, void *object, unsigned int) {
    poison(static_cast<rte_mbuf *>(object));
}

rte_eth_conf configuration(const rte_eth_dev_info &info, const Workload &workload,
                           std::uint64_t tx_offloads) {
    rte_eth_conf conf{};

    // What the workload takes and the driver has not, ethdev refuses.
    conf.rxmode.mtu = workload.mtu;
    conf.rxmode.offloads = (rx_offloads & info.rx_offload_capa) | workload.rx_offloads;
    conf.txmode.offloads = (tx_offloads & info.tx_offload_capa) | workload.tx_offloads;
    conf.rx_adv_conf.rss_conf.rss_hf = rss_types & info.flow_type_rss_offloads;
    if (conf.rx_adv_conf.rss_conf.rss_hf != 0)
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    return conf;
}

void read_modes(Variant &variant) {
    rte_eth_burst_mode mode{};

    if (rte_eth_rx_burst_mode_get(variant.port, 0, &mode) == 0)
        variant.rx.mode = mode.info;
    if (rte_eth_tx_burst_mode_get(variant.port, 0, &mode) == 0)
        variant.tx.mode = mode.info;
}

} // namespace

rte_mempool *make_pool(const std::string &name, const char *ops) {
    rte_mempool *pool =
        rte_pktmbuf_pool_create_by_ops(("pool_" + name).c_str(), pool_size, pool_cache, 0,
                                       RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY, ops);

    if (pool == nullptr)
        throw std::runtime_error("no pool for " + name + ": " + rte_strerror(rte_errno));
    rte_mempool_obj_iter(pool, poison_object, nullptr);
    return pool;
}

void start_port(Variant &variant, const Workload &workload, std::uint16_t simd_bits,
                std::uint64_t tx_offloads) {
    const std::uint16_t port = variant.port;
    rte_eth_dev_info info;

    check(variant, "SIMD width", rte_vect_set_max_simd_bitwidth(simd_bits));
    check(variant, "device information", rte_eth_dev_info_get(port, &info));
    const rte_eth_conf conf = configuration(info, workload, tx_offloads);
    check(variant, "configuration", rte_eth_dev_configure(port, 1, 1, &conf));

    // The driver's own thresholds; offloads of queues are those of the port.
    rte_eth_rxconf rxconf = info.default_rxconf;
    rte_eth_txconf txconf = info.default_txconf;
    rxconf.offloads = conf.rxmode.offloads;
    txconf.offloads = conf.txmode.offloads;
    check(variant, "Rx queue",
          rte_eth_rx_queue_setup(port, 0, ring_size, SOCKET_ID_ANY, &rxconf, variant.pool));
    check(variant, "Tx queue", rte_eth_tx_queue_setup(port, 0, ring_size, SOCKET_ID_ANY, &txconf));
    check(variant, "start", rte_eth_dev_start(port));

    const struct rte_eth_fp_ops &ops = rte_eth_fp_ops[port];
    variant.rx.burst = ops.rx_pkt_burst;
    variant.rx.queue = ops.rxq.data[0];
    variant.rx.offloads = conf.rxmode.offloads;
    variant.tx.burst = ops.tx_pkt_burst;
    variant.tx.queue = ops.txq.data[0];
    variant.tx.offloads = conf.txmode.offloads;
    read_modes(variant);
    variant.device->open_rings();
}

} // namespace bench
