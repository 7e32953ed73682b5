// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Known packets received, what the burst functions made of them out.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <stdexcept>

#include "check.hpp"
#include "mbuf.hpp"
#include "random.hpp"

namespace bench {

namespace {

constexpr unsigned int max_burst = 64;
constexpr unsigned int min_burst = 4; // ixgbe's vector function gives nothing below
constexpr unsigned int type_bits = 12;
constexpr unsigned int nb_extra = 8192;
constexpr std::uint16_t min_length = 60;
constexpr std::uint16_t max_length = 1514;

Descriptor make_packet(Random &random, std::uint32_t type, std::uint16_t length) {
    constexpr std::uint32_t optional = rx::VP | rx::UDPCS | rx::L4CS | rx::IPCS | rx::L4E | rx::IPE;

    return rx::written(rx::DD | rx::EOP | (random.any() & optional), length,
                       static_cast<std::uint16_t>(random.any()), random.any(),
                       static_cast<std::uint16_t>(type << rx::TYPE_SHIFT | random.below(16)));
}

// A packet of a workload, in as many buffers as it takes. What the device says of it is said in the
// last; in the others stands anything.
void receive_packet(Random &random, const Workload &workload, std::uint32_t type,
                    std::vector<Descriptor> &traffic) {
    std::uint32_t length =
        random.between(min_length, std::max<std::uint32_t>(max_length, workload.length));

    for (; length > buffer_size; length -= buffer_size)
        traffic.push_back(rx::written(rx::DD, buffer_size, static_cast<std::uint16_t>(random.any()),
                                      random.any(), static_cast<std::uint16_t>(random.any())));
    traffic.push_back(make_packet(random, type, static_cast<std::uint16_t>(length)));
}

RxImage take_image(const Variant &variant, const rte_mbuf *mbuf, std::uint64_t buffer,
                   const Descriptor &written) {
    RxImage image{};
    const auto clear = [&image](std::size_t offset, std::size_t size) {
        std::memset(&image.bytes[offset], 0, size);
    };

    std::memcpy(image.bytes.data(), mbuf, image.bytes.size());
    clear(offsetof(rte_mbuf, buf_addr), sizeof(mbuf->buf_addr));
    clear(offsetof(rte_mbuf, buf_iova), sizeof(mbuf->buf_iova));
    clear(offsetof(rte_mbuf, pool), sizeof(mbuf->pool));
    clear(offsetof(rte_mbuf, port), sizeof(mbuf->port));
    clear(offsetof(rte_mbuf, next), sizeof(mbuf->next));
    image.own_port = mbuf->port == variant.port;
    image.own_pool = mbuf->pool == variant.pool;
    image.own_buffer = rte_mbuf_data_iova(mbuf) == buffer;
    image.own_place = (mbuf->next == nullptr) == ((written.hi & rx::EOP) != 0);
    return image;
}

void recycle(Variant &variant, rte_mbuf *mbuf) {
    mbuf->next = nullptr;
    mbuf->nb_segs = 1;
    poison(mbuf);
    if (variant.uses_pool)
        rte_mempool_put(variant.pool, mbuf);
}

// The images of all segments of a packet, whose buffers are the oldest.
void take_packet(Variant &variant, rte_mbuf *packet, const std::vector<Descriptor> &traffic,
                 std::deque<std::uint64_t> &buffers, std::vector<RxImage> &images) {
    while (packet != nullptr && !buffers.empty()) {
        rte_mbuf *next = packet->next;
        images.push_back(take_image(variant, packet, buffers.front(), traffic[images.size()]));
        buffers.pop_front();
        recycle(variant, packet);
        packet = next;
    }
}

} // namespace

std::vector<Descriptor> make_traffic(const Workload &workload) {
    Random random;
    std::vector<Descriptor> traffic;

    if (!workload.has(Op::rx))
        return {};
    for (std::uint32_t type = 0; type < 1u << type_bits; type++)
        receive_packet(random, workload, type, traffic);
    for (unsigned int i = 0; i < nb_extra; i++)
        receive_packet(random, workload, random.below(2 * (rx::TYPE_MASK + 1)), traffic);
    return traffic;
}

std::vector<RxImage> receive_all(Variant &variant, const std::vector<Descriptor> &traffic) {
    Random random;
    std::vector<RxImage> images;
    std::deque<std::uint64_t> buffers; // of what the device has received, oldest first
    std::size_t whole = 0;             // packets that the driver has not given yet
    rte_mbuf *packets[max_burst];

    for (auto written = traffic.begin(); written != traffic.end() || whole > 0;) {
        for (std::uint32_t n = random.below(max_burst); n > 0 && written != traffic.end(); n--) {
            if (variant.device->rx_posted() == 0)
                break;
            buffers.push_back(variant.device->rx_buffer(0));
            whole += (written->hi & rx::EOP) != 0 ? 1 : 0;
            variant.device->receive(*written++);
        }
        const auto wanted = static_cast<std::uint16_t>(random.between(min_burst, max_burst));
        const std::uint16_t count = variant.rx.burst(variant.rx.queue, packets, wanted);
        if (count > whole || (count == 0 && whole > 0))
            throw std::runtime_error(variant.name + " receives " + std::to_string(count) + " of " +
                                     std::to_string(whole) + " packets");
        whole -= count;
        for (std::uint16_t i = 0; i < count; i++)
            take_packet(variant, packets[i], traffic, buffers, images);
    }
    return images;
}

} // namespace bench
