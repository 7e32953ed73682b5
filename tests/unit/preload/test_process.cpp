// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a secondary process borrows of the primary.

#include <cstdlib>
#include <cstring>

#include <fcntl.h>

#include "fake_eal.hpp"
#include "preload/process.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

int lent_fd;

// EAL's answer: one message with one descriptor, as the kernel gave it (without FD_CLOEXEC).
int answer(rte_mp_msg * /*request*/, struct rte_mp_reply *reply, const timespec * /*limit*/) {
    const std::uint32_t found_and_ioas[] = {1, 7};
    auto *msg = static_cast<rte_mp_msg *>(std::calloc(1, sizeof(rte_mp_msg)));
    msg->len_param = sizeof(found_and_ioas);
    std::memcpy(msg->param, found_and_ioas, sizeof(found_and_ioas));
    msg->num_fds = 1;
    msg->fds[0] = lent_fd;
    *reply = {.nb_sent = 1, .nb_received = 1, .msgs = msg};
    return 0;
}

class PreloadProcess : public ::testing::Test {
protected:
    PreloadProcess() {
        lent_fd = kernel.open(FakeKernel::iommu, O_RDWR);
        eal.api.rte_mp_request_sync = answer;
    }
    FakeKernel kernel;
    FakeEal eal;
};

TEST_F(PreloadProcess, WhatIsLentIsClosedByExec) {
    const auto lent = preload::ask_primary(kernel, eal.api, "0000:01:00.0");
    ASSERT_OK(lent);
    EXPECT_EQ(lent->fd, lent_fd);
    EXPECT_EQ(lent->ioas, 7U);
    EXPECT_EQ(kernel.closed_by_exec, std::vector<int>{lent_fd});
    EXPECT_EQ(kernel.close(lent_fd), 0);
}

TEST_F(PreloadProcess, WhatCannotBeMadeSoIsNotTaken) {
    kernel.fail_always("F_SETFD", injected_errno);
    EXPECT_EQ(code(preload::ask_primary(kernel, eal.api, "")), injected_errno);
    EXPECT_EQ(kernel.census(), Census{});
}

TEST_F(PreloadProcess, APrimaryThatDoesNotAnswerIsNamed) {
    eal.api.rte_mp_request_sync = [](rte_mp_msg *, struct rte_mp_reply *reply, const timespec *) {
        *reply = {};
        return -1;
    };
    const auto lent = preload::ask_primary(kernel, eal.api, "");
    EXPECT_EQ(code(lent), ETIMEDOUT);
    EXPECT_TRUE(contains(message(lent), "start the primary process with this library too"));
    EXPECT_EQ(kernel.close(lent_fd), 0);
}

} // namespace
} // namespace iommufd::test
