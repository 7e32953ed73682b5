// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Known packets to send, what the burst functions gave the device for them out.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <iterator>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "random.hpp"

namespace bench {

namespace {

constexpr unsigned int max_burst = 64;
constexpr std::uint32_t min_length = 60;
constexpr std::uint32_t max_length = 1514;
constexpr std::uint32_t max_jumbo = 9014;

// What the device has been told of headers and tags, by the number of the context.
class Contexts {
public:
    void set(const Descriptor &context) {
        contexts_[index(context.hi)] = {.lo = context.lo, .hi = context.hi & ~tx::CONTEXT_INDEX};
    }

    // What a packet with this command makes the device look at.
    [[nodiscard]] Descriptor of(std::uint64_t command) const {
        const Descriptor &context = contexts_[index(command)];
        Descriptor mask{.lo = 0, .hi = 0};

        if (command & tx::VLE)
            mask.lo |= tx::context::VLAN;
        if (command & (tx::IXSM | tx::TXSM | tx::TSE)) {
            mask.lo |= tx::context::L2_L3_LENGTHS;
            mask.hi |= tx::context::IPV4;
        }
        if (command & (tx::TXSM | tx::TSE))
            mask.hi |= tx::context::L4_TYPE | tx::context::L4_LENGTH;
        if (command & tx::TSE)
            mask.hi |= tx::context::MSS;
        return {.lo = context.lo & mask.lo, .hi = context.hi & mask.hi};
    }

private:
    static std::size_t index(std::uint64_t command) {
        return (command & tx::CONTEXT_INDEX) / (tx::CONTEXT_INDEX & -tx::CONTEXT_INDEX);
    }

    Descriptor contexts_[8] = {};
};

// Of what the workload asks the device for, each with and without.
std::uint64_t random_flags(Random &random, std::uint64_t of) {
    std::uint64_t flags = random.coin() ? of & RTE_MBUF_F_TX_VLAN : 0;

    if (random.coin())
        flags |= of & (RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4);
    if ((of & RTE_MBUF_F_TX_TCP_SEG) != 0)
        return flags | (random.coin() ? RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM : 0);
    if ((of & RTE_MBUF_F_TX_L4_MASK) != 0) {
        constexpr std::uint64_t types[] = {0, RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_UDP_CKSUM,
                                           RTE_MBUF_F_TX_SCTP_CKSUM};
        flags |= types[random.below(std::size(types))];
    }
    return flags;
}

void make_headers(Random &random, const Workload &workload, rte_mbuf *packet) {
    // Few of each, so that the device knows many of them already.
    packet->l2_len = random.coin() ? 14 : 18;
    packet->l3_len = random.coin() ? 20 : 24;
    packet->l4_len = random.coin() ? 20 : 32;
    packet->vlan_tci = static_cast<std::uint16_t>(random.below(2));
    packet->tso_segsz = random.coin() ? 1460 : 536;
    packet->ol_flags = random_flags(random, workload.tx_flags);
}

// A packet out of mbufs, of at most as many segments as the workload's. How many it takes.
unsigned int make_packet(Random &random, const Workload &workload, rte_mbuf **mbufs) {
    const unsigned int segments = random.between(1, workload.segments());
    rte_mbuf *packet = mbufs[0];

    for (unsigned int i = 0; i < segments; i++)
        rte_pktmbuf_reset(mbufs[i]);
    if (workload.tx_flags != 0)
        make_headers(random, workload, packet);
    const bool is_cut = (packet->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
    const std::uint32_t longest =
        is_cut ? buffer_size - 32u : std::min(max_length, max_jumbo / segments);
    for (unsigned int i = 0; i < segments; i++) {
        mbufs[i]->data_off = static_cast<std::uint16_t>(mbufs[i]->data_off + random.below(32));
        mbufs[i]->data_len = static_cast<std::uint16_t>(
            random.between(is_cut ? 2 * min_length : min_length, longest));
        packet->pkt_len += mbufs[i]->data_len;
        if (i + 1 < segments)
            mbufs[i]->next = mbufs[i + 1];
    }
    packet->nb_segs = static_cast<std::uint16_t>(segments);
    return segments;
}

// What the mbuf library takes for granted of an mbuf in a pool, and a driver may not leave undone.
bool is_as_in_pool(const rte_mbuf *mbuf) {
    return rte_mbuf_refcnt_read(mbuf) == 1 && mbuf->nb_segs == 1 && mbuf->next == nullptr;
}

// A burst: its packets, and the addresses of their data in the order in which they are sent.
struct Packets {
    std::vector<rte_mbuf *> packets;
    std::deque<std::uint64_t> addresses;
};

Packets make_packets(Random &random, const Variant &variant, const Workload &workload) {
    const unsigned int wanted =
        random.between(1, std::min(max_burst, round_descs / workload.segments()));
    std::vector<rte_mbuf *> mbufs(std::size_t{wanted} * workload.segments());
    Packets made;
    unsigned int used = 0;

    if (rte_mempool_get_bulk(variant.pool, reinterpret_cast<void **>(mbufs.data()),
                             static_cast<unsigned int>(mbufs.size())) != 0)
        throw std::runtime_error(variant.name + ": no mbufs left");
    if (!std::all_of(mbufs.begin(), mbufs.end(), is_as_in_pool))
        throw std::runtime_error(variant.name + ": an mbuf went back to the pool as it was sent");
    for (unsigned int i = 0; i < wanted; i++) {
        made.packets.push_back(mbufs[used]);
        used += make_packet(random, workload, &mbufs[used]);
    }
    for (unsigned int i = 0; i < used; i++)
        made.addresses.push_back(rte_mbuf_data_iova(mbufs[i]));
    // What was not needed, and all that the variant does not free.
    const unsigned int kept = variant.uses_pool ? used : 0;
    rte_mempool_put_bulk(variant.pool, reinterpret_cast<void **>(&mbufs[kept]),
                         static_cast<unsigned int>(mbufs.size()) - kept);
    return made;
}

} // namespace

std::vector<TxImage> send_all(Variant &variant, const Workload &workload, unsigned int count) {
    Random random;
    std::vector<TxImage> images;
    Contexts contexts;

    while (workload.has(Op::tx) && images.size() < count) {
        Packets made = make_packets(random, variant, workload);
        const auto record = [&](const Descriptor &descriptor) {
            if ((descriptor.hi & tx::TYPE) == tx::TYPE_CONTEXT)
                return contexts.set(descriptor);
            images.push_back({.context = contexts.of(descriptor.hi),
                              .command = descriptor.hi & ~(tx::RS | tx::CONTEXT_INDEX),
                              .own_address = !made.addresses.empty() &&
                                             descriptor.lo == made.addresses.front()});
            if (!made.addresses.empty())
                made.addresses.pop_front();
        };
        for (std::size_t sent = 0; sent < made.packets.size();) {
            const auto left = static_cast<std::uint16_t>(made.packets.size() - sent);
            const std::uint16_t now = variant.tx.burst(variant.tx.queue, &made.packets[sent], left);
            sent += now;
            variant.device->transmit(record);
            if (now == 0)
                throw std::runtime_error(variant.name + " does not send");
        }
        if (!made.addresses.empty())
            throw std::runtime_error(variant.name + " sends less than it was given");
    }
    return images;
}

} // namespace bench
