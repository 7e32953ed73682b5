// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "core/broker/message.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <unistd.h>

namespace iommufd::broker {

ssize_t send_message(int socket, const void *data, std::size_t length, int fd, int flags) {
    iovec part{.iov_base = const_cast<void *>(data), .iov_len = length};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof(control);
        cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    ssize_t sent = 0;
    do {
        sent = sendmsg(socket, &message, flags | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t receive_message(int socket, void *data, std::size_t room, int *fd, int flags) {
    *fd = -1;
    iovec part{.iov_base = data, .iov_len = room};
    // Room for one: the kernel closes what does not fit, and says so (MSG_CTRUNC).
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    ssize_t got = 0;
    do {
        got = recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    bool strange = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (cmsghdr *h = CMSG_FIRSTHDR(&message); h != nullptr; h = CMSG_NXTHDR(&message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        // CMSG_SPACE() is padded, so a second descriptor may have found room.
        for (std::size_t at = 0; at + sizeof(int) <= h->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int one = -1;
            std::memcpy(&one, CMSG_DATA(h) + at, sizeof(one));
            if (*fd >= 0) {
                strange = true;
                (void)close(one);
            } else {
                *fd = one;
            }
        }
    }
    if (strange && *fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
    return strange ? -EBADMSG : got;
}

} // namespace iommufd::broker
