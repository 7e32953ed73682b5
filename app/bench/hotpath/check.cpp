// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Whether every variant does all of stock's work.

#include "check.hpp"

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <set>

#include "mbuf.hpp"
#include "modes.hpp"

namespace bench {

namespace {

constexpr unsigned int nb_sent = 8192;
constexpr unsigned int settle_rounds = 16; // rounds
constexpr unsigned int nb_rounds = 64;

struct Field {
    const char *name;
    std::size_t offset;
    std::size_t size;
};

#define FIELD(name)                                                                                \
    { #name, offsetof(rte_mbuf, name), sizeof(rte_mbuf::name) }
constexpr Field mbuf_fields[] = {
    FIELD(data_off),
    FIELD(refcnt),
    FIELD(nb_segs),
    FIELD(ol_flags),
    FIELD(packet_type),
    FIELD(pkt_len),
    FIELD(data_len),
    FIELD(vlan_tci),
    {"hash.rss", offsetof(rte_mbuf, hash.rss), sizeof(std::uint32_t)},
    {"hash.fdir.hi", offsetof(rte_mbuf, hash.fdir.hi), sizeof(std::uint32_t)},
    FIELD(vlan_tci_outer),
    FIELD(buf_len),
    FIELD(tx_offload),
    FIELD(shinfo),
    FIELD(priv_size),
    FIELD(timesync),
    FIELD(dynfield1),
};
#undef FIELD

// Together with those that are compared as own_*, all bytes of the mbuf.
consteval std::size_t sum_of_sizes() {
    std::size_t sum = sizeof(rte_mbuf::buf_addr) + sizeof(rte_mbuf::buf_iova) +
                      sizeof(rte_mbuf::port) + sizeof(rte_mbuf::pool) + sizeof(rte_mbuf::next);

    for (const Field &field : mbuf_fields)
        sum += field.size;
    return sum;
}
static_assert(sum_of_sizes() == sizeof(rte_mbuf));

std::uint64_t value_of(const RxImage &image, const Field &field) {
    std::uint64_t value = 0;

    std::memcpy(&value, &image.bytes[field.offset], std::min(field.size, sizeof(value)));
    return value;
}

void record(Differences &differences, const std::string &what, const std::string &example) {
    Difference &difference = differences[what];

    if (difference.packets++ == 0)
        difference.example = example;
}

std::string text(const char *format, std::uint64_t a, std::uint64_t b, std::uint64_t c = 0,
                 std::uint64_t d = 0) {
    char buffer[160];

    std::snprintf(buffer, sizeof(buffer), format, a, b, c, d);
    return buffer;
}

bool same_count(std::size_t expected, std::size_t actual, const char *what,
                Differences &differences) {
    if (expected == actual)
        return true;
    record(differences, what, text("%" PRIu64 " instead of %" PRIu64, actual, expected));
    return false;
}

bool is_first(const std::vector<Descriptor> &traffic, std::size_t i) {
    return i == 0 || (traffic[i - 1].hi & rx::EOP) != 0;
}

// The status of a packet, of which descriptor i is one.
std::uint64_t status_of(const std::vector<Descriptor> &traffic, std::size_t i) {
    while (!(traffic[i].hi & rx::EOP))
        i++;
    return traffic[i].hi;
}

// Whether a field of a segment is as it was in the pool. What stock leaves alone in all segments
// but the first means nothing there, and another driver may set it.
bool is_untouched(const RxImage &image, const Field &field) {
    static const rte_mbuf poisoned = [] {
        rte_mbuf mbuf{};
        poison(&mbuf);
        return mbuf;
    }();

    return std::memcmp(&image.bytes[field.offset],
                       reinterpret_cast<const char *>(&poisoned) + field.offset, field.size) == 0;
}

// What stock made of a packet, for a variant that calls no checksum good that was not checked.
RxImage without_unchecked(RxImage image, std::uint64_t status) {
    std::uint64_t flags;

    std::memcpy(&flags, &image.bytes[offsetof(rte_mbuf, ol_flags)], sizeof(flags));
    if (!(status & rx::IPCS))
        flags &= ~(RTE_MBUF_F_RX_IP_CKSUM_GOOD | RTE_MBUF_F_RX_IP_CKSUM_BAD);
    if (!(status & (rx::L4CS | rx::UDPCS)))
        flags &= ~(RTE_MBUF_F_RX_L4_CKSUM_GOOD | RTE_MBUF_F_RX_L4_CKSUM_BAD);
    std::memcpy(&image.bytes[offsetof(rte_mbuf, ol_flags)], &flags, sizeof(flags));
    return image;
}

std::vector<RxImage> without_unchecked(const std::vector<Descriptor> &traffic,
                                       std::vector<RxImage> images) {
    for (std::size_t i = 0; i < std::min(images.size(), traffic.size()); i++)
        if (is_first(traffic, i))
            images[i] = without_unchecked(images[i], status_of(traffic, i));
    return images;
}

// Rounds that begin and end at the same place of the rings lose no mbuf.
void check_leaks(Variant &variant, const Workload &workload, Op op, Differences &differences) {
    Round round(variant, workload, op, 32, Cache::warm);
    Unmetered meter;

    for (unsigned int i = 0; i < settle_rounds; i++)
        round.run(meter);
    const unsigned int before = rte_mempool_in_use_count(variant.pool);
    for (unsigned int i = 0; i < nb_rounds; i++)
        round.run(meter);
    const unsigned int after = rte_mempool_in_use_count(variant.pool);
    if (after != before)
        record(differences, std::string("mbufs in use, ") + name_of(op),
               text("%" PRIu64 " and 64 rounds later %" PRIu64, before, after));
}

void print(const Variant &variant, std::size_t packets, const Differences &differences) {
    const char *separator = "";

    std::printf("{\"variant\": \"%s\", \"packets\": %zu, \"differences\": [", variant.name.c_str(),
                packets);
    for (const auto &[what, difference] : differences) {
        std::printf("%s{\"field\": \"%s\", \"packets\": %" PRIu64 ", \"example\": \"%s\"}",
                    separator, what.c_str(), difference.packets, difference.example.c_str());
        separator = ", ";
    }
    std::printf("]}\n");
}

} // namespace

void compare(const std::vector<Descriptor> &traffic, const std::vector<RxImage> &expected,
             const std::vector<RxImage> &actual, Differences &differences) {
    if (!same_count(expected.size(), actual.size(), "received", differences))
        return;
    for (std::size_t i = 0; i < expected.size(); i++) {
        const bool first = is_first(traffic, i);
        for (const Field &field : mbuf_fields) {
            if (!first && is_untouched(expected[i], field))
                continue;
            if (std::memcmp(&expected[i].bytes[field.offset], &actual[i].bytes[field.offset],
                            field.size) != 0)
                record(differences, field.name,
                       text("%#" PRIx64 " instead of %#" PRIx64 " for descriptor %016" PRIx64
                            " %016" PRIx64,
                            value_of(actual[i], field), value_of(expected[i], field), traffic[i].lo,
                            traffic[i].hi));
        }
        if (first && !actual[i].own_port)
            record(differences, "port", "not the port's number");
        if (!actual[i].own_pool)
            record(differences, "pool", "not the queue's pool");
        if (!actual[i].own_buffer)
            record(differences, "buf_iova", "not the buffer that the device wrote to");
        if (!actual[i].own_place)
            record(differences, "next", "not the end of the packet, or beyond it");
    }
}

void compare(const std::vector<TxImage> &expected, const std::vector<TxImage> &actual,
             Differences &differences) {
    if (!same_count(expected.size(), actual.size(), "sent", differences))
        return;
    for (std::size_t i = 0; i < expected.size(); i++) {
        if (actual[i].command != expected[i].command)
            record(
                differences, "tx command",
                text("%#" PRIx64 " instead of %#" PRIx64, actual[i].command, expected[i].command));
        if (actual[i].context.lo != expected[i].context.lo ||
            actual[i].context.hi != expected[i].context.hi)
            record(differences, "tx context",
                   text("%#" PRIx64 " %#" PRIx64 " instead of %#" PRIx64 " %#" PRIx64,
                        actual[i].context.lo, actual[i].context.hi, expected[i].context.lo,
                        expected[i].context.hi));
        if (!actual[i].own_address)
            record(differences, "tx address", "not that of the packet's data");
    }
}

void check_buffers(Variant &variant, const Workload &workload, Differences &differences) {
    std::set<std::uint64_t> seen;

    if (variant.uses_pool)
        for (const Op op : workload.ops)
            check_leaks(variant, workload, op, differences);
    for (unsigned int i = 0; i < variant.device->rx_posted(); i++)
        if (!seen.insert(variant.device->rx_buffer(i)).second)
            record(differences, "Rx ring", "a buffer that is in it twice");
}

bool check_output(const Variants &variants, const Workload &workload) {
    const std::vector<Descriptor> traffic = make_traffic(workload);
    std::vector<RxImage> received;
    std::vector<TxImage> sent;
    bool equal = true;

    for (const auto &variant : variants.present) {
        Differences differences;
        const auto rx_images = receive_all(*variant, traffic);
        const auto tx_images = send_all(*variant, workload, nb_sent);

        if (variant->name == stock_name) {
            received = rx_images;
            sent = tx_images;
        }
        compare(traffic,
                variant->unchecked_is_unknown ? without_unchecked(traffic, received) : received,
                rx_images, differences);
        compare(sent, tx_images, differences);
        check_buffers(*variant, workload, differences);
        print(*variant, traffic.empty() ? sent.size() : traffic.size(), differences);
        equal &= differences.empty() || variant->name == "ixgbe_vector";
    }
    return equal;
}

} // namespace bench
