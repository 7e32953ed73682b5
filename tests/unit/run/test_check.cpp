// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// --check, --status, --bind and --unbind on a machine of files.

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <zlib.h>

#include "bind.hpp"
#include "check.hpp"
#include "core/ioas/address.hpp"
#include "fake_kernel.hpp"
#include "support.hpp"

namespace iommufd::test {
namespace {

namespace fs = std::filesystem;
using namespace run;

constexpr const char *bdf = "0000:01:00.0";
constexpr Caller root_user{.may_open_devices = true, .may_lock_memory = true};

class HostTest : public ::testing::Test {
protected:
    HostTest() {
        std::string name = (fs::temp_directory_path() / "iommufd-host-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        root = name;
        paths = {.sys = root / "sys", .proc = root / "proc", .boot = root / "boot"};
        write(paths.proc / "sys/kernel/osrelease", "7.3.4-test\n");
        write(mode(), "Y\n");
        write(paths.sys / "devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages", "8");
        write(paths.sys / "devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages",
              "5");
        write(paths.sys / "bus/pci/drivers_probe", "");
    }
    ~HostTest() override { fs::remove_all(root); }

    static void write(const fs::path &path, const std::string &text) {
        fs::create_directories(path.parent_path());
        std::ofstream(path, std::ios::binary) << text;
    }
    static std::string text_of(const fs::path &path) {
        std::ifstream file(path);
        return {std::istreambuf_iterator<char>(file), {}};
    }
    [[nodiscard]] fs::path mode() const {
        return paths.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode";
    }
    [[nodiscard]] fs::path function(const char *name = bdf) const {
        return paths.sys / "bus/pci/devices" / name;
    }
    void add(const std::string &driver, const std::string &cdev,
             const std::string &class_id = "0x020000\n") const {
        write(function() / "class", class_id);
        write(function() / "vendor", "0x8086\n");
        write(function() / "device", "0x10c9\n");
        write(function() / "numa_node", "1\n");
        write(function() / "driver_override", "(null)\n");
        for (const char *file : {"subsystem_vendor", "subsystem_device"})
            write(function() / file, "0x0000\n");
        if (!driver.empty()) {
            write(paths.sys / "bus/pci/drivers" / driver / "unbind", "");
            fs::create_directory_symlink(paths.sys / "bus/pci/drivers" / driver,
                                         function() / "driver");
        }
        if (!cdev.empty())
            fs::create_directories(function() / "vfio-dev" / cdev);
    }
    void add_group(const std::string &name) const {
        write(root / "groups/7/name", name);
        fs::create_directory_symlink(root / "groups/7", function() / "iommu_group");
    }
    void hold(const std::string &node) const {
        write(paths.proc / "4711/status",
              "Name:\tovs-vswitchd\nUid:\t1000\t1000\nVmPin:\t2048 kB\n");
        fs::create_directories(paths.proc / "4711/fd");
        fs::create_symlink(node, paths.proc / "4711/fd/9");
    }
    std::vector<Finding> findings(const Caller &caller = root_user) {
        return check(read_host(kernel, mounts, paths), caller, paths.sys);
    }
    Finding finding(const std::string &subject, const Caller &caller = root_user) {
        for (Finding &each : findings(caller))
            if (each.subject == subject)
                return each;
        ADD_FAILURE() << "nothing is said of " << subject;
        return {};
    }

    FakeKernel kernel;
    std::vector<HugetlbfsMount> mounts{{.path = "/dev/huge pages", .page = page_2m}};
    fs::path root;
    HostPaths paths;
};

TEST_F(HostTest, AMachineThatIsReady) {
    add("vfio-pci", "noiommu-vfio0");
    add_group("vfio-noiommu\n");
    EXPECT_TRUE(is_ready(findings())) << to_text(findings());
    EXPECT_NE(finding("kernel").text.find("7.3.4-test tells"), std::string::npos);
    EXPECT_EQ(finding(bdf).text,
              "8086:10c9, driver vfio-pci, /dev/vfio/devices/noiommu-vfio0, group "
              "/dev/vfio/noiommu-7, no IOMMU, node 1");
    EXPECT_EQ(finding("hugepages").text, "node 1: 5 of 8 of 2 MiB are free");
    EXPECT_EQ(finding("hugetlbfs").text, "/dev/huge pages, pages of 2 MiB");
    EXPECT_NE(to_text(findings()).find("An application can start.\n"), std::string::npos);
}

// One thing that a machine can lack, and how it comes to lack it.
struct Lack {
    const char *subject;
    void (*take)(FakeKernel &kernel, const HostPaths &paths);
};

class MissingTest : public HostTest, public ::testing::WithParamInterface<Lack> {};

TEST_P(MissingTest, IsNamedAloneWithItsRemedy) {
    add("vfio-pci", "noiommu-vfio0");
    ASSERT_TRUE(is_ready(findings())) << "nothing is missing before";
    GetParam().take(kernel, paths);
    EXPECT_EQ(finding(GetParam().subject).verdict, Verdict::missing);
    EXPECT_FALSE(finding(GetParam().subject).remedy.empty());
    EXPECT_FALSE(is_ready(findings()));
    EXPECT_NE(to_text(findings()).find("1 thing is missing"), std::string::npos)
        << to_text(findings());
}

INSTANTIATE_TEST_SUITE_P(
    , MissingTest,
    ::testing::Values(
        Lack{"kernel", [](FakeKernel &kernel,
                          const HostPaths & /*paths*/) { kernel.fail_always("open", ENOENT); }},
        Lack{"no-IOMMU mode",
             [](FakeKernel & /*kernel*/, const HostPaths &paths) {
                 std::ofstream(paths.sys / "module/vfio/parameters/enable_unsafe_noiommu_mode")
                     << "N\n";
             }},
        Lack{"devices",
             [](FakeKernel & /*kernel*/, const HostPaths &paths) {
                 fs::remove_all(paths.sys / "bus/pci/devices" / bdf / "vfio-dev");
             }},
        Lack{"hugepages", [](FakeKernel & /*kernel*/, const HostPaths &paths) {
                 fs::remove_all(paths.sys / "devices/system/node");
             }}));

TEST_F(HostTest, WithoutAHugetlbfsNoneCanStart) {
    add("vfio-pci", "noiommu-vfio0");
    mounts.clear();
    EXPECT_EQ(finding("hugetlbfs").verdict, Verdict::missing);
    EXPECT_FALSE(is_ready(findings()));
}

TEST_F(HostTest, WithoutThePrivilegeNoneCanStart) {
    add("vfio-pci", "noiommu-vfio0");
    EXPECT_EQ(finding("privilege", {}).verdict, Verdict::missing);
}

TEST_F(HostTest, PagesBeyondThePoolCount) {
    fs::remove_all(paths.sys / "devices/system/node");
    write(paths.sys / "kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages", "64\n");
    EXPECT_EQ(finding("hugepages").verdict, Verdict::note);
}

TEST_F(HostTest, TheConfigurationNamesWhatIsOff) {
    const fs::path packed = paths.proc / "config.gz";
    gzFile file = gzopen(packed.c_str(), "w");
    ASSERT_NE(file, nullptr);
    (void)gzputs(file, "CONFIG_IOMMUFD=m\n# CONFIG_VFIO_NOIOMMU is not set\nCONFIG_VFIO=y\n"
                       "CONFIG_VFIO_PCI=m\nCONFIG_VFIO_DEVICE_CDEV=y\nCONFIG_X\nCONFIG_Y=\n");
    (void)gzclose(file);
    EXPECT_EQ(finding("kernel").text, "7.3.4-test was built without CONFIG_VFIO_NOIOMMU");
    fs::remove(packed);
    write(paths.boot / "config-7.3.4-test", "CONFIG_IOMMUFD=m\n");
    EXPECT_NE(finding("kernel").text.find("CONFIG_VFIO, CONFIG_VFIO_PCI"), std::string::npos);
}

TEST_F(HostTest, Lockdown) {
    write(paths.sys / "kernel/security/lockdown", "none [integrity] confidentiality\n");
    EXPECT_EQ(finding("lockdown").verdict, Verdict::note);
    write(paths.sys / "kernel/security/lockdown", "[none] integrity confidentiality\n");
    EXPECT_EQ(finding("lockdown").verdict, Verdict::fine);
    write(paths.sys / "kernel/security/lockdown", "]none[\n");
    EXPECT_EQ(finding("lockdown").text, "none");
}

TEST_F(HostTest, InterruptsAsConfigurationSpaceHasThem) {
    add("igb", "");
    std::string config(256, '\0');
    config[0x34] = 0x40;
    config[0x40] = 0x05; // MSI, then MSI-X of 10 vectors
    config[0x41] = 0x50;
    config[0x50] = 0x11;
    config[0x52] = 9;
    config[0x3d] = 1;
    write(function() / "config", config);
    EXPECT_NE(finding(bdf).text.find("interrupts: MSI, MSI-X 10, INTx"), std::string::npos);
    // A list that is a loop.
    config[0x51] = 0x50;
    write(function() / "config", config);
    EXPECT_NE(finding(bdf).text.find("interrupts: MSI, MSI-X 10, MSI-X 10"), std::string::npos);
    // An ordinary user sees 64 bytes.
    write(function() / "config", config.substr(0, 64));
    EXPECT_EQ(finding(bdf).text.find("interrupts"), std::string::npos);
}

TEST_F(HostTest, OtherFunctionsAreNotShown) {
    add("xhci_hcd", "", "0x0c0330\n");
    EXPECT_TRUE(read_functions(paths).empty());
    EXPECT_EQ(code(bind_function(bdf, paths)), ENODEV);
}

TEST_F(HostTest, JsonIsJson) {
    add("vfio-pci", "noiommu-vfio0");
    mounts = {{.path = "/a\xff\"b", .page = page_2m}};
    const Host host = read_host(kernel, mounts, paths);
    const auto all = nlohmann::json::parse(to_json(check(host, root_user, paths.sys), host));
    EXPECT_TRUE(all["ready"].get<bool>());
    EXPECT_EQ(all["devices"][0]["bdf"], bdf);
    EXPECT_EQ(all["hugepages"][0]["free"], 5);
    hold("/dev/vfio/devices/noiommu-vfio0");
    const auto status = nlohmann::json::parse(status_json(host, paths));
    EXPECT_EQ(status["devices"][0]["clients"][0]["pid"], 4711);
    EXPECT_EQ(status["devices"][0]["clients"][0]["pinned_bytes"], 2 << 20);
    EXPECT_NE(status_text(host, paths).find("4711 ovs-vswitchd, uid 1000, 2 MiB pinned"),
              std::string::npos);
}

// Root runs --status in a terminal and copies from it, and name and environment of a process are
// its user's.
TEST_F(HostTest, StatusTellsWhereTheApplicationIsFoundAndNothingToTheTerminal) {
    add("vfio-pci", "noiommu-vfio0");
    hold("/dev/vfio/devices/noiommu-vfio0");
    const Host host = read_host(kernel, mounts, paths);
    const fs::path process = paths.proc / "4711";
    EXPECT_EQ(status_text(host, paths).find("RUNTIME_DIRECTORY"), std::string::npos);
    const auto says = [&](const std::string &environment, const std::string &runtime) {
        write(process / "environ", environment);
        const auto status = nlohmann::json::parse(status_json(host, paths));
        EXPECT_EQ(status["devices"][0]["clients"][0]["runtime_directory"], runtime);
        EXPECT_NE(status_text(host, paths).find(", RUNTIME_DIRECTORY=" + runtime + "\n"),
                  std::string::npos);
    };
    const std::string end(1, '\0');
    const std::string session =
        "A=b" + end + "XDG_RUNTIME_DIR=/run/dpdk-iommufd/runtime-1000" + end;
    says(session, "/run/dpdk-iommufd/runtime-1000");
    says(session + "RUNTIME_DIRECTORY=/run/ovs" + end, "/run/ovs");
    says(session + "RUNTIME_DIRECTORY=" + end, "/run/dpdk-iommufd/runtime-1000");
    says("", "/tmp");
    for (const std::string lie : {"/\x1b[2J\n\xff", "/run/x;reboot", "/run/$(id)", "/a b"}) {
        write(process / "environ", "RUNTIME_DIRECTORY=" + lie + end);
        const auto status = nlohmann::json::parse(status_json(host, paths));
        EXPECT_EQ(status["devices"][0]["clients"][0]["runtime_directory"], "") << lie;
        EXPECT_EQ(status_text(host, paths).find("RUNTIME_DIRECTORY"), std::string::npos) << lie;
    }
    write(process / "status", "Name:\tevil\x1b]0;\x07\nUid:\t0\t0\t0\t0\n");
    says(session, "/var/run");
    EXPECT_NE(status_text(host, paths).find("4711 evil?]0;?, uid 0"), std::string::npos);
}

TEST_F(HostTest, BindRefusesWhatIsInUse) {
    add("igb", "");
    write(function() / "net/eth0/flags", "0x1003\n");
    EXPECT_EQ(code(bind_function(bdf, paths)), EBUSY);
    EXPECT_EQ(text_of(function() / "driver_override"), "(null)\n");
    write(function() / "net/eth0/flags", "0x1002\n");
    EXPECT_EQ(code(bind_function(bdf, paths)), ENOTSUP) << "files bind nothing: it is given back";
    EXPECT_EQ(text_of(paths.sys / "bus/pci/drivers/igb/unbind"), bdf);
    EXPECT_EQ(text_of(function() / "driver_override"), "\n");
}

TEST_F(HostTest, BindSwitchesTheModeOn) {
    add("", "");
    write(mode(), "N\n");
    EXPECT_EQ(code(bind_function(bdf, paths)), ENOTSUP);
    EXPECT_EQ(text_of(mode()), "Y");
    fs::remove(mode());
    EXPECT_EQ(code(bind_function(bdf, paths)), ENOTSUP);
}

TEST_F(HostTest, BindLeavesWhatIsBehindAnIommu) {
    add("igb", "");
    add_group("intel-iommu\n");
    EXPECT_EQ(code(bind_function(bdf, paths)), ENOTSUP);
    EXPECT_EQ(text_of(paths.sys / "bus/pci/drivers/igb/unbind"), "");
}

TEST_F(HostTest, UnbindRepairsWhatAKilledBindHasLeft) {
    add("", "");
    EXPECT_EQ(code(unbind_function(bdf, paths)), ENOTSUP) << "nothing is to be repaired";
    write(function() / "driver_override", "vfio-pci\n");
    EXPECT_OK(unbind_function(bdf, paths));
    EXPECT_EQ(text_of(function() / "driver_override"), "\n");
    EXPECT_EQ(text_of(paths.sys / "bus/pci/drivers_probe"), bdf);
}

TEST_F(HostTest, MappedBarIsAUse) {
    add("vfio-pci", "noiommu-vfio0");
    hold("/dev/null");
    const std::string map = "7f0000000000-7f0000020000 rw-s 00000000 00:06 77    ";
    write(paths.proc / "4711/maps", map + "/dev/vfio/devices/noiommu-vfio01\n");
    EXPECT_TRUE(find_holders(read_functions(paths).at(0), paths).empty());
    write(paths.proc / "4711/maps", map + "\n" + map + "/dev/vfio/devices/noiommu-vfio0\n");
    EXPECT_EQ(find_holders(read_functions(paths).at(0), paths).size(), 1U);
    EXPECT_EQ(code(unbind_function(bdf, paths)), EBUSY);
}

TEST_F(HostTest, UnbindWaitsForNobody) {
    add("vfio-pci", "noiommu-vfio0");
    hold("/dev/vfio/devices/noiommu-vfio0");
    EXPECT_EQ(code(unbind_function(bdf, paths)), EBUSY);
    EXPECT_EQ(text_of(paths.sys / "bus/pci/drivers/vfio-pci/unbind"), "");
    fs::remove_all(paths.proc / "4711");
    EXPECT_OK(unbind_function(bdf, paths));
    EXPECT_EQ(text_of(paths.sys / "bus/pci/drivers/vfio-pci/unbind"), bdf);
    EXPECT_EQ(text_of(paths.sys / "bus/pci/drivers_probe"), bdf);
}

} // namespace
} // namespace iommufd::test
