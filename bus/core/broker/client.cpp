// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/broker/client.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/broker/message.hpp"
#include "core/sys/uapi.hpp"

namespace iommufd::broker {
namespace {

constexpr std::string_view iommu_path = "/dev/iommu";
constexpr std::string_view cdev_prefix = "/dev/vfio/devices/";
constexpr timeval patience{.tv_sec = 30, .tv_usec = 0};

// name: shorter than max_name.
Request request_of(Type type, std::string_view name = {}) {
    Request request{};
    request.magic = magic;
    request.version = version;
    request.type = static_cast<std::uint16_t>(type);
    name.copy(request.device, max_name - 1);
    return request;
}

// The end of the other side, however it shows.
int lost(ssize_t ret) {
    if (ret == 0 || ret == -EPIPE || ret == -ECONNRESET || ret == -ENOTCONN || ret == -ECONNREFUSED)
        return -EOWNERDEAD;
    return ret == -EAGAIN ? -ETIMEDOUT : static_cast<int>(ret);
}

void set_patience(int socket) {
    (void)setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

} // namespace

int BrokeredKernel::connect() {
    if (socket_ < -1)
        return socket_;
    if (channel_ && owner_ == getpid())
        return 0;
    int type = 0;
    socklen_t length = sizeof(type);
    if (getsockopt(socket_, SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_SEQPACKET)
        return -ENOTSOCK;
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    Fd mine(linux_kernel(), ends[0]);
    const Fd theirs(linux_kernel(), ends[1]);
    set_patience(mine.get());
    const Request request = request_of(Type::connect);
    if (const ssize_t ret = send_message(socket_, &request, sizeof(request), theirs.get(), 0);
        ret < 0)
        return lost(ret);
    channel_ = std::move(mine);
    owner_ = getpid();
    return 0;
}

int BrokeredKernel::exchange(std::span<const std::uint8_t> message, int lend, Reply *reply,
                             std::span<Answer> answers, int *fd) {
    if (const int ret = connect(); ret < 0)
        return ret;
    if (const ssize_t ret = send_message(channel_.get(), message.data(), message.size(), lend, 0);
        ret < 0)
        return lost(ret);
    alignas(8) std::uint8_t buffer[max_reply];
    const ssize_t got = receive_message(channel_.get(), buffer, sizeof(buffer), fd, 0);
    if (got <= 0)
        return lost(got);
    const auto length = static_cast<std::size_t>(got);
    if (length >= sizeof(*reply))
        std::memcpy(reply, buffer, sizeof(*reply));
    if (length < sizeof(*reply) || reply->magic != magic || reply->count > answers.size() ||
        length != sizeof(*reply) + reply->count * sizeof(Answer))
        return -EBADMSG;
    if (reply->count != 0)
        std::memcpy(answers.data(), buffer + sizeof(*reply), reply->count * sizeof(Answer));
    return reply->error;
}

int BrokeredKernel::ask(const Request &request, std::span<const Query> queries, int lend,
                        Reply *reply, std::span<Answer> answers, int *fd) {
    std::vector<std::uint8_t> message(sizeof(request) + queries.size_bytes());
    std::memcpy(message.data(), &request, sizeof(request));
    if (!queries.empty())
        std::memcpy(message.data() + sizeof(request), queries.data(), queries.size_bytes());
    const LockGuard lock(mutex_);
    int got = -1;
    const int ret = exchange(message, lend, reply, answers, &got);
    if (ret == -EOWNERDEAD || ret == -ETIMEDOUT || ret == -EBADMSG)
        channel_.reset(); // an answer that comes late belongs to no later question
    if (got >= 0 && (ret < 0 || fd == nullptr))
        (void)kernel_.close(got);
    else if (fd != nullptr)
        *fd = got;
    return ret;
}

int BrokeredKernel::open(const char *path, int flags) {
    const std::string_view name = path;
    if (name.starts_with(cdev_prefix))
        return open_device(name.substr(cdev_prefix.size()));
    if (name != iommu_path)
        return kernel_.open(path, flags);
    Reply reply{};
    int fd = -1;
    if (const int ret = ask(request_of(Type::open_iommu), {}, -1, &reply, {}, &fd); ret < 0)
        return ret;
    return fd >= 0 ? fd : -EBADMSG;
}

int BrokeredKernel::open_device(std::string_view name) {
    if (name.size() >= max_name)
        return -ENAMETOOLONG;
    Reply reply{};
    if (const int ret = ask(request_of(Type::open_device, name), {}, -1, &reply, {}, nullptr);
        ret < 0)
        return ret;
    const int fd = eventfd(0, EFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    const LockGuard lock(mutex_);
    cdevs_[fd] = {.name = std::string(name), .owner = getpid(), .is_bound = false};
    return fd;
}

BrokeredKernel::Cdev BrokeredKernel::cdev_of(int fd) {
    const LockGuard lock(mutex_);
    const auto found = cdevs_.find(fd);
    return found == cdevs_.end() ? Cdev{} : found->second;
}

int BrokeredKernel::bind_device(int fd, uapi::device_bind_iommufd *call) {
    Request request = request_of(Type::bind_device, cdev_of(fd).name);
    request.flags = call->flags;
    if ((call->flags & bind_with_token) != 0)
        std::memcpy(request.token,
                    reinterpret_cast<const void *>(call->token_uuid_ptr), // NOLINT(*-int-to-ptr)
                    sizeof(request.token));
    Reply reply{};
    int got = -1;
    if (const int ret = ask(request, {}, call->iommufd, &reply, {}, &got); ret < 0)
        return ret;
    if (got < 0)
        return -EBADMSG;
    const Fd cdev(kernel_, got);
    if (dup3(got, fd, O_CLOEXEC) < 0)
        return -errno;
    const LockGuard lock(mutex_);
    cdevs_[fd].is_bound = true;
    return 0;
}

int BrokeredKernel::close(int fd) {
    const Cdev cdev = cdev_of(fd);
    if (!cdev.name.empty()) {
        const LockGuard lock(mutex_);
        cdevs_.erase(fd);
    }
    const int ret = kernel_.close(fd);
    Reply reply{};
    if (!cdev.name.empty() && cdev.owner == getpid())
        (void)ask(request_of(Type::close_device, cdev.name), {}, -1, &reply, {}, nullptr);
    return ret;
}

int BrokeredKernel::list_devices(std::vector<Listed> *devices) {
    std::vector<Answer> answers(max_queries);
    Reply reply{};
    if (const int ret = ask(request_of(Type::list_devices), {}, -1, &reply, answers, nullptr);
        ret < 0)
        return ret;
    devices->resize(reply.count);
    if (reply.count != 0)
        std::memcpy(devices->data(), answers.data(), reply.count * sizeof(Listed));
    for (Listed &device : *devices)
        device.bdf[sizeof(device.bdf) - 1] = '\0';
    return 0;
}

int BrokeredKernel::get_pa(int iommufd, std::uint32_t ioas, std::span<const Query> queries,
                           std::span<Answer> answers) {
    if (queries.empty() || queries.size() > max_queries || queries.size() != answers.size())
        return -EINVAL;
    Request request = request_of(Type::get_pa);
    request.ioas = ioas;
    request.count = static_cast<std::uint32_t>(queries.size());
    Reply reply{};
    if (const int ret = ask(request, queries, iommufd, &reply, answers, nullptr); ret < 0)
        return ret;
    return reply.count == request.count ? 0 : -EBADMSG;
}

int BrokeredKernel::noiommu_get_pa(int iommufd, std::uint32_t ioas_id, std::span<PaQuery> queries) {
    std::vector<Query> asked(std::min<std::size_t>(queries.size(), max_queries));
    std::vector<Answer> answers(asked.size());
    while (!queries.empty()) {
        const auto part = queries.first(std::min(queries.size(), asked.size()));
        for (std::size_t i = 0; i < part.size(); ++i)
            asked[i] = {.iova = part[i].iova, .length = part[i].limit};
        if (const int ret = get_pa(iommufd, ioas_id, std::span(asked).first(part.size()),
                                   std::span(answers).first(part.size()));
            ret < 0)
            return ret;
        for (std::size_t i = 0; i < part.size(); ++i) {
            part[i].run = answers[i].length;
            part[i].pa = answers[i].pa;
            part[i].error = std::min(answers[i].error, 0);
        }
        queries = queries.subspan(part.size());
    }
    return 0;
}

int BrokeredKernel::ioctl(int fd, unsigned long request, void *arg) {
    if (request == uapi::device_bind_iommufd_request)
        if (const Cdev cdev = cdev_of(fd); !cdev.name.empty() && !cdev.is_bound)
            return bind_device(fd, static_cast<uapi::device_bind_iommufd *>(arg));
    if (request != uapi::ioas_noiommu_get_pa_request)
        return kernel_.ioctl(fd, request, arg);
    auto *call = static_cast<uapi::ioas_noiommu_get_pa *>(arg);
    const Query query{.iova = call->iova, .length = call->length};
    Answer answer{};
    if (const int ret = get_pa(fd, call->ioas_id, {&query, 1}, {&answer, 1}); ret < 0)
        return ret;
    if (answer.error < 0)
        return answer.error;
    call->length = answer.length;
    call->out_phys = answer.pa;
    return 0;
}

int connect_to(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    Fd mine(linux_kernel(), socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    if (!mine)
        return -errno;
    set_patience(mine.get());
    if (connect(mine.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) < 0)
        return -errno;
    Reply greeting{};
    int fd = -1;
    const ssize_t got = receive_message(mine.get(), &greeting, sizeof(greeting), &fd, 0);
    const Fd unwanted(linux_kernel(), fd);
    if (got <= 0)
        return lost(got);
    if (got != sizeof(greeting) || greeting.magic != magic ||
        greeting.type != static_cast<std::uint16_t>(Type::connect))
        return -EBADMSG;
    if (greeting.error < 0)
        return greeting.error;
    return mine.release();
}

Kernel &process_kernel() {
    static Kernel &the_kernel = []() -> Kernel & {
        const char *broker = secure_getenv(socket_variable);
        int socket = -1;
        if (broker == nullptr)
            return linux_kernel();
        if (broker[0] == '/')
            socket = connect_to(broker);
        else
            (void)std::from_chars(broker, broker + std::strlen(broker), socket);
        // A path that leads to no broker is told as such, whatever the errno.
        if (broker[0] == '/' && socket < 0 && socket != -ETIMEDOUT && socket != -EBADMSG)
            socket = -ECONNREFUSED;
        return *new BrokeredKernel(linux_kernel(), socket);
    }();
    return the_kernel;
}

} // namespace iommufd::broker
