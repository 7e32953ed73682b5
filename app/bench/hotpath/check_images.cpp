// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Known packets in, what the burst functions made of them out.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <stdexcept>

#include "check.hpp"
#include "mbuf.hpp"

namespace bench {

namespace {

constexpr unsigned int max_burst = 64;
constexpr unsigned int min_burst = 4; // ixgbe's vector function gives nothing below
constexpr unsigned int type_bits = 12;
constexpr unsigned int nb_extra = 8192;
constexpr std::uint16_t min_length = 60;
constexpr std::uint16_t max_length = 1514;

// The same numbers in every run and for every variant.
class Random {
public:
    std::uint32_t below(std::uint32_t limit) {
        return static_cast<std::uint32_t>(generator_() % limit);
    }
    std::uint32_t between(std::uint32_t least, std::uint32_t most) {
        return least + below(most - least + 1);
    }
    std::uint32_t any() { return generator_(); }

private:
    std::mt19937 generator_{82576};
};

Descriptor make_packet(Random &random, std::uint32_t type) {
    constexpr std::uint32_t optional = rx::VP | rx::UDPCS | rx::L4CS | rx::IPCS | rx::L4E | rx::IPE;

    return rx::written(rx::DD | rx::EOP | (random.any() & optional),
                       static_cast<std::uint16_t>(random.between(min_length, max_length)),
                       static_cast<std::uint16_t>(random.any()), random.any(),
                       static_cast<std::uint16_t>(type << rx::TYPE_SHIFT | random.below(16)));
}

RxImage take_image(const Variant &variant, const rte_mbuf *mbuf, std::uint64_t buffer) {
    RxImage image{};
    const auto clear = [&image](std::size_t offset, std::size_t size) {
        std::memset(&image.bytes[offset], 0, size);
    };

    std::memcpy(image.bytes.data(), mbuf, image.bytes.size());
    clear(offsetof(rte_mbuf, buf_addr), sizeof(mbuf->buf_addr));
    clear(offsetof(rte_mbuf, buf_iova), sizeof(mbuf->buf_iova));
    clear(offsetof(rte_mbuf, pool), sizeof(mbuf->pool));
    clear(offsetof(rte_mbuf, port), sizeof(mbuf->port));
    image.own_port = mbuf->port == variant.port;
    image.own_pool = mbuf->pool == variant.pool;
    image.own_buffer = rte_mbuf_data_iova(mbuf) == buffer;
    return image;
}

void recycle(Variant &variant, rte_mbuf *mbuf) {
    poison(mbuf);
    if (variant.uses_pool)
        rte_mempool_put(variant.pool, mbuf);
}

} // namespace

std::vector<Descriptor> make_traffic() {
    Random random;
    std::vector<Descriptor> traffic;

    for (std::uint32_t type = 0; type < 1u << type_bits; type++)
        traffic.push_back(make_packet(random, type));
    for (unsigned int i = 0; i < nb_extra; i++)
        traffic.push_back(make_packet(random, random.below(2 * (rx::TYPE_MASK + 1))));
    return traffic;
}

std::vector<RxImage> receive_all(Variant &variant, const std::vector<Descriptor> &traffic) {
    Random random;
    std::vector<RxImage> images;
    std::deque<std::uint64_t> buffers; // of what the device has received, oldest first
    rte_mbuf *packets[max_burst];

    for (auto packet = traffic.begin(); packet != traffic.end() || !buffers.empty();) {
        for (std::uint32_t n = random.below(max_burst); n > 0 && packet != traffic.end(); n--) {
            if (variant.device->rx_posted() == 0)
                break;
            buffers.push_back(variant.device->rx_buffer(0));
            variant.device->receive(*packet++);
        }
        const auto wanted = static_cast<std::uint16_t>(random.between(min_burst, max_burst));
        const std::uint16_t count = variant.rx.burst(variant.rx.queue, packets, wanted);
        if (count > buffers.size() || (count == 0 && !buffers.empty()))
            throw std::runtime_error(variant.name + " receives " + std::to_string(count) + " of " +
                                     std::to_string(buffers.size()) + " packets");
        for (std::uint16_t i = 0; i < count; i++) {
            images.push_back(take_image(variant, packets[i], buffers.front()));
            buffers.pop_front();
            recycle(variant, packets[i]);
        }
    }
    return images;
}

std::vector<TxImage> send_all(Variant &variant, unsigned int count) {
    Random random;
    std::vector<TxImage> images;
    std::deque<std::uint64_t> addresses;
    rte_mbuf *packets[max_burst];
    const auto record = [&](const Descriptor &descriptor) {
        images.push_back({.command = descriptor.hi & ~tx::RS,
                          .own_address = descriptor.lo == addresses.front()});
        addresses.pop_front();
    };

    while (images.size() < count) {
        const auto wanted = static_cast<std::uint16_t>(random.between(1, max_burst));
        if (rte_mempool_get_bulk(variant.pool, reinterpret_cast<void **>(packets), wanted) != 0)
            throw std::runtime_error(variant.name + ": no mbufs left");
        for (std::uint16_t i = 0; i < wanted; i++) {
            rte_pktmbuf_reset(packets[i]);
            packets[i]->data_off =
                static_cast<std::uint16_t>(packets[i]->data_off + random.below(32));
            packets[i]->data_len =
                static_cast<std::uint16_t>(random.between(min_length, max_length));
            packets[i]->pkt_len = packets[i]->data_len;
            addresses.push_back(rte_mbuf_data_iova(packets[i]));
        }
        for (std::uint16_t sent = 0; sent < wanted;) {
            const std::uint16_t now = variant.tx.burst(variant.tx.queue, packets + sent,
                                                       static_cast<std::uint16_t>(wanted - sent));
            sent = static_cast<std::uint16_t>(sent + now);
            variant.device->transmit(record);
            if (now == 0)
                throw std::runtime_error(variant.name + " does not send");
        }
        if (!variant.uses_pool)
            rte_mempool_put_bulk(variant.pool, reinterpret_cast<void **>(packets), wanted);
    }
    return images;
}

} // namespace bench
