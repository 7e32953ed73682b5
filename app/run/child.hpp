// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors
#pragma once

// Work on what is the user's, done by a child process that has become him: it opens no more than
// he could, and what goes wrong with it stays with it.

#include <type_traits>

#include <sys/types.h>

#include "user.hpp"

namespace run {

// For good: ids, groups, no capability, none to come, not dumpable. One who runs as the caller
// keeps what reads files that are not his (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH), as the command
// does.
bool become_powerless(const User &user);

// The child's side writes length bytes to the descriptor; false unless all have come in time.
// The child is gone afterwards.
bool ask_child(const User &user, int seconds, void *answer, std::size_t length,
               void (*work)(void *arg, int fd), void *arg);

// work(Answer *) in such a child. False if it has not answered in time.
template <class Answer, class Work>
bool ask_as(const User &user, int seconds, Answer *answer, Work work);

bool write_all(int fd, const void *data, std::size_t length);

template <class Answer, class Work>
bool ask_as(const User &user, int seconds, Answer *answer, Work work) {
    static_assert(std::is_trivially_copyable_v<Answer>);
    const auto call = [](void *arg, int fd) {
        Answer mine{};
        (*static_cast<Work *>(arg))(&mine);
        (void)write_all(fd, &mine, sizeof(mine));
    };
    return ask_child(user, seconds, answer, sizeof(*answer), call, &work);
}

} // namespace run
