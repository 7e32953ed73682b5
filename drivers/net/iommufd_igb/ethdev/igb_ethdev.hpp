// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// A port: what its dev_private holds, and the ethdev operations by the file they are in.

#include <array>
#include <cstdint>
#include <new>

#include <bus_iommufd_driver.h>
#include <ethdev_driver.h>
#include <rte_ethdev.h>
#include <rte_spinlock.h>

#include "ethdev/igb_flow.hpp"
#include "hw/igb_hw.hpp"
#include "igb_dpdk.hpp"
#include "igb_log.hpp"

namespace igb {

struct RxQueue;
struct TxQueue;

// Header, CRC and two VLAN tags are in the frame too.
inline constexpr std::uint16_t max_mtu =
    max_frame_length - RTE_ETHER_HDR_LEN - RTE_ETHER_CRC_LEN - 2 * RTE_VLAN_HLEN;

// Sums of the queues' own counters, which only the burst functions write.
struct QueueSums {
    std::array<std::uint64_t, max_queues> rx_packets{};
    std::array<std::uint64_t, max_queues> rx_bytes{};
    std::array<std::uint64_t, max_queues> rx_errors{};
    std::array<std::uint64_t, max_queues> rx_no_mbufs{};
    std::array<std::uint64_t, max_queues> tx_packets{};
    std::array<std::uint64_t, max_queues> tx_bytes{};
    std::array<std::uint64_t, max_queues> tx_errors{};
};

// A port's time, by the device's clock; nanoseconds modulo 2^64.
struct PortClock {
    std::uint64_t last = 0; // that was read of the device's
    std::uint64_t laps_ns = 0;
    std::uint64_t offset_ns = 0;
};

// dev_private: memory that processes share, freed by ethdev as memory. Plain data: no address that
// is one process's own, of registers or of code.
struct Port {
    Settings settings;                       // what the device is told
    FlowHandles flows = make_flow_handles(); // of the rules among them
    MacAddress factory_mac{};
    rte_spinlock_t stats_lock = RTE_SPINLOCK_INITIALIZER; // of the next three
    HwStats stats;      // registers, summed up since the last stats_reset
    QueueSums released; // queues that are no more
    QueueSums base;     // queue counters at the last stats_reset
    // The device may use ring memory and mbufs: from before bus mastering is turned on until
    // it is certain that DMA has ended. Nothing it may reach is freed while this is set.
    bool dma_live = false;
    // As dev_init() has left the device: reset, with no filters, the link being made.
    bool just_reset = false;
    PortClock clock;
    std::uint32_t led_default = 0; // LEDCTL as it comes up
    bool flow_agreed = false;      // on PAUSE frames, since the link has come up
    bool link_on = false;          // PHY powered, as started or told by set_link_up()
};

inline Port &port_of(const rte_eth_dev *dev) {
    return *std::launder(static_cast<Port *>(dev->data->dev_private));
}

// Where this process has the device's registers.
inline void *bar_of(const rte_eth_dev *dev) {
    return RTE_ETH_DEV_TO_IOMMUFD(dev)->bars[0].addr;
}

inline Hw hw_of(const rte_eth_dev *dev) {
    return Hw(Registers(bar_of(dev)));
}

// Address of a register that the hot path writes.
inline volatile std::uint32_t *register_address(const rte_eth_dev *dev, std::uint32_t offset) {
    return reinterpret_cast<volatile std::uint32_t *>(static_cast<char *>(bar_of(dev)) + offset);
}

// What ethdev is told of a step: 0, or a negative errno after a line about it.
template <class T>
int report(const rte_eth_dev *dev, const Result<T> &result) {
    if (result)
        return 0;
    IGB_PORT_LOG(ERR, dev, "%s: %s", result.error().step, rte_strerror(result.error().code));
    return -result.error().code;
}

extern const eth_dev_ops dev_ops;

// igb_ethdev.cpp
int dev_init(rte_eth_dev *dev, void *);
int dev_configure(rte_eth_dev *dev);
int dev_start(rte_eth_dev *dev);
int dev_stop(rte_eth_dev *dev);
int dev_close(rte_eth_dev *dev);
int dev_reset(rte_eth_dev *dev);

// ethdev/igb_queue_setup.cpp
int rx_queue_setup(rte_eth_dev *dev, std::uint16_t queue, std::uint16_t nb_desc,
                   unsigned int socket, const rte_eth_rxconf *conf, rte_mempool *pool);
int tx_queue_setup(rte_eth_dev *dev, std::uint16_t queue, std::uint16_t nb_desc,
                   unsigned int socket, const rte_eth_txconf *conf);
void rx_queue_release(rte_eth_dev *dev, std::uint16_t queue);
void tx_queue_release(rte_eth_dev *dev, std::uint16_t queue);
void rxq_info_get(rte_eth_dev *dev, std::uint16_t queue, rte_eth_rxq_info *info);
void txq_info_get(rte_eth_dev *dev, std::uint16_t queue, rte_eth_txq_info *info);
int tx_done_cleanup(void *queue, std::uint32_t count);
// Buffers of the smallest Rx queue in bytes; UINT32_MAX if there is no queue.
std::uint32_t smallest_rx_buffer(const rte_eth_dev *dev);

// ethdev/igb_queue_start.cpp
// All queues but those that are to be started later: rings in memory and in registers, before the
// device may master the bus; then on. What it may not use any more is freed.
int program_queues(rte_eth_dev *dev);
int enable_queues(rte_eth_dev *dev);
void drain_queues(rte_eth_dev *dev);
int rx_queue_start(rte_eth_dev *dev, std::uint16_t queue);
int rx_queue_stop(rte_eth_dev *dev, std::uint16_t queue);
int tx_queue_start(rte_eth_dev *dev, std::uint16_t queue);
int tx_queue_stop(rte_eth_dev *dev, std::uint16_t queue);

// ethdev/igb_ethdev_ops.cpp
int dev_infos_get(rte_eth_dev *dev, rte_eth_dev_info *info);
int vlan_offload_set(rte_eth_dev *dev, int mask);
int vlan_tpid_set(rte_eth_dev *dev, rte_vlan_type type, std::uint16_t tpid);
int mtu_set(rte_eth_dev *dev, std::uint16_t mtu);
// The longest frame that a port takes, with its CRC, in bytes.
std::uint32_t longest_frame(const rte_eth_dev *dev, std::uint16_t mtu);

// ethdev/igb_ethdev_filter.cpp
int promiscuous_enable(rte_eth_dev *dev);
int promiscuous_disable(rte_eth_dev *dev);
int allmulticast_enable(rte_eth_dev *dev);
int allmulticast_disable(rte_eth_dev *dev);
int mac_addr_set(rte_eth_dev *dev, rte_ether_addr *mac);
int mac_addr_add(rte_eth_dev *dev, rte_ether_addr *mac, std::uint32_t index, std::uint32_t pool);
void mac_addr_remove(rte_eth_dev *dev, std::uint32_t index);
int set_mc_addr_list(rte_eth_dev *dev, rte_ether_addr *list, std::uint32_t count);
int vlan_filter_set(rte_eth_dev *dev, std::uint16_t vlan, int on);

// ethdev/igb_ethdev_link.cpp
int link_update(rte_eth_dev *dev, int wait_to_complete);
int set_link_up(rte_eth_dev *dev);
int set_link_down(rte_eth_dev *dev);

// ethdev/igb_ethdev_flow_control.cpp
int flow_ctrl_get(rte_eth_dev *dev, rte_eth_fc_conf *conf);
int flow_ctrl_set(rte_eth_dev *dev, rte_eth_fc_conf *conf);

// ethdev/igb_ethdev_inspect.cpp
int fw_version_get(rte_eth_dev *dev, char *text, std::size_t size);
int get_reg(rte_eth_dev *dev, rte_dev_reg_info *info);
int get_eeprom_length(rte_eth_dev *dev);
int get_eeprom(rte_eth_dev *dev, rte_dev_eeprom_info *info);
int led_on(rte_eth_dev *dev);
int led_off(rte_eth_dev *dev);

// ethdev/igb_ethdev_rss.cpp
int reta_update(rte_eth_dev *dev, rte_eth_rss_reta_entry64 *conf, std::uint16_t size);
int reta_query(rte_eth_dev *dev, rte_eth_rss_reta_entry64 *conf, std::uint16_t size);
int rss_hash_update(rte_eth_dev *dev, rte_eth_rss_conf *conf);
int rss_hash_conf_get(rte_eth_dev *dev, rte_eth_rss_conf *conf);

// igb_ethdev_stats.cpp
int stats_get(rte_eth_dev *dev, rte_eth_stats &stats, QueueStats *queues);
int stats_reset(rte_eth_dev *dev);
// What the registers with names of their own have counted.
Counts stats_counts(rte_eth_dev *dev);
// Add the registers' counts up, before a reset of the device loses them for instance.
void stats_collect(rte_eth_dev *dev);
// Keep what a queue has counted, which is about to be released.
void stats_keep(rte_eth_dev *dev, const RxQueue &queue);
void stats_keep(rte_eth_dev *dev, const TxQueue &queue);

// ethdev/igb_ethdev_timesync.cpp
int timesync_enable(rte_eth_dev *dev);
int timesync_disable(rte_eth_dev *dev);
int timesync_read_time(rte_eth_dev *dev, timespec *time);
int timesync_write_time(rte_eth_dev *dev, const timespec *time);
int timesync_adjust_time(rte_eth_dev *dev, std::int64_t delta);
int timesync_read_rx_timestamp(rte_eth_dev *dev, timespec *time, std::uint32_t flags);
int timesync_read_tx_timestamp(rte_eth_dev *dev, timespec *time);

// ethdev/igb_ethdev_xstats.cpp
int xstats_get(rte_eth_dev *dev, rte_eth_xstat *xstats, unsigned int size);
int xstats_get_names(rte_eth_dev *dev, rte_eth_xstat_name *names, unsigned int size);

// ethdev/igb_burst_mode.cpp
// Choose the burst functions for the port's configuration.
void select_bursts(rte_eth_dev *dev);
// Whether the port's receive function can serve a queue that joins it.
bool rx_burst_suits(const rte_eth_dev *dev, const RxQueue &queue);
int rx_burst_mode_get(rte_eth_dev *dev, std::uint16_t queue, rte_eth_burst_mode *mode);
int tx_burst_mode_get(rte_eth_dev *dev, std::uint16_t queue, rte_eth_burst_mode *mode);

} // namespace igb
