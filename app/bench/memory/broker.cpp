// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What the launcher's broker costs for each hugepage that EAL takes, beside what the page costs by
// itself, on this machine's kernel and without a device:
//
//     bench_broker PAGES
//
//     question   an address asked of a broker in another process, which hands the question with the
//                descriptor that comes with it to the kernel (which knows no IOAS of it, and says
//                so)
//     hugepage   the kernel finds and clears a page of 2 MiB, as it does for EAL before that asks;
//     a
//                transparent one, for which nobody has to reserve any
//
// Both in turn for every page. Prints one JSON object, medians in us; hugepage_us is null where the
// kernel gives small pages instead.

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/broker/client.hpp"
#include "core/broker/server.hpp"
#include "core/sys/fd.hpp"
#include "median.hpp"
#include "stopwatch.hpp"

namespace bench {

namespace {

using namespace iommufd;

constexpr std::size_t page_2m = 2 << 20;
constexpr std::size_t page_4k = 4096;

[[noreturn]] void fail(const std::string &why) {
    std::fprintf(stderr, "bench_broker: %s\n", why.c_str());
    std::exit(1);
}

// Serves the other end of the socket that is returned until that is closed.
int start_broker(pid_t *pid) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        fail("there is no socket pair");
    *pid = fork();
    if (*pid < 0)
        fail("there is no process for the broker");
    if (*pid == 0) {
        ::close(ends[0]);
        broker::Policy policy;
        policy.is_iommufd = [](int fd) { // as iommufd_check() looks
            struct stat st {};
            return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode);
        };
        broker::serve(linux_kernel(), policy, ends[1]);
        _exit(0);
    }
    ::close(ends[1]);
    return ends[0];
}

double question_us(broker::BrokeredKernel &kernel, int not_an_iommufd) {
    PaQuery query{};
    query.limit = page_2m;
    int ret = 0;
    const double ns = time_ns([&] { ret = kernel.noiommu_get_pa(not_an_iommufd, 1, {&query, 1}); });

    if (ret != 0 || query.error != -ENOTTY)
        fail("the broker does not answer: " + std::to_string(ret != 0 ? ret : query.error));
    return ns / 1e3;
}

long page_faults() {
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) < 0)
        fail("page faults are not counted");
    return usage.ru_minflt;
}

// Of the page at an address that nobody has touched; negative if it comes in small pages.
double hugepage_us(char *page) {
    const long before = page_faults();
    const double ns = time_ns([&] {
        for (std::size_t at = 0; at < page_2m; at += page_4k)
            *static_cast<volatile char *>(page + at) = 0;
    });
    return page_faults() - before <= 1 ? ns / 1e3 : -1;
}

// Memory for pages of 2 MiB, not yet touched, from the first of its addresses on that one may have.
char *reserve(unsigned long pages) {
    void *memory = mmap(nullptr, (pages + 1) * page_2m, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        fail("there is no memory for the pages");
    const auto start = (reinterpret_cast<std::uintptr_t>(memory) + page_2m - 1) & -page_2m;
    auto *first = reinterpret_cast<char *>(start); // NOLINT(performance-no-int-to-ptr)
    (void)madvise(first, pages * page_2m, MADV_HUGEPAGE);
    return first;
}

int run(unsigned long pages) {
    pid_t pid = -1;
    const int socket = start_broker(&pid);
    std::vector<double> questions;
    std::vector<double> hugepages;
    {
        broker::BrokeredKernel kernel(linux_kernel(), socket);
        const Fd null(linux_kernel(), ::open("/dev/null", O_RDWR | O_CLOEXEC));
        char *memory = reserve(pages);
        for (unsigned long i = 0; i < pages; i++) {
            if (const double us = hugepage_us(memory + i * page_2m); us >= 0)
                hugepages.push_back(us);
            questions.push_back(question_us(kernel, null.get()));
        }
    }
    ::close(socket);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid || status != 0)
        fail("the broker did not end in order");
    std::printf("{\"question_us\": %.2f, \"hugepage_us\": %s}\n", median(questions),
                hugepages.size() * 2 > pages ? std::to_string(median(hugepages)).c_str() : "null");
    return 0;
}

} // namespace

} // namespace bench

int main(int argc, char **argv) {
    const unsigned long pages = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
    if (pages == 0)
        bench::fail("usage: bench_broker PAGES");
    return bench::run(pages);
}
