// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/broker/server.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/broker/message.hpp"
#include "core/sys/uapi.hpp"
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

template <class Item = Answer>
Outcome reply_with(const Request &request, int error, const std::vector<Item> &items = {}) {
    static_assert(sizeof(Item) == sizeof(Answer));
    const Reply reply{.magic = magic,
                      .version = version,
                      .type = request.type,
                      .error = error,
                      .count = static_cast<std::uint32_t>(items.size())};
    Outcome outcome;
    outcome.reply.resize(sizeof(reply) + items.size() * sizeof(Item));
    std::memcpy(outcome.reply.data(), &reply, sizeof(reply));
    if (!items.empty())
        std::memcpy(outcome.reply.data() + sizeof(reply), items.data(),
                    items.size() * sizeof(Item));
    return outcome;
}

Outcome open_iommu(Kernel &kernel, const Request &request) {
    const int fd = kernel.open(iommu_path, O_RDWR);
    Outcome outcome = reply_with(request, fd < 0 ? fd : 0);
    if (fd >= 0)
        outcome.fd = Fd(kernel, fd);
    return outcome;
}

struct Device {
    std::size_t number; // among the policy's
    std::string path;   // of its cdev
};

// The name is compared and never used: what is opened is what sysfs says of the policy's device,
// which may have another number since it was unplugged and came back.
std::optional<Device> find_device(const Policy &policy, const Request &request) {
    for (const PciFunction &f : scan_vfio_cdevs(policy.sysfs)) {
        const auto at = std::find(policy.devices.begin(), policy.devices.end(), f.bdf);
        if (f.is_noiommu() && f.cdev == request.device && at != policy.devices.end())
            return Device{static_cast<std::size_t>(at - policy.devices.begin()), f.cdev_path()};
    }
    return std::nullopt;
}

// BIND takes the bus master bit away and resets the function (Linux 7.3, measured): a device that
// says otherwise is not what it should be, and nobody's.
int check_quiet(Kernel &kernel, int cdev) {
    RegionInfo region{};
    if (const int ret = device_get_region_info(kernel, cdev, uapi::pci_config_region, &region);
        ret < 0)
        return ret;
    std::uint8_t command[2];
    const ssize_t got = kernel.pread(cdev, command, sizeof(command),
                                     static_cast<off_t>(region.offset + PCI_COMMAND));
    if (got != static_cast<ssize_t>(sizeof(command)))
        return got < 0 ? static_cast<int>(got) : -EIO;
    return (command[0] & PCI_COMMAND_MASTER) == 0 ? 0 : -EIO;
}

// EINVAL: another process has it bound. One that has just ended does so until the kernel has closed
// its files.
int bind(Kernel &kernel, const Policy &policy, const Request &request, int cdev, int iommufd) {
    constexpr int step_ms = 20;
    for (int waited_ms = 0;; waited_ms += step_ms) {
        uapi::device_bind_iommufd arg{.argsz = sizeof(arg),
                                      .flags = request.flags,
                                      .iommufd = iommufd,
                                      .out_devid = 0,
                                      .token_uuid_ptr =
                                          reinterpret_cast<std::uintptr_t>(request.token)};
        const int ret = kernel.ioctl(cdev, uapi::device_bind_iommufd_request, &arg);
        if (ret == 0)
            return check_quiet(kernel, cdev);
        if (ret != -EINVAL || waited_ms >= policy.patience_ms)
            return ret;
        (void)usleep(step_ms * 1000);
    }
}

Outcome bind_device(Kernel &kernel, const Policy &policy, const Request &request,
                    const Device &device, int lent) {
    if ((request.flags & ~bind_with_token) != 0)
        return {};
    if (lent < 0 || !policy.is_iommufd || !policy.is_iommufd(lent))
        return reply_with(request, -EBADF);
    if (policy.leases != nullptr)
        if (const int ret = policy.leases->take(device.number); ret < 0)
            return reply_with(request, ret);
    const int fd = kernel.open(device.path.c_str(), O_RDWR);
    if (fd < 0)
        return reply_with(request, fd);
    Fd cdev(kernel, fd);
    const int ret = bind(kernel, policy, request, fd, lent);
    Outcome outcome = reply_with(request, ret);
    if (ret == 0)
        outcome.fd = std::move(cdev);
    return outcome;
}

