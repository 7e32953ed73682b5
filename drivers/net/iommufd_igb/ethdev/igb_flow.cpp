// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Flow rules of a port. A rule is a filter in its settings: made and destroyed at any time, told to
// the device at once, and again by each start, before which a reset has lost it. ethdev serialises
// the calls. rte_flow_error is what the application reads; nothing is logged beside it.

#include "ethdev/igb_flow.hpp"

#include <algorithm>
#include <cerrno>
#include <optional>

#include <rte_flow_driver.h>

#include "ethdev/igb_ethdev.hpp"
#include "ethdev/igb_flow_parse.hpp"

namespace igb {

namespace {

int report_refusal(rte_flow_error *error, const FlowRefusal &refusal) {
    return rte_flow_error_set(error, refusal.code, refusal.type, refusal.cause, refusal.why);
}

// For want of a place, or because the rule is there already: as stock, of the rule as a whole.
tl::unexpected<FlowRefusal> refuse_rule(int code, const char *why) {
    return refuse(code, RTE_FLOW_ERROR_TYPE_HANDLE, nullptr, why);
}

rte_flow *handle_of(rte_eth_dev *dev, FlowKind kind, std::size_t place) {
    FlowHandles &handles = port_of(dev).flows;

    return std::find_if(handles.begin(), handles.end(), [=](const rte_flow &handle) {
        return handle.kind == kind && handle.place == place;
    });
}

FlowResult<rte_flow *> install(rte_eth_dev *dev, const EthertypeFilter &filter) {
    Settings &settings = port_of(dev).settings;

    if (find_ethertype(settings.flow, filter.type))
        return refuse_rule(EEXIST, "there is a rule for that EtherType");
    const auto place = place_for_ethertype(settings.flow, filter.type, settings.timesync);
    if (!place)
        return refuse_rule(ENOSYS, "all EtherType filters of the device are taken");
    settings.flow.ethertypes[*place] = filter;
    hw_of(dev).apply_ethertypes(settings);
    return handle_of(dev, FlowKind::ethertype, *place);
}

FlowResult<rte_flow *> install(rte_eth_dev *dev, const TupleFilter &filter) {
    auto &tuples = port_of(dev).settings.flow.tuples;
    const auto is_same = [&](const TupleFilter &each) {
        return each.on && same_tuple(each, filter);
    };
    const auto is_free = [](const TupleFilter &each) { return !each.on; };

    if (std::any_of(tuples.begin(), tuples.end(), is_same))
        return refuse_rule(EEXIST, "there is a rule for the same frames with the same priority");
    const auto free = std::find_if(tuples.begin(), tuples.end(), is_free);
    if (free == tuples.end())
        return refuse_rule(ENOSYS, "all n-tuple filters of the device are taken");
    const auto place = static_cast<std::uint16_t>(free - tuples.begin());
    *free = filter;
    hw_of(dev).apply_tuple(place, filter);
    return handle_of(dev, FlowKind::tuple, place);
}

FlowResult<rte_flow *> install(rte_eth_dev *dev, const SynFilter &filter) {
    SynFilter &syn = port_of(dev).settings.flow.syn;

    if (syn.on)
        return refuse_rule(EINVAL, "the device has one SYN filter, which a rule has taken");
    syn = filter;
    hw_of(dev).apply_syn(syn);
    return handle_of(dev, FlowKind::syn, 0);
}

FlowResult<rte_flow *> install(rte_eth_dev *dev, const Rss &rss) {
    Settings &settings = port_of(dev).settings;

    if (settings.has_flow_rss)
        return refuse_rule(EINVAL, "the device has one RSS, which a rule has taken");
    settings.has_flow_rss = true;
    settings.flow_rss = rss;
    hw_of(dev).apply_rss(rss_in_force(settings));
    return handle_of(dev, FlowKind::rss, 0);
}

bool is_on(const Settings &settings, const rte_flow &flow) {
    switch (flow.kind) {
    case FlowKind::ethertype:
        return settings.flow.ethertypes[flow.place].on;
    case FlowKind::tuple:
        return settings.flow.tuples[flow.place].on;
    case FlowKind::syn:
        return settings.flow.syn.on;
    case FlowKind::rss:
        return settings.has_flow_rss;
    }
    return false;
}

void remove(rte_eth_dev *dev, const rte_flow &flow) {
    Settings &settings = port_of(dev).settings;
    Hw hw = hw_of(dev);

    switch (flow.kind) {
    case FlowKind::ethertype:
        settings.flow.ethertypes[flow.place] = {};
        return hw.apply_ethertypes(settings);
    case FlowKind::tuple:
        settings.flow.tuples[flow.place] = {};
        return hw.apply_tuple(flow.place, {});
    case FlowKind::syn:
        settings.flow.syn = {};
        return hw.apply_syn({});
    case FlowKind::rss:
        settings.has_flow_rss = false;
        return hw.apply_rss(rss_in_force(settings));
    }
}

int flow_validate(rte_eth_dev *dev, const rte_flow_attr *attr, const rte_flow_item pattern[],
                  const rte_flow_action actions[], rte_flow_error *error) {
    const auto rule = parse_flow(dev->data->nb_rx_queues, attr, pattern, actions);

    return rule ? 0 : report_refusal(error, rule.error());
}

rte_flow *flow_create(rte_eth_dev *dev, const rte_flow_attr *attr, const rte_flow_item pattern[],
                      const rte_flow_action actions[], rte_flow_error *error) {
    const auto flow =
        parse_flow(dev->data->nb_rx_queues, attr, pattern, actions)
            .and_then([&](const FlowRule &rule) {
                return std::visit([&](const auto &filter) { return install(dev, filter); }, rule);
            });

    if (flow)
        return *flow;
    (void)report_refusal(error, flow.error());
    return nullptr;
}

int flow_destroy(rte_eth_dev *dev, rte_flow *flow, rte_flow_error *error) {
    Port &port = port_of(dev);
    const auto known = std::find_if(port.flows.begin(), port.flows.end(),
                                    [=](const rte_flow &handle) { return &handle == flow; });

    if (known == port.flows.end() || !is_on(port.settings, *flow))
        return rte_flow_error_set(error, EINVAL, RTE_FLOW_ERROR_TYPE_HANDLE, flow,
                                  "the port has no such rule");
    remove(dev, *flow);
    return 0;
}

int flow_flush(rte_eth_dev *dev, rte_flow_error *) {
    flow_forget(dev);
    hw_of(dev).apply_flow(port_of(dev).settings);
    return 0;
}

constexpr rte_flow_ops make_flow_ops() {
    rte_flow_ops ops{};

    ops.validate = flow_validate;
    ops.create = flow_create;
    ops.destroy = flow_destroy;
    ops.flush = flow_flush;
    return ops;
}

constinit const rte_flow_ops flow_ops = make_flow_ops();

// The highest queue that a rule names; none if there is no rule.
std::optional<std::uint8_t> highest_queue(const Settings &settings) {
    std::optional<std::uint8_t> highest;
    const auto count = [&](std::uint8_t queue) { highest = std::max(highest.value_or(0), queue); };

    for (const EthertypeFilter &filter : settings.flow.ethertypes)
        if (filter.on)
            count(filter.queue);
    for (const TupleFilter &filter : settings.flow.tuples)
        if (filter.on)
            count(filter.queue);
    if (settings.flow.syn.on)
        count(settings.flow.syn.queue);
    if (settings.has_flow_rss)
        std::for_each(settings.flow_rss.reta.begin(), settings.flow_rss.reta.end(), count);
    return highest;
}

} // namespace

int flow_ops_get(rte_eth_dev *, const rte_flow_ops **ops) {
    *ops = &flow_ops;
    return 0;
}

int flow_check_queues(const rte_eth_dev *dev) {
    const auto highest = highest_queue(port_of(dev).settings);

    if (!highest || *highest < dev->data->nb_rx_queues)
        return 0;
    IGB_PORT_LOG(ERR, dev,
                 "a flow rule names Rx queue %u, of %u that are to be: rte_flow_flush() first",
                 *highest, dev->data->nb_rx_queues);
    return -EINVAL;
}

void flow_forget(rte_eth_dev *dev) {
    Settings &settings = port_of(dev).settings;

    settings.flow = {};
    settings.has_flow_rss = false;
}

} // namespace igb
