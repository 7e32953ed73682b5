// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/broker/client.hpp"

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/broker/message.hpp"
#include "core/sys/uapi.hpp"

namespace iommufd::broker {
namespace {

constexpr std::string_view iommu_path = "/dev/iommu";
constexpr std::string_view cdev_prefix = "/dev/vfio/devices/";
constexpr timeval patience{.tv_sec = 30, .tv_usec = 0};

Request request_of(Type type) {
    Request request{};
    request.magic = magic;
    request.version = version;
    request.type = static_cast<std::uint16_t>(type);
    return request;
}

// The end of the other side, however it shows.
int lost(ssize_t ret) {
    if (ret == 0 || ret == -EPIPE || ret == -ECONNRESET || ret == -ENOTCONN || ret == -ECONNREFUSED)
        return -EOWNERDEAD;
    return ret == -EAGAIN ? -ETIMEDOUT : static_cast<int>(ret);
}

} // namespace

int BrokeredKernel::connect() {
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
    (void)setsockopt(mine.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(mine.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
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
    const bool is_cdev = name.starts_with(cdev_prefix);
    if (name != iommu_path && !is_cdev)
        return kernel_.open(path, flags);
    Request request = request_of(is_cdev ? Type::open_device : Type::open_iommu);
    if (is_cdev) {
        const auto device = name.substr(cdev_prefix.size());
        if (device.size() >= max_name)
            return -ENAMETOOLONG;
        std::memcpy(request.device, device.data(), device.size());
    }
    Reply reply{};
    int fd = -1;
    if (const int ret = ask(request, {}, -1, &reply, {}, &fd); ret < 0)
        return ret;
    return fd >= 0 ? fd : -EBADMSG;
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

int BrokeredKernel::ioctl(int fd, unsigned long request, void *arg) {
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

Kernel &process_kernel() {
    static Kernel &the_kernel = []() -> Kernel & {
        const char *number = std::getenv(socket_variable);
        int socket = -1;
        if (number == nullptr)
            return linux_kernel();
        (void)std::from_chars(number, number + std::strlen(number), socket);
        return *new BrokeredKernel(linux_kernel(), socket);
    }();
    return the_kernel;
}

} // namespace iommufd::broker
