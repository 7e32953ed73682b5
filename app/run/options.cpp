// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "options.hpp"

#include <cctype>
#include <optional>
#include <string_view>

#include <sys/capability.h>

#include "core/vfio/bdf.hpp"

namespace run {

using iommufd::Result;

const char *const usage =
    R"(usage: dpdk-iommufd-run [--user USER [--keep-capability NAME]...] [--device BDF]... [--dry-run]
                        -- COMMAND...
       dpdk-iommufd-run --serve SOCKET [--user USER]... [--group GROUP]... --device BDF...
       dpdk-iommufd-run --connect SOCKET [--device BDF]... [--dry-run] -- COMMAND...
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
  --serve SOCKET be the broker of whoever connects to this socket, containers above all, until
                 SIGTERM. A device goes to one client at a time, and comes back with the end of
                 the last of its processes, reset. All folders on the way to SOCKET must be
                 root's. --user and --group, as often as needed, say who may connect; nobody but
                 the caller without
  --group GROUP  with --serve: whose members may connect
  --connect SOCKET
                 run COMMAND as the caller, with the devices of that broker: needs no privilege,
                 no device node, but a hugetlbfs. Other programs find the broker by
                 DPDK_IOMMUFD_BROKER=SOCKET in their environment
  --dry-run      say what would be done, and whether it can be, and do nothing
  --check        what stands between this machine and an application, line by line with the
                 remedy: kernel, mode, devices, hugepages, limits. Status 1 if none could start
  --status       the devices that have a vfio node, who has them open, how much of his memory is
                 pinned, and the RUNTIME_DIRECTORY where DPDK's tools find him
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

It works by LD_PRELOAD, so COMMAND must load DPDK (22.11 to 26.11) as shared libraries. A
statically linked one is recognised and refused; rebuild it with 'meson setup
-Ddefault_library=shared', or with 'pkg-config libdpdk' without --static.

COMMAND runs in this process: its process id, signals and exit status are its own. A broker stays
behind that has CAP_SYS_RAWIO, opens the devices for COMMAND and asks the kernel for addresses; it
ends with COMMAND and its children.

Exit status: COMMAND's own; 1 with a sentence on standard error if something is missing, before
anything is changed; 2 if the arguments are wrong; 126 or 127 if COMMAND cannot be started.
)";

