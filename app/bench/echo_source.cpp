// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// bench_echo_source: ICMP echo requests out of a kernel-driven interface, as many as it takes,
// until a signal comes. devtools/bench/lab_guest.py starts it for testpmd's icmpecho.
//
// 64 source addresses, so that RSS spreads the requests over queues. Nothing is received.

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

constexpr std::size_t nb_flows = 64;  // frames of one sendmmsg()
constexpr std::size_t min_frame = 60; // bytes without CRC
constexpr std::size_t max_frame = 1514;
constexpr std::size_t ip_offset = sizeof(ether_header);
constexpr std::size_t icmp_offset = ip_offset + sizeof(iphdr);

volatile std::sig_atomic_t stop;

[[noreturn]] void fail(const char *what) {
    std::perror(what);
    std::exit(EXIT_FAILURE);
}

// RFC 1071, over a length that may be odd.
std::uint16_t checksum(const std::uint8_t *data, std::size_t length) {
    std::uint32_t sum = 0;

    for (std::size_t i = 0; i < length; i++)
        sum += i % 2 == 0 ? data[i] << 8 : data[i];
    while (sum >> 16 != 0)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return htons(static_cast<std::uint16_t>(~sum));
}

std::vector<std::uint8_t> request(const ether_addr &to, const ether_addr &from, std::size_t length,
                                  std::uint8_t flow) {
    std::vector<std::uint8_t> frame(length);
    ether_header ether{};
    iphdr ip{};
    icmphdr icmp{};

    std::memcpy(ether.ether_dhost, &to, sizeof(to));
    std::memcpy(ether.ether_shost, &from, sizeof(from));
    ether.ether_type = htons(ETHERTYPE_IP);
    ip.version = 4;
    ip.ihl = sizeof(ip) / 4;
    ip.ttl = 64;
    ip.protocol = IPPROTO_ICMP;
    ip.tot_len = htons(static_cast<std::uint16_t>(length - ip_offset));
    ip.saddr = htonl(0xC0000200u + 1 + flow); // 192.0.2.0/24 is for documentation
    ip.daddr = htonl(0xC0000200u + 254);
    icmp.type = ICMP_ECHO;

    std::memcpy(&frame[0], &ether, sizeof(ether));
    std::memcpy(&frame[ip_offset], &ip, sizeof(ip));
    std::memcpy(&frame[icmp_offset], &icmp, sizeof(icmp));
    const std::uint16_t ip_sum = checksum(&frame[ip_offset], sizeof(ip));
    std::memcpy(&frame[ip_offset + offsetof(iphdr, check)], &ip_sum, sizeof(ip_sum));
    const std::uint16_t icmp_sum = checksum(&frame[icmp_offset], length - icmp_offset);
    std::memcpy(&frame[icmp_offset + offsetof(icmphdr, checksum)], &icmp_sum, sizeof(icmp_sum));
    return frame;
}

int open_interface(const char *name, ether_addr &own) {
    const int fd = socket(AF_PACKET, SOCK_RAW, 0); // protocol 0: receives nothing
    ifreq request{};

    if (fd < 0)
        fail("socket");
    std::snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(fd, SIOCGIFHWADDR, &request) != 0)
        fail(name);
    std::memcpy(&own, request.ifr_hwaddr.sa_data, sizeof(own));

    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(if_nametoindex(name));
    if (bind(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) != 0)
        fail("bind");
    return fd;
}

void send_all(int fd, std::vector<std::vector<std::uint8_t>> &frames) {
    std::array<iovec, nb_flows> vectors;
    std::array<mmsghdr, nb_flows> messages{};

    for (std::size_t i = 0; i < nb_flows; i++) {
        vectors[i] = {.iov_base = frames[i].data(), .iov_len = frames[i].size()};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    while (!stop)
        if (sendmmsg(fd, messages.data(), nb_flows, 0) < 0 && errno != ENOBUFS && errno != EINTR)
            fail("sendmmsg");
}

} // namespace

int main(int argc, char **argv) {
    const ether_addr *to = argc == 4 ? ether_aton(argv[2]) : nullptr;
    const unsigned long length = argc == 4 ? std::strtoul(argv[3], nullptr, 10) : 0;

    if (to == nullptr || length < min_frame || length > max_frame) {
        std::fprintf(stderr, "usage: bench_echo_source INTERFACE MAC-ADDRESS LENGTH\n"
                             "LENGTH of the frames, from 60 to 1514 (without CRC)\n");
        return 2;
    }
    struct sigaction action {};
    action.sa_handler = [](int) { stop = 1; };
    sigaction(SIGTERM, &action, nullptr);

    ether_addr own;
    const int fd = open_interface(argv[1], own);
    std::vector<std::vector<std::uint8_t>> frames;
    for (std::size_t flow = 0; flow < nb_flows; flow++)
        frames.push_back(request(*to, own, length, static_cast<std::uint8_t>(flow)));
    send_all(fd, frames);
    close(fd);
    return EXIT_SUCCESS;
}
