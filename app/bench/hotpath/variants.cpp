// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The list of variants.

#include "variant.hpp"

#include <cstdint>
#include <cstdio>
#include <stdexcept>

#include <rte_ethdev.h>
#include <rte_pci.h>

#include "bus.hpp"
#include "floor.hpp"
#include "log_capture.hpp"
#include "port.hpp"
#include "simd.hpp"

namespace bench {

namespace {

constexpr const char *stock_driver = "net_e1000_igb";
constexpr const char *rebuilt_driver = "net_e1000_igb_rebuilt"; // devtools/lib/stock.sh
constexpr const char *ixgbe_driver = "net_ixgbe";
constexpr const char *our_driver = "net_iommufd_igb";
constexpr const char *our_pool = "iommufd"; // mempool ops

// A configuration of our driver.
struct Ours {
    const char *name;
    std::uint16_t simd_bits;
    // What the Rx burst mode says if the driver has a function for this width.
    const char *mode;
    std::uint64_t tx_offloads;
};

constexpr Ours our_variants[] = {
    {"scalar", RTE_VECT_SIMD_DISABLED, "Scalar", 0},
    {"scalar_fast_free", RTE_VECT_SIMD_DISABLED, "Scalar", RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE},
    {"avx2", RTE_VECT_SIMD_256, "AVX2", 0},
    {"avx2_fast_free", RTE_VECT_SIMD_256, "AVX2", RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE},
    {"avx512", RTE_VECT_SIMD_512, "AVX512", 0},
    {"avx512_fast_free", RTE_VECT_SIMD_512, "AVX512", RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE},
};

std::unique_ptr<Variant> new_variant(const char *name, const NicModel &nic, const char *ops) {
    auto variant = std::make_unique<Variant>();

    variant->name = name;
    variant->device = std::make_unique<Device>(nic);
    variant->pool = make_pool(name, ops);
    return variant;
}

// A name of its own for the next device.
std::string device_name(const char *prefix) {
    static unsigned int count = 0;
    char address[PCI_PRI_STR_SIZE];

    std::snprintf(address, sizeof(address), "0000:%02x:00.0", ++count);
    return std::string(prefix) + address;
}

// A driver of the PCI bus, its port not started yet.
std::unique_ptr<Variant> probe_variant(const char *name, const char *driver, const NicModel &nic) {
    auto variant = new_variant(name, nic, nullptr);

    variant->driver = pci_driver_file(driver).path;
    variant->port = probe_pci(driver, *variant->device, device_name(""));
    return variant;
}

// net_e1000_igb, as packaged or as compiled for this benchmark.
std::unique_ptr<Variant> make_stock(const char *name, const char *driver,
                                    const Workload &workload) {
    if (!pci_driver_file(driver).found())
        throw std::runtime_error(std::string(driver) + " was not loaded");
    auto variant = probe_variant(name, driver, nic_82576);

    start_port(*variant, workload, RTE_VECT_SIMD_256, 0);
    return variant;
}

std::unique_ptr<Variant> make_ixgbe(const Workload &workload) {
    if (!pci_driver_file(ixgbe_driver).found())
        throw std::runtime_error("this DPDK has no net_ixgbe");
    auto variant = probe_variant("ixgbe_vector", ixgbe_driver, nic_82599);

    variant->smallest_burst = 4;          // _recv_raw_pkts_vec(): fewer are never received
    LogCapture log("pmd.net.ixgbe.init"); // this driver has no burst mode information
    start_port(*variant, workload, RTE_VECT_SIMD_256, 0);
    if (!log.contains("Vector rx enabled") || !log.contains("Vector tx enabled"))
        throw std::runtime_error("net_ixgbe has not chosen its vector functions");
    variant->rx.mode = "Vector";
    variant->tx.mode = "Vector";
    return variant;
}

std::unique_ptr<Variant> make_floor() {
    auto variant = new_variant("floor", nic_82576, nullptr);

    variant->driver = "written for this benchmark";
    variant->port = RTE_MAX_ETHPORTS - 1; // a number no port has
    start_floor(*variant);
    return variant;
}

std::unique_ptr<Variant> make_ours(const Ours &ours, const Workload &workload) {
    const DriverFile file = iommufd_driver_file(our_driver);

    if (!file.found())
        throw std::runtime_error("net_iommufd_igb was not loaded (--plugin)");
    auto variant = new_variant(ours.name, nic_82576, our_pool);
    variant->driver = file.path;
    variant->unchecked_is_unknown = true;
    variant->port = probe_iommufd(our_driver, *variant->device, device_name("iommufd:"));
    start_port(*variant, workload, ours.simd_bits, ours.tx_offloads);
    // Which receive function there is for packets in several buffers is not a matter of width.
    const std::string &mode = workload.mtu == 0 ? variant->rx.mode : variant->tx.mode;
    if (mode.find(ours.mode) == std::string::npos)
        throw std::runtime_error("no such function: the driver has chosen \"" + variant->rx.mode +
                                 "\" and \"" + variant->tx.mode + "\"");
    return variant;
}

template <typename Make>
void add(Variants &variants, const char *name, Make make) {
    try {
        variants.present.push_back(make());
    } catch (const std::runtime_error &error) {
        variants.absent.push_back({name, error.what()});
    }
}

} // namespace

Variants make_variants(const Workload &workload) {
    Variants variants;

    variants.present.push_back(make_stock(stock_name, stock_driver, workload));
    add(variants, "stock_rebuilt",
        [&] { return make_stock("stock_rebuilt", rebuilt_driver, workload); });
    if (workload.is_plain()) {
        add(variants, "ixgbe_vector", [&] { return make_ixgbe(workload); });
        add(variants, "floor", make_floor);
    }
    for (const Ours &ours : our_variants)
        if (workload.is_plain() || ours.tx_offloads == 0)
            add(variants, ours.name, [&] { return make_ours(ours, workload); });
    return variants;
}

} // namespace bench
