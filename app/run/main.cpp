// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// dpdk-iommufd-run: an unmodified DPDK application with DPDK's own drivers over iommufd.

#include <cerrno>
#include <cstdio>
#include <exception>

#include "ground.hpp"
#include "launch.hpp"
#include "options.hpp"

namespace {

using namespace run;

void complain(const std::string &problem) {
    (void)std::fprintf(stderr, "dpdk-iommufd-run: %s.\n", problem.c_str());
}

int refuse(const std::string &problem) {
    complain(problem);
    return 1;
}

void show(const Options &options, const Ground &ground) {
    const User &user = ground.user;
    std::printf("command: %s", ground.program.c_str());
    for (std::size_t i = 1; i < options.command.size(); ++i)
        std::printf(" %s", options.command[i].c_str());
    std::printf("\nlibrary: %s\nuser: %s (%u), %s\n", ground.library.c_str(), user.name.c_str(),
                user.uid,
                user.is_caller                      ? "with what the caller has"
                : options.kept_capabilities.empty() ? "without any capability"
                                                    : "with the capabilities that are to be kept");
    std::printf("broker: with CAP_SYS_RAWIO, opens");
    for (const std::string &node : ground.nodes)
        std::printf(" %s", node.c_str());
    std::printf("\n");
    for (const std::string &bdf : ground.devices)
        std::printf("device: %s\n", bdf.c_str());
    for (const HugetlbfsMount &m : ground.hugetlbfs)
        std::printf("hugetlbfs: %s%s\n", m.path.c_str(),
                    ground.has_own_hugetlbfs ? ", one of the user's own in its place" : "");
}

int run_command(const Options &options) {
    Ground ground;
    if (auto problem = survey(options, &ground); !problem.empty())
        return refuse(problem);
    if (options.dry_run) {
        show(options, ground);
        return 0;
    }
    if (ground.is_wrapper)
        complain(ground.program + " does not use DPDK by itself; what it starts does if it is "
                                  "dynamically linked");
    if (auto advice = advise(options, ground); !advice.empty())
        complain(advice);
    const iommufd::Error error = launch(options, ground);
    complain(error.message());
    return error.code == ENOENT && error.call.starts_with("exec of") ? 127 : 126;
}

} // namespace

int main(int argc, char *argv[]) {
    try {
        run::Options options;
        if (auto problem = run::parse(argc, argv, &options); !problem.empty()) {
            (void)std::fprintf(stderr, "dpdk-iommufd-run: %s; see --help.\n", problem.c_str());
            return 2;
        }
        if (options.help) {
            (void)std::fputs(run::usage, stdout);
            return 0;
        }
        return run_command(options);
    } catch (const std::exception &e) {
        return refuse(e.what());
    }
}
