// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Flow rules with an RSS action. There is one RSS for a port: a pattern can do no more than narrow
// what is hashed. DPDK 22.11.11, igb_flow.c, does not look at the pattern at all.

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ethdev/igb_config.hpp"
#include "ethdev/igb_flow_items.hpp"
#include "hw/igb_result.hpp"

namespace igb {

namespace {

constexpr std::uint32_t ipv4_fields = mrqc::IPV4 | mrqc::IPV4_TCP | mrqc::IPV4_UDP;
constexpr std::uint32_t ipv6_fields = mrqc::IPV6 | mrqc::IPV6_TCP | mrqc::IPV6_UDP;

struct Layer {
    rte_flow_item_type type;
    unsigned int depth;   // items come in its order
    std::uint32_t fields; // of mrqc::, that frames with this layer can be hashed by
};
constexpr Layer layers[] = {
    {RTE_FLOW_ITEM_TYPE_ETH, 2, ipv4_fields | ipv6_fields},
    {RTE_FLOW_ITEM_TYPE_IPV4, 3, ipv4_fields},
    {RTE_FLOW_ITEM_TYPE_IPV6, 3, ipv6_fields},
    {RTE_FLOW_ITEM_TYPE_TCP, 4, mrqc::IPV4_TCP | mrqc::IPV6_TCP},
    {RTE_FLOW_ITEM_TYPE_UDP, 4, mrqc::IPV4_UDP | mrqc::IPV6_UDP},
};

// The fields that a pattern leaves.
FlowResult<std::uint32_t> parse_layers(const rte_flow_item *item) {
    std::uint32_t fields = ipv4_fields | ipv6_fields;
    unsigned int depth = 0;

    for (; item->type != RTE_FLOW_ITEM_TYPE_END; item = next_item(item)) {
        const auto *layer =
            std::find_if(std::begin(layers), std::end(layers),
                         [=](const Layer &each) { return each.type == item->type; });
        if (layer == std::end(layers) || layer->depth <= depth)
            return refuse_item(item,
                               "the pattern of an RSS rule is of ETH, IPV4 or IPV6, TCP or UDP");
        if (!is_bare(item))
            return refuse_item(item, "RSS is for all frames of a kind, whatever their fields are");
        depth = layer->depth;
        fields &= layer->fields;
    }
    return fields;
}

FlowResult<> check_queues(std::uint16_t nb_rx_queues, const rte_flow_action *action,
                          const rte_flow_action_rss &rss) {
    if (rss.queue_num == 0 || rss.queue == nullptr)
        return refuse_action(EINVAL, action, "the RSS action names no queues");
    if (rss.queue_num > max_queues)
        return refuse_action(ENOTSUP, action,
                             "the RSS action names more queues than a port can have");
    for (std::uint32_t i = 0; i < rss.queue_num; i++)
        if (rss.queue[i] >= nb_rx_queues)
            return refuse_action(EINVAL, action,
                                 "the RSS action names an Rx queue that the port has not");
    return {};
}

FlowResult<> check_hash(const rte_flow_action *action, const rte_flow_action_rss &rss) {
    if (rss.func != RTE_ETH_HASH_FUNCTION_DEFAULT)
        return refuse_action(ENOTSUP, action, "the hash function is the default one, Toeplitz");
    if (rss.level != 0)
        return refuse_action(ENOTSUP, action, "RSS is by the outermost headers, level 0");
    if (rss.key_len != 0 && rss.key_len != rss_key_size)
        return refuse_action(ENOTSUP, action, "an RSS key has 40 bytes");
    if (rss.key_len != 0 && rss.key == nullptr)
        return refuse_action(EINVAL, action, "the RSS key has a length and is not there");
    return {};
}

} // namespace

FlowResult<FlowRule> parse_flow_rss(std::uint16_t nb_rx_queues, const rte_flow_item *item,
                                    const rte_flow_action *action) {
    const auto *conf = static_cast<const rte_flow_action_rss *>(action->conf);

    if (conf == nullptr)
        return refuse_action(EINVAL, action, "the RSS action names no queues");
    TRY(check_queues(nb_rx_queues, action, *conf));
    TRY(check_hash(action, *conf));
    TRY(check_last_action(action));

    const std::uint32_t fields = TRY(parse_layers(item));
    Rss rss{.fields = fields, .key = default_rss_key, .reta = {}};
    if (conf->types != 0) // 0: whatever suits (DPDK 22.11, prog_guide/rte_flow.rst, Action: RSS)
        rss.fields &= rss_fields(conf->types);
    if (rss.fields == 0)
        return refuse_action(EINVAL, action,
                             "the device hashes none of the RSS types for such frames");
    if (conf->key_len != 0)
        std::memcpy(rss.key.data(), conf->key, rss_key_size);
    for (std::uint16_t i = 0; i < reta_size; i++)
        rss.reta[i] = static_cast<std::uint8_t>(conf->queue[i % conf->queue_num]);
    return rss;
}

} // namespace igb
