// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// dpdk-iommufd-run: an unmodified DPDK application with DPDK's own drivers over iommufd.

#include <cstdio>
#include <exception>

#include "grants.hpp"
#include "ground.hpp"
#include "launch.hpp"
#include "options.hpp"

namespace {

using namespace run;

int refuse(const std::string &problem) {
    (void)std::fprintf(stderr, "dpdk-iommufd-run: %s.\n", problem.c_str());
    return 1;
}

// The paths that must be the user's.
std::vector<std::string> paths_of(const Ground &ground) {
    std::vector<std::string> paths = ground.nodes;
    paths.insert(paths.end(), ground.hugetlbfs.begin(), ground.hugetlbfs.end());
    return paths;
}

void show(const Options &options, const Ground &ground) {
    std::printf("command: %s", ground.program.c_str());
    for (std::size_t i = 1; i < options.command.size(); ++i)
        std::printf(" %s", options.command[i].c_str());
    std::printf("\nlibrary: %s\nuser: %s (%u), with CAP_SYS_RAWIO and CAP_IPC_LOCK only\n",
                ground.library.c_str(), ground.user.name.c_str(), ground.user.uid);
    for (const std::string &bdf : ground.devices)
        std::printf("device: %s\n", bdf.c_str());
    if (!ground.user.is_caller)
        for (const std::string &path : paths_of(ground))
            std::printf("his meanwhile: %s\n", path.c_str());
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
        (void)std::fprintf(stderr,
                           "dpdk-iommufd-run: %s does not use DPDK by itself; what it starts does "
                           "if it is dynamically linked.\n",
                           ground.program.c_str());
    if (auto advice = advise(options, ground); !advice.empty())
        (void)std::fprintf(stderr, "dpdk-iommufd-run: %s.\n", advice.c_str());
    Grants grants;
    std::string runtime;
    if (!ground.user.is_caller) {
        for (const auto &[kind, paths] : {std::pair{Grants::Kind::node, ground.nodes},
                                          std::pair{Grants::Kind::hugetlbfs, ground.hugetlbfs}})
            for (const std::string &path : paths)
                if (auto problem = grants.take(ground.user, path, kind); !problem.empty())
                    return refuse(problem);
        if (auto problem = grants.make_runtime_folder(ground.user, &runtime); !problem.empty())
            return refuse(problem);
    }
    return launch(options, ground, runtime);
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
