// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/broker/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "core/broker/message.hpp"
#include "core/vfio/pci_scan.hpp"

namespace iommufd::broker {
namespace {

constexpr const char *iommu_path = "/dev/iommu";
constexpr std::size_t max_channels = 256;

std::optional<Request> read_request(std::span<const std::uint8_t> message) {
    Request request{};
    if (message.size() < sizeof(request))
        return std::nullopt;
    std::memcpy(&request, message.data(), sizeof(request));
    if (request.magic != magic)
        return std::nullopt;
    return request;
}

Outcome reply_with(const Request &request, int error, std::span<const Answer> answers = {}) {
    const Reply reply{.magic = magic,
                      .version = version,
                      .type = request.type,
                      .error = error,
                      .count = static_cast<std::uint32_t>(answers.size())};
    Outcome outcome;
    outcome.reply.resize(sizeof(reply) + answers.size_bytes());
    std::memcpy(outcome.reply.data(), &reply, sizeof(reply));
    if (!answers.empty())
        std::memcpy(outcome.reply.data() + sizeof(reply), answers.data(), answers.size_bytes());
    return outcome;
}

Outcome open_node(Kernel &kernel, const Request &request, const std::string &path) {
    const int fd = kernel.open(path.c_str(), O_RDWR);
    Outcome outcome = reply_with(request, fd < 0 ? fd : 0);
    if (fd >= 0)
        outcome.fd = Fd(kernel, fd);
    return outcome;
}

// The name is compared and never used: what is opened is what sysfs says of the policy's device,
// which may have another number since it was unplugged and came back.
Outcome open_device(Kernel &kernel, const Policy &policy, const Request &request) {
    if (std::find(request.device, request.device + max_name, '\0') == request.device + max_name)
        return {};
    for (const PciFunction &f : scan_vfio_cdevs(policy.sysfs))
        if (f.is_noiommu() && f.cdev == request.device &&
            std::find(policy.devices.begin(), policy.devices.end(), f.bdf) != policy.devices.end())
            return open_node(kernel, request, f.cdev_path());
    return reply_with(request, -ENXIO);
}

Outcome get_pa(Kernel &kernel, const Policy &policy, const Request &request,
               std::span<const std::uint8_t> queries, int lent) {
    if (request.count == 0 || request.count > max_queries ||
        queries.size() != request.count * sizeof(Query))
        return {};
    if (lent < 0 || !policy.is_iommufd || !policy.is_iommufd(lent))
        return reply_with(request, -EBADF);
    std::vector<Answer> answers(request.count);
    for (std::size_t i = 0; i < answers.size(); ++i) {
        Query query{};
        std::memcpy(&query, queries.data() + i * sizeof(query), sizeof(query));
        answers[i] = {.pa = 0, .length = query.length, .error = 0, .reserved = 0};
        answers[i].error = ioas_noiommu_get_pa(kernel, lent, request.ioas, query.iova,
                                               &answers[i].length, &answers[i].pa);
    }
    return reply_with(request, 0, answers);
}

bool may_connect(const Policy &policy, int channel) {
    ucred peer{};
    socklen_t length = sizeof(peer);
    int type = 0;
    socklen_t type_length = sizeof(type);
    return getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &type_length) == 0 &&
           type == SOCK_SEQPACKET &&
           getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
           (policy.client == 0 || peer.uid == policy.client);
}

// One message; false if the channel is at its end.
bool serve_channel(Kernel &kernel, const Policy &policy, int channel) {
    alignas(8) std::uint8_t message[max_request];
    int lent = -1;
    const ssize_t got = receive_message(channel, message, sizeof(message), &lent, MSG_DONTWAIT);
    const Fd owned(linux_kernel(), lent);
    if (got == -EAGAIN)
        return true;
    if (got <= 0)
        return false;
    const Outcome outcome = answer(kernel, policy, {message, static_cast<std::size_t>(got)}, lent);
    // A client that does not read its answers is left.
    return !outcome.reply.empty() &&
           send_message(channel, outcome.reply.data(), outcome.reply.size(), outcome.fd.get(),
                        MSG_DONTWAIT) > 0;
}

// A new channel; false if the inherited socket is at its end. What is not a request to connect is
// dropped: others may hold the socket too.
bool serve_socket(const Policy &policy, int socket, std::vector<Fd> *channels) {
    std::uint8_t message[max_request];
    int lent = -1;
    const ssize_t got = receive_message(socket, message, sizeof(message), &lent, MSG_DONTWAIT);
    Fd channel(linux_kernel(), lent);
    if (got == 0)
        return false;
    if (got < 0)
        return got == -EAGAIN || got == -EBADMSG;
    const auto request = read_request({message, static_cast<std::size_t>(got)});
    if (request && static_cast<std::size_t>(got) == sizeof(Request) && channel &&
        request->type == static_cast<std::uint16_t>(Type::connect) &&
        channels->size() < max_channels && may_connect(policy, lent))
        channels->push_back(std::move(channel));
    return true;
}

} // namespace

std::function<bool(int fd)> iommufd_check() {
    struct stat node {};
    if (stat(iommu_path, &node) < 0 || !S_ISCHR(node.st_mode))
        return {};
    return [number = node.st_rdev](int fd) {
        struct stat st {};
        return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == number;
    };
}

Outcome answer(Kernel &kernel, const Policy &policy, std::span<const std::uint8_t> message,
               int lent) {
    const auto request = read_request(message);
    if (!request)
        return {};
    if (request->version != version)
        return reply_with(*request, -EPROTONOSUPPORT);
    const auto rest = message.subspan(sizeof(Request));
    const auto type = static_cast<Type>(request->type);
    if (type == Type::get_pa)
        return get_pa(kernel, policy, *request, rest, lent);
    if (!rest.empty())
        return {};
    if (type == Type::open_iommu)
        return open_node(kernel, *request, iommu_path);
    if (type == Type::open_device)
        return open_device(kernel, policy, *request);
    return {};
}

void serve(Kernel &kernel, const Policy &policy, int socket) {
    bool open = true;
    std::vector<Fd> channels;
    while (open || !channels.empty()) {
        std::vector<pollfd> events;
        for (const Fd &channel : channels)
            events.push_back({.fd = channel.get(), .events = POLLIN, .revents = 0});
        events.push_back({.fd = open ? socket : -1, .events = POLLIN, .revents = 0});
        if (poll(events.data(), events.size(), -1) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        for (std::size_t i = channels.size(); i-- > 0;)
            if (events[i].revents != 0 && !serve_channel(kernel, policy, channels[i].get()))
                channels.erase(channels.begin() + static_cast<std::ptrdiff_t>(i));
        if (events.back().revents != 0)
            open = serve_socket(policy, socket, &channels);
    }
}

} // namespace iommufd::broker
