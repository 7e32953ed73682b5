// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "options.hpp"

#include <cctype>
#include <optional>
#include <string_view>

#include <sys/capability.h>

#include "core/vfio/bdf.hpp"

namespace run {

const char *const usage =
    R"(usage: dpdk-iommufd-run [--user USER [--keep-capability NAME]...] [--device BDF]... [--dry-run]
                        -- COMMAND...
       dpdk-iommufd-run --check | --status [--json]
       dpdk-iommufd-run --bind BDF | --unbind BDF

Runs an unmodified DPDK application with DPDK's own drivers on Linux's no-IOMMU iommufd: memory
that devices reach is pinned, and its physical addresses come from the kernel. The application
needs neither root nor any capability, and survives page migration.

  --user USER    run COMMAND as USER (name or number), without any capability. He has a hugetlbfs
                 of his own in the place of the system's, which no other process sees, and a
                 runtime folder. Nothing that is there already changes its owner.
                 Without it COMMAND keeps the caller's identity and capabilities.
  --keep-capability NAME
                 what COMMAND needs for itself, CAP_NET_ADMIN for a tap device
  --device BDF   a device COMMAND is to have: "0000:01:00.0", as 'lspci -D' prints it. It is
                 checked before anything is done, and COMMAND gets no other. Without it, every
                 device that is ready.
                 Tell the application too: EAL's -a BDF.
  --dry-run      say what would be done, and whether it can be, and do nothing
  --check        what stands between this machine and an application, line by line with the
                 remedy: kernel, mode, devices, hugepages, limits. Status 1 if none could start
  --status       the devices that have a vfio node, who has them open, and how much of his memory
                 is pinned
  --json         the same for programs
  --bind BDF     switch vfio's no-IOMMU mode on and give the device to vfio-pci. Refused while its
                 network interface is up or somebody has it open
  --unbind BDF   give it back to the driver that the kernel chooses
  --version      the version of this program
  --help         this text

Before the first time:

  dpdk-iommufd-run --bind 0000:01:00.0
  echo 512 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages

Then:

  dpdk-iommufd-run --user "$USER" -- dpdk-testpmd -a 0000:01:00.0 -- -i
  dpdk-iommufd-run --user 1000 --device 0000:01:00.0 --dry-run -- dpdk-l2fwd

It works by LD_PRELOAD, so COMMAND must load DPDK (22.11 to 25.11) as shared libraries. A
statically linked one is recognised and refused; rebuild it with 'meson setup
-Ddefault_library=shared', or with 'pkg-config libdpdk' without --static.

COMMAND runs in this process: its process id, signals and exit status are its own. A broker stays
behind that has CAP_SYS_RAWIO, opens the devices for COMMAND and asks the kernel for addresses; it
ends with COMMAND and its children.

Exit status: COMMAND's own; 1 with a sentence on standard error if something is missing, before
anything is changed; 2 if the arguments are wrong; 126 or 127 if COMMAND cannot be started.
)";

namespace {

// The argument of an option in both forms, "--user U" and "--user=U".
bool take(std::string_view name, int argc, char *const argv[], int *i, std::string *value,
          bool *missing) {
    const std::string_view word = argv[*i];
    if (word == name) {
        *missing = *i + 1 >= argc || std::string_view(argv[*i + 1]) == "--";
        if (!*missing)
            *value = argv[++*i];
    } else if (word.starts_with(name) && word.size() > name.size() && word[name.size()] == '=') {
        *value = word.substr(name.size() + 1);
        *missing = false;
    } else {
        return false;
    }
    *missing = *missing || value->empty();
    return true;
}

// "CAP_NET_ADMIN", "net_admin".
std::optional<int> capability_of(std::string name) {
    for (char &c : name)
        c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (!name.starts_with("cap_"))
        name = "cap_" + name;
    cap_value_t value = 0;
    if (cap_from_name(name.c_str(), &value) < 0)
        return std::nullopt;
    return value;
}

// One thing at a time.
std::string choose(Action action, Options *options) {
    if (options->action != Action::run)
        return "one of --check, --status, --bind and --unbind at a time";
    options->action = action;
    return {};
}

} // namespace

std::string parse(int argc, char *const argv[], Options *options) {
    int i = 1;
    for (; i < argc; ++i) {
        const std::string_view word = argv[i];
        std::string value;
        bool missing = false;
        if (word == "--") {
            ++i;
            break;
        }
        if (word == "--help" || word == "-h" || word == "--version") {
            options->action = word == "--version" ? Action::version : Action::help;
            return {};
        }
        if (word == "--dry-run") {
            options->dry_run = true;
        } else if (word == "--json") {
            options->json = true;
        } else if (word == "--check" || word == "--status") {
            if (auto problem = choose(word == "--check" ? Action::check : Action::status, options);
                !problem.empty())
                return problem;
        } else if (const bool binds = take("--bind", argc, argv, &i, &value, &missing);
                   binds || take("--unbind", argc, argv, &i, &value, &missing)) {
            const auto bdf = iommufd::normal_bdf(value);
            if (missing || !bdf)
                return std::string(binds ? "--bind" : "--unbind") +
                       " needs a PCI address such as 0000:01:00.0";
            if (auto problem = choose(binds ? Action::bind : Action::unbind, options);
                !problem.empty())
                return problem;
            options->function = *bdf;
        } else if (take("--user", argc, argv, &i, &value, &missing)) {
            if (missing)
                return "--user needs the name or number of a user";
            options->user = value;
        } else if (take("--device", argc, argv, &i, &value, &missing)) {
            const auto bdf = iommufd::normal_bdf(value);
            if (missing || !bdf)
                return "--device needs a PCI address such as 0000:01:00.0";
            options->devices.push_back(*bdf);
        } else if (take("--keep-capability", argc, argv, &i, &value, &missing)) {
            const auto capability = capability_of(value);
            if (missing || !capability)
                return "--keep-capability needs a name such as CAP_NET_ADMIN";
            options->kept_capabilities.push_back(*capability);
        } else if (word.starts_with("-")) {
            return std::string("unknown option '").append(word).append("'");
        } else {
            return std::string(word).append(": put '--' before the command");
        }
    }
    options->command.assign(argv + i, argv + argc);
    if (options->json && options->action != Action::check && options->action != Action::status)
        return "--json goes with --check or --status";
    if (options->action != Action::run)
        return options->command.empty() ? "" : "this runs no command: leave it out";
    if (options->command.empty())
        return "there is no command to run";
    if (!options->kept_capabilities.empty() && options->user.empty())
        return "--keep-capability goes with --user: without, the command keeps all that the caller "
               "has";
    return {};
}

} // namespace run