Outcome change_device(Kernel &kernel, const Policy &policy, const Request &request, int lent) {
    if (std::find(request.device, request.device + max_name, '\0') == request.device + max_name)
        return {};
    const auto device = find_device(policy, request);
    if (!device)
        return reply_with(request, -ENXIO);
    const auto type = static_cast<Type>(request.type);
    if (type == Type::bind_device)
        return bind_device(kernel, policy, request, *device, lent);
    if (policy.leases == nullptr)
        return reply_with(request, 0);
    if (type == Type::open_device)
        return reply_with(request, policy.leases->take(device->number));
    policy.leases->release(device->number);
    return reply_with(request, 0);
}

Outcome list_devices(const Policy &policy, const Request &request) {
    std::vector<Listed> devices(std::min<std::size_t>(policy.devices.size(), max_queries));
    for (std::size_t i = 0; i < devices.size(); ++i) {
        devices[i] = {};
        policy.devices[i].copy(devices[i].bdf, sizeof(devices[i].bdf) - 1);
        devices[i].is_taken =
            policy.leases != nullptr && policy.leases->is_taken_by_another(i) ? 1 : 0;
    }
    return reply_with(request, 0, devices);
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
        answers[i] = {
            .pa = 0, .length = std::min(query.length, max_look), .error = 0, .reserved = 0};
        answers[i].error = ioas_noiommu_get_pa(kernel, lent, request.ioas, query.iova,
                                               &answers[i].length, &answers[i].pa);
    }
    return reply_with(request, 0, answers);
}

// A client asks one thing at a time. In answers that nobody reads there are files that the broker
// has opened: against a limit of the client's the kernel counts none of them, and of a process
// with CAP_SYS_RESOURCE any number may be on their way (unix(7), ETOOMANYREFS).
bool has_unread_answer(int channel) {
    int bytes = 0;
    return ioctl(channel, SIOCOUTQ, &bytes) < 0 || bytes > 0;
}

// One message; false if the channel is at its end.
bool serve_channel(Kernel &kernel, const Policy &policy, int channel) {
    alignas(8) std::uint8_t message[max_request];
    int lent = -1;
    const ssize_t got = receive_message(channel, message, sizeof(message), &lent, MSG_DONTWAIT);
    const Fd owned(linux_kernel(), lent);
    if (got == -EAGAIN)
        return true;
    if (got <= 0 || has_unread_answer(channel))
        return false;
    const Outcome outcome = answer(kernel, policy, {message, static_cast<std::size_t>(got)}, lent);
    // A client that does not read its answers is left.
    return !outcome.reply.empty() &&
           send_message(channel, outcome.reply.data(), outcome.reply.size(), outcome.fd.get(),
                        MSG_DONTWAIT) > 0;
}

bool is_ours(int channel) {
    int type = 0;
    socklen_t length = sizeof(type);
    return getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
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
        channels->size() < max_channels && is_ours(lent) && may_connect(policy.clients, lent)) {
        if (policy.on_connect)
            policy.on_connect(lent);
        channels->push_back(std::move(channel));
    }
    return true;
}

// Those that it has besides its own one.
std::vector<gid_t> groups_of(int socket) {
    std::vector<gid_t> groups(64);
    for (int tries = 0; tries < 2; ++tries) {
        auto length = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
        const int ret = getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &length);
        if (ret < 0 && errno != ERANGE)
            return {};
        groups.resize(length / sizeof(gid_t));
        if (ret == 0)
            return groups;
    }
    return {};
}

} // namespace

bool may_connect(const Clients &clients, int socket) {
    const auto has = [](const auto &list, auto id) {
        return std::find(list.begin(), list.end(), id) != list.end();
    };
    ucred peer{};
    socklen_t length = sizeof(peer);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0 ||
        peer.uid == static_cast<uid_t>(-1))
        return false; // no socket of the kind, or without another end
    if ((clients.users.empty() && clients.groups.empty()) || has(clients.users, peer.uid) ||
        has(clients.groups, peer.gid))
        return true;
    const auto groups = clients.groups.empty() ? std::vector<gid_t>{} : groups_of(socket);
    return std::any_of(groups.begin(), groups.end(),
                       [&](gid_t group) { return has(clients.groups, group); });
}

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
    switch (type) {
    case Type::open_iommu:
        return open_iommu(kernel, *request);
    case Type::list_devices:
        return list_devices(policy, *request);
    case Type::open_device:
    case Type::bind_device:
    case Type::close_device:
        return change_device(kernel, policy, *request, lent);
    default:
        return {};
    }
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