namespace {

constexpr std::size_t max_served = 256; // that one message of the broker's can list

// No call has failed: the words themselves are wrong.
tl::unexpected<iommufd::Error> wrong(std::string what) {
    return iommufd::failure(0, std::move(what));
}

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
Result<void> choose(Action action, Options *options) {
    if (options->action != Action::run)
        return wrong("one of --check, --status, --bind, --unbind and --serve at a time");
    options->action = action;
    return {};
}

Result<void> set_function(Action action, const std::string &bdf, Options *options) {
    options->function = *iommufd::normal_bdf(bdf);
    return choose(action, options);
}

Result<void> set_socket(bool connect, const std::string &path, Options *options) {
    if (!options->socket.empty())
        return wrong("one of --serve and --connect, once");
    options->socket = path;
    options->connect = connect;
    return connect ? Result<void>{} : choose(Action::serve, options);
}

bool is_function(const std::string &value) {
    return iommufd::normal_bdf(value).has_value();
}

bool is_path(const std::string &value) {
    return value[0] == '/';
}

bool is_capability(const std::string &value) {
    return capability_of(value).has_value();
}

constexpr const char *needs_function = " needs a PCI address such as 0000:01:00.0";
constexpr const char *needs_path = " needs the path of a socket, which begins with a slash";

// An option with an argument.
struct Valued {
    const char *name;
    bool (*is_right)(const std::string &value); // nullptr: whatever is there
    const char *needs;
    Result<void> (*set)(const std::string &value, Options *options);
};

constexpr Valued valued[] = {
    {"--bind", is_function, needs_function,
     [](const std::string &value, Options *o) { return set_function(Action::bind, value, o); }},
    {"--unbind", is_function, needs_function,
     [](const std::string &value, Options *o) { return set_function(Action::unbind, value, o); }},
    {"--serve", is_path, needs_path,
     [](const std::string &value, Options *o) { return set_socket(false, value, o); }},
    {"--connect", is_path, needs_path,
     [](const std::string &value, Options *o) { return set_socket(true, value, o); }},
    {"--user", nullptr, " needs the name or number of a user",
     [](const std::string &value, Options *o) {
         o->user = value;
         o->served_users.push_back(value);
         return Result<void>{};
     }},
    {"--group", nullptr, " needs the name or number of a group",
     [](const std::string &value, Options *o) {
         o->served_groups.push_back(value);
         return Result<void>{};
     }},
    {"--device", is_function, needs_function,
     [](const std::string &value, Options *o) {
         o->devices.push_back(*iommufd::normal_bdf(value));
         return Result<void>{};
     }},
    {"--keep-capability", is_capability, " needs a name such as CAP_NET_ADMIN",
     [](const std::string &value, Options *o) {
         o->kept_capabilities.push_back(*capability_of(value));
         return Result<void>{};
     }},
};

// Whether it is one of these.
Result<bool> take_valued(int argc, char *const argv[], int *i, Options *options) {
    for (const Valued &option : valued) {
        std::string value;
        bool missing = false;
        if (!take(option.name, argc, argv, i, &value, &missing))
            continue;
        if (missing || (option.is_right != nullptr && !option.is_right(value)))
            return wrong(std::string(option.name) + option.needs);
        TRY(option.set(value, options));
        return true;
    }
    return false;
}

Result<bool> take_flag(std::string_view word, Options *options) {
    if (word == "--dry-run")
        options->dry_run = true;
    else if (word == "--json")
        options->json = true;
    else if (word == "--check" || word == "--status")
        TRY(choose(word == "--check" ? Action::check : Action::status, options));
    else
        return false;
    return true;
}

// Of options that are right one by one.
Result<void> check_combination(const Options &options) {
    const bool serves = options.action == Action::serve;
    if (options.json && options.action != Action::check && options.action != Action::status)
        return wrong("--json goes with --check or --status");
    if (!options.served_groups.empty() && !serves)
        return wrong("--group goes with --serve");
    if (serves && (options.devices.empty() || options.devices.size() > max_served))
        return wrong(
            "--serve needs --device BDF, for each device that it is to give (256 at most)");
    if (serves && options.dry_run)
        return wrong("--dry-run goes with a command");
    if (options.action != Action::run && (!options.command.empty() || options.connect))
        return wrong("this runs no command: leave it out");
    if (options.action != Action::run)
        return {};
    if (options.command.empty())
        return wrong("there is no command to run");
    if (options.served_users.size() > 1)
        return wrong("--user once: a command runs as one user");
    if (options.connect && !options.user.empty())
        return wrong(
            "--connect goes without --user: the command runs as the caller, who may be nobody "
            "in particular");
    if (!options.kept_capabilities.empty() && options.user.empty())
        return wrong(
            "--keep-capability goes with --user: without, the command keeps all that the caller "
            "has");
    return {};
}

} // namespace

Result<Options> parse(int argc, char *const argv[]) {
    Options options;
    int i = 1;
    for (; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--") {
            ++i;
            break;
        }
        if (word == "--help" || word == "-h" || word == "--version") {
            options.action = word == "--version" ? Action::version : Action::help;
            return options;
        }
        if (TRY(take_flag(word, &options)) || TRY(take_valued(argc, argv, &i, &options)))
            continue;
        if (word.starts_with("-"))
            return wrong("unknown option '" + std::string(word) + "'");
        return wrong(std::string(word) + ": put '--' before the command");
    }
    options.command.assign(argv + i, argv + argc);
    TRY(check_combination(options));
    return options;
}

} // namespace run
