// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

#include "host.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <linux/pci_regs.h>
#include <net/if.h>
#include <sys/resource.h>
#include <zlib.h>

#include "core/sys/fd.hpp"

namespace run {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t largest_config = 4 << 20; // bytes; Debian's is a quarter of a MiB

std::string read_line(const fs::path &path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// As sysfs writes numbers: "0x8086", "512", "-1".
template <class T>
T read_number(const fs::path &path, T otherwise) {
    const std::string line = read_line(path);
    const bool hex = line.starts_with("0x");
    T value{};
    const char *end = line.data() + line.size();
    const auto [stop, error] =
        std::from_chars(line.data() + (hex ? 2 : 0), end, value, hex ? 16 : 10);
    return error == std::errc{} && stop == end ? value : otherwise;
}

std::vector<std::string> names_in(const fs::path &folder) {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
        names.push_back(it->path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

std::string link_name(const fs::path &link) {
    std::error_code error;
    const fs::path target = fs::read_symlink(link, error);
    return error ? std::string{} : target.filename().string();
}

// The text of a file, gzipped or not; empty if it cannot be read.
std::string read_packed(const fs::path &path) {
    std::string text;
    gzFile file = gzopen(path.c_str(), "re");
    if (file == nullptr)
        return text;
    std::array<char, 16384> buffer{};
    int got = 0;
    while (text.size() < largest_config &&
           (got = gzread(file, buffer.data(), static_cast<unsigned int>(buffer.size()))) > 0)
        text.append(buffer.data(), static_cast<std::size_t>(got));
    (void)gzclose(file);
    return text;
}

std::map<std::string, char> read_options(const HostPaths &paths, const std::string &release) {
    std::string text = read_packed(paths.proc / "config.gz");
    if (text.empty())
        text = read_packed(paths.boot / ("config-" + release));
    std::map<std::string, char> options;
    if (text.empty())
        return options;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);)
        if (const auto equals = line.find('=');
            line.starts_with("CONFIG_") && equals != std::string::npos && equals + 1 < line.size())
            options[line.substr(0, equals)] = line[equals + 1];
    for (const char *name : needed_options)
        options.try_emplace(name, 'n');
    return options;
}

// "none [integrity] confidentiality" (Linux 7.3, security/lockdown/lockdown.c).
std::string read_lockdown(const HostPaths &paths) {
    const std::string line = read_line(paths.sys / "kernel/security/lockdown");
    const auto open = line.find('[');
    const auto close = line.find(']');
    return open == std::string::npos || close == std::string::npos || close < open
               ? std::string{}
               : line.substr(open + 1, close - open - 1);
}

// What configuration space says of interrupts. Only root may read beyond the first 64 bytes.
std::string read_interrupts(const fs::path &function) {
    std::ifstream file(function / "config", std::ios::binary);
    std::array<std::uint8_t, 256> config{};
    file.read(reinterpret_cast<char *>(config.data()), config.size());
    if (file.gcount() < static_cast<std::streamsize>(config.size()))
        return {};
    std::string text;
    const auto add = [&text](const std::string &word) {
        text += (text.empty() ? "" : ", ") + word;
    };
    std::size_t at = config[PCI_CAPABILITY_LIST] & ~3U;
    // A list that a device has made a loop of ends too: there are no more places for its entries.
    for (std::size_t n = 0; at >= PCI_STD_HEADER_SIZEOF && n < config.size() / 4; ++n) {
        if (config[at] == PCI_CAP_ID_MSIX)
            add("MSI-X " +
                std::to_string(((config[at + 2] | config[at + 3] << 8) & PCI_MSIX_FLAGS_QSIZE) +
                               1));
        if (config[at] == PCI_CAP_ID_MSI)
            add("MSI");
        at = config[at + 1] & ~3U;
    }
    if (config[PCI_INTERRUPT_PIN] != 0)
        add("INTx");
    return text.empty() ? "none" : text;
}

std::vector<std::string> interfaces_up(const fs::path &function) {
    std::vector<std::string> up;
    for (const std::string &name : names_in(function / "net"))
        if ((read_number(function / "net" / name / "flags", 0U) & IFF_UP) != 0)
            up.push_back(name);
    return up;
}

Function read_function(const fs::path &path) {
    Function f;
    f.bdf = path.filename().string();
    f.class_id = read_number(path / "class", 0U);
    f.vendor_id = read_number<std::uint16_t>(path / "vendor", 0);
    f.device_id = read_number<std::uint16_t>(path / "device", 0);
    f.driver = link_name(path / "driver");
    f.numa_node = read_number(path / "numa_node", -1);
    for (const std::string &name : names_in(path / "vfio-dev"))
        f.cdev = name;
    const std::string group = link_name(path / "iommu_group");
    // The group of a no-IOMMU device is one that vfio has made up (Linux 7.3,
    // drivers/vfio/group.c, vfio_noiommu_group_alloc()).
    const std::string group_name = read_line(path / "iommu_group/name");
    f.has_iommu = !group.empty() && group_name != "vfio-noiommu" && !f.is_ready();
    if (!group.empty() && !f.cdev.empty())
        f.group = (f.has_iommu ? "/dev/vfio/" : "/dev/vfio/noiommu-") + group;
    f.interfaces = interfaces_up(path);
    f.interrupts = read_interrupts(path);
    return f;
}

std::vector<HugepagePool> read_pools(const HostPaths &paths) {
    std::vector<HugepagePool> pools;
    const auto add = [&pools](const fs::path &folder, int node) {
        for (const std::string &name : names_in(folder)) {
            HugepagePool pool{.node = node};
            std::uint64_t kib = 0;
            const std::string_view prefix = "hugepages-";
            if (!name.starts_with(prefix) ||
                std::from_chars(name.data() + prefix.size(), name.data() + name.size(), kib).ec !=
                    std::errc{})
                continue;
            pool.page_size = kib << 10;
            pool.total = read_number<std::uint64_t>(folder / name / "nr_hugepages", 0);
            pool.free = read_number<std::uint64_t>(folder / name / "free_hugepages", 0);
            pools.push_back(pool);
        }
    };
    const fs::path nodes = paths.sys / "devices/system/node";
    for (const std::string &name : names_in(nodes)) {
        int node = 0;
        if (name.starts_with("node") &&
            std::from_chars(name.data() + 4, name.data() + name.size(), node).ec == std::errc{})
            add(nodes / name / "hugepages", node);
    }
    if (pools.empty()) // a kernel without NUMA
        add(paths.sys / "kernel/mm/hugepages", 0);
    return pools;
}

// -ENOTTY where the kernel does not know the call. There is no such IOAS: one that does says so.
int probe_iommufd(iommufd::Kernel &kernel) {
    const int fd = kernel.open("/dev/iommu", O_RDWR);
    if (fd < 0)
        return fd;
    const iommufd::Fd owned(kernel, fd);
    std::uint64_t length = 1;
    std::uint64_t pa = 0;
    const int ret = iommufd::ioas_noiommu_get_pa(kernel, fd, UINT32_MAX, 0, &length, &pa);
    return ret == -ENOTTY ? ret : 0;
}

} // namespace

std::vector<Function> read_functions(const HostPaths &paths) {
    constexpr std::uint32_t network = 0x02;
    constexpr std::uint32_t nvme = 0x010802;
    std::vector<Function> found;
    const fs::path devices = paths.sys / "bus/pci/devices";
    for (const std::string &bdf : names_in(devices)) {
        Function f = read_function(devices / bdf);
        if (f.class_id >> 16 == network || f.class_id == nvme || f.driver == "vfio-pci")
            found.push_back(std::move(f));
    }
    return found;
}

Host read_host(iommufd::Kernel &kernel, std::vector<HugetlbfsMount> hugetlbfs,
               const HostPaths &paths) {
    Host host;
    host.release = read_line(paths.proc / "sys/kernel/osrelease");
    host.iommufd = probe_iommufd(kernel);
    const std::string mode =
        read_line(paths.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode");
    if (!mode.empty())
        host.noiommu_mode = mode == "Y";
    host.lockdown = read_lockdown(paths);
    host.options = read_options(paths, host.release);
    host.functions = read_functions(paths);
    host.pools = read_pools(paths);
    host.hugetlbfs = std::move(hugetlbfs);
    for (const std::string &name : names_in(paths.sys / "kernel/mm/hugepages"))
        host.overcommitted += read_number<std::uint64_t>(
            paths.sys / "kernel/mm/hugepages" / name / "nr_overcommit_hugepages", 0);
    rlimit limit{};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
        host.memlock = limit.rlim_max == RLIM_INFINITY ? UINT64_MAX : limit.rlim_max;
    return host;
}

namespace {

// What a process says of itself, as a terminal may be shown it.
std::string printable(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

// root is to copy it into a shell, and it is a user's word.
bool is_plain_path(const std::string &text) {
    return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789/._-+:@") == std::string::npos;
}

// As EAL chooses it (v22.11 to v25.11, lib/eal/unix/eal_filesystem.c, eal_create_runtime_dir()).
std::string read_runtime(const fs::path &process, uid_t uid) {
    std::ifstream file(process / "environ", std::ios::binary);
    if (!file)
        return {};
    std::string given;
    std::string of_session = "/tmp";
    for (std::string word; std::getline(file, word, '\0');) {
        const auto value = word.find('=') + 1;
        if (word.starts_with("RUNTIME_DIRECTORY="))
            given = word.substr(value);
        else if (word.starts_with("XDG_RUNTIME_DIR="))
            of_session = word.substr(value);
    }
    const std::string chosen = !given.empty() ? given : uid == 0 ? "/var/run" : of_session;
    return is_plain_path(chosen) ? chosen : std::string{};
}

Holder read_holder(const fs::path &process, pid_t pid) {
    Holder holder{.pid = pid, .uid = 0, .name = {}, .pinned = 0, .runtime = {}};
    std::ifstream status(process / "status");
    for (std::string line; std::getline(status, line);) {
        std::istringstream words(line);
        std::string key;
        words >> key;
        if (key == "Name:")
            words >> holder.name;
        else if (key == "Uid:")
            words >> holder.uid;
        else if (key == "VmPin:" && words >> holder.pinned)
            holder.pinned <<= 10; // it is in KiB
    }
    holder.name = printable(holder.name);
    holder.runtime = read_runtime(process, holder.uid);
    return holder;
}

bool has_open(const fs::path &process, const std::string &cdev, const std::string &group) {
    std::error_code error;
    for (const std::string &fd : names_in(process / "fd")) {
        const std::string target = fs::read_symlink(process / "fd" / fd, error);
        if (!error && !target.empty() && (target == cdev || target == group))
            return true;
    }
    return false;
}

// A BAR that is mapped keeps the device bound when its descriptor is closed.
bool has_mapped(const fs::path &process, const std::string &cdev) {
    std::ifstream maps(process / "maps");
    for (std::string line; std::getline(maps, line);)
        if (!cdev.empty() && line.ends_with(" " + cdev))
            return true;
    return false;
}

} // namespace

std::vector<Holder> find_holders(const Function &function, const HostPaths &paths) {
    const std::string cdev =
        function.cdev.empty() ? std::string{} : "/dev/vfio/devices/" + function.cdev;
    std::vector<Holder> holders;
    for (const std::string &name : names_in(paths.proc)) {
        pid_t pid = 0;
        if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr !=
            name.data() + name.size())
            continue;
        if (has_open(paths.proc / name, cdev, function.group) ||
            has_mapped(paths.proc / name, cdev))
            holders.push_back(read_holder(paths.proc / name, pid));
    }
    return holders;
}

} // namespace run
