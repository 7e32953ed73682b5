// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "preload/process.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <rte_errno.h>

#include "preload/eal_api.hpp"
#include "preload/log.hpp"

namespace iommufd::preload {
namespace {

constexpr const char *name = "iommufd_preload";
constexpr int limit = 5; // seconds

// rte_mp_msg as the newest DPDK has it: the array of descriptors, at its end, has grown from 8
// to 253 (v24.11, lib/eal/include/rte_eal.h). EAL reads as much as it knows.
struct Message {
    alignas(8) char name[RTE_MP_MAX_NAME_LEN];
    int len_param;
    int num_fds;
    alignas(8) std::uint8_t param[RTE_MP_MAX_PARAM_LEN];
    int fds[253];
};
static_assert(offsetof(Message, param) == offsetof(rte_mp_msg, param) &&
              offsetof(Message, fds) == offsetof(rte_mp_msg, fds));

struct Request {
    char bdf[32];
};
struct Answer {
    std::uint32_t found;
    std::uint32_t ioas;
};

LentDescriptor (*answer)(const std::string &bdf);
const EalApi *the_eal;

Message message(const void *param, std::size_t length) {
    Message msg{};
    std::strncpy(msg.name, name, sizeof(msg.name) - 1);
    msg.len_param = static_cast<int>(length);
    std::memcpy(msg.param, param, length);
    return msg;
}

rte_mp_msg *to_eal(Message *msg) {
    return reinterpret_cast<rte_mp_msg *>(msg);
}

int on_request(const rte_mp_msg *msg, const void *peer) {
    return guarded(-1, [&] {
        Request request{};
        Answer reply{};
        LentDescriptor lent;
        if (msg->len_param == static_cast<int>(sizeof(request))) {
            std::memcpy(&request, msg->param, sizeof(request));
            request.bdf[sizeof(request.bdf) - 1] = '\0';
            lent = answer(request.bdf);
        }
        reply = {.found = lent.fd >= 0 ? 1U : 0U, .ioas = lent.ioas};
        Message out = message(&reply, sizeof(reply));
        if (lent.fd >= 0) {
            out.num_fds = 1;
            out.fds[0] = lent.fd;
        }
        return the_eal->rte_mp_reply(to_eal(&out), static_cast<const char *>(peer));
    });
}

} // namespace

void serve_secondaries(const EalApi &eal, LentDescriptor (*callback)(const std::string &bdf)) {
    the_eal = &eal;
    answer = callback;
    (void)eal.rte_mp_action_register(name, on_request);
}

Result<LentDescriptor> ask_primary(Kernel &kernel, const EalApi &eal, const std::string &bdf) {
    const std::string what = "asking the primary process" + (bdf.empty() ? "" : " for " + bdf);
    Request request{};
    std::strncpy(request.bdf, bdf.c_str(), sizeof(request.bdf) - 1);
    Message msg = message(&request, sizeof(request));
    struct rte_mp_reply reply {};
    const timespec patience{.tv_sec = limit, .tv_nsec = 0};
    const int ret = eal.rte_mp_request_sync(to_eal(&msg), &reply, &patience);
    Answer got{};
    LentDescriptor lent;
    if (ret == 0 && reply.nb_received > 0 &&
        reply.msgs[0].len_param == static_cast<int>(sizeof(got))) {
        std::memcpy(&got, reply.msgs[0].param, sizeof(got));
        if (got.found != 0 && reply.msgs[0].num_fds == 1)
            lent = {.fd = reply.msgs[0].fds[0], .ioas = got.ioas};
    } else {
        std::free(reply.msgs); // NOLINT(*-no-malloc): EAL's
        return failure(-ETIMEDOUT, what,
                       "it does not answer: start the primary process with this library too");
    }
    std::free(reply.msgs); // NOLINT(*-no-malloc)
    if (lent.fd < 0)
        return failure(-ENODEV, what, "it has no such device over iommufd");
    // EAL receives descriptors without MSG_CMSG_CLOEXEC (v22.11 to v25.11, eal_common_proc.c,
    // read_msg()); a program that this process starts is not to have the device.
    if (const int set = kernel.set_cloexec(lent.fd); set < 0) {
        (void)kernel.close(lent.fd);
        return failure(set, what + ": FD_CLOEXEC");
    }
    return lent;
}

} // namespace iommufd::preload
