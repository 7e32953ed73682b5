// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a user's commands share, the processes that stay behind, and what a user cannot make root
// do to it.

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "broker.hpp"
#include "core/broker/client.hpp"
#include "mounts.hpp"
#include "namespace.hpp"
#include "user_folders.hpp"

using namespace run;

namespace {

namespace fs = std::filesystem;

uid_t owner_of(const fs::path &path) {
    struct stat st {};
    return lstat(path.c_str(), &st) == 0 ? st.st_uid : static_cast<uid_t>(-1);
}

bool soon(const std::function<bool()> &condition) {
    for (int i = 0; i < 500 && !condition(); ++i)
        usleep(10000);
    return condition();
}

// Runs in a child, whose mount namespace is its own; the test passes if it returns true.
bool in_child(const std::function<bool()> &work) {
    const pid_t child = fork();
    if (child == 0)
        _exit(work() ? 0 : 1);
    int status = -1;
    return waitpid(child, &status, 0) == child && status == 0;
}

class UserFoldersTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "folders-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
        ASSERT_EQ(chmod(name.c_str(), 0755), 0);
        if (getuid() != 0)
            GTEST_SKIP() << "only root can give anything away";
        home = folder / "home";
        fs::create_directory(home);
        ASSERT_EQ(chown(home.c_str(), user.uid, user.gid), 0);
        system = home / "huge";
        fs::create_directory(system);
        if (mount("none", system.c_str(), "hugetlbfs", 0, nullptr) < 0)
            GTEST_SKIP() << "no hugetlbfs can be mounted here";
        mounted = true;
        fs::create_directory(folder / "private");
        std::ofstream(folder / "private/file") << "root's";
    }
    void TearDown() override {
        if (mounted)
            (void)umount2(system.c_str(), MNT_DETACH);
        if (fs::exists(home.string() + "-away/huge"))
            (void)umount2((home.string() + "-away/huge").c_str(), MNT_DETACH);
        std::error_code error; // of a test that has failed with a mount left
        fs::remove_all(folder, error);
    }
    iommufd::Result<UserFolders> open(const User &who) {
        return UserFolders::open(who, {page}, state());
    }
    [[nodiscard]] std::string state() const { return folder / "state"; }
    [[nodiscard]] bool is_gone() const { return !fs::exists(state()); }

    static constexpr std::uint64_t page = 2 << 20;
    const User user{"65534", 65534, 65534, false};
    const User other{"1001", 1001, 1001, false};
    fs::path folder;
    fs::path home;   // the user's
    fs::path system; // a hugetlbfs of root's in it
    bool mounted = false;
};

TEST_F(UserFoldersTest, TwoUsersAtOnceAndTheLastOneRemovesHis) {
    auto first = open(user);
    ASSERT_TRUE(first) << first.error().message();
    auto second = open(user);
    auto third = open(other);
    ASSERT_TRUE(second && third);
    EXPECT_EQ(first->hugetlbfs(page), second->hugetlbfs(page));
    EXPECT_NE(first->hugetlbfs(page), third->hugetlbfs(page));
    for (const auto *one : {&*first, &*third}) {
        struct stat st {};
        ASSERT_EQ(stat(one->hugetlbfs(page).c_str(), &st), 0);
        EXPECT_EQ(st.st_uid, one == &*first ? user.uid : other.uid);
        EXPECT_EQ(st.st_mode & 0777, 0700U);
        EXPECT_EQ(owner_of(one->runtime()), st.st_uid);
    }
    EXPECT_EQ(owner_of(state()), 0U);
    EXPECT_EQ(owner_of(system), 0U) << "what was there has changed its owner";
    first->clean_up();
    EXPECT_TRUE(fs::exists(second->runtime()));
    second->clean_up();
    EXPECT_FALSE(fs::exists(second->runtime()));
    EXPECT_FALSE(fs::exists(second->hugetlbfs(page)));
    EXPECT_TRUE(fs::exists(third->runtime()));
    third->clean_up();
    EXPECT_TRUE(is_gone());
}

TEST_F(UserFoldersTest, WhatWasLeftGoesWithTheNextStart) {
    {
        auto killed = open(user);
        ASSERT_TRUE(killed);
        std::ofstream(killed->runtime() + "/file") << "of nobody";
        ASSERT_EQ(chown((killed->runtime() + "/file").c_str(), user.uid, user.gid), 0);
    }
    EXPECT_FALSE(is_gone()) << "this shows nothing";
    auto next = open(other);
    ASSERT_TRUE(next);
    EXPECT_FALSE(fs::exists(fs::path(state()) / "runtime-65534"));
    EXPECT_FALSE(fs::exists(fs::path(state()) / "hugetlbfs-65534-2048kB"));
    next->clean_up();
    EXPECT_TRUE(is_gone());
}

TEST_F(UserFoldersTest, LinksInTheRuntimeFolderAreNotFollowed) {
    auto folders = open(user);
    ASSERT_TRUE(folders);
    fs::create_directory_symlink(folder / "private", folders->runtime() + "/link");
    fs::create_directory(folders->runtime() + "/roots");
    folders->clean_up();
    EXPECT_TRUE(fs::exists(folder / "private/file"));
    // The user cannot remove what is root's in his folder, so neither does the launcher.
    fs::remove_all(state());
}

TEST_F(UserFoldersTest, FolderThatOthersWriteToIsRefused) {
    fs::create_directory(state());
    ASSERT_EQ(chmod(state().c_str(), 0777), 0);
    EXPECT_FALSE(open(user));
    fs::remove(state());
    fs::create_directory_symlink(folder / "private", state());
    EXPECT_FALSE(open(user));
    EXPECT_EQ(std::distance(fs::directory_iterator(folder / "private"), {}), 1);
}

TEST_F(UserFoldersTest, OwnHugetlbfsIsSeenByTheCommandAlone) {
    auto folders = open(user);
    ASSERT_TRUE(folders);
    const auto covered = [&] {
        return in_child([&] {
            return show_own_hugetlbfs(*folders, {{system, page}}) && owner_of(system) == user.uid &&
                   !fs::exists(system / "other") &&
                   owner_of(folders->hugetlbfs(page)) == 0; // unmounted there
        });
    };
    EXPECT_TRUE(covered());
    EXPECT_EQ(owner_of(system), 0U);
    EXPECT_EQ(owner_of(folders->hugetlbfs(page)), user.uid);
    // Two commands share it.
    std::ofstream(folders->hugetlbfs(page) + "/map_0").flush();
    EXPECT_TRUE(in_child([&] {
        return show_own_hugetlbfs(*folders, {{system, page}}) && fs::exists(system / "map_0");
    }));
    folders->clean_up();
    EXPECT_TRUE(is_gone());
}

TEST_F(UserFoldersTest, NothingButAHugetlbfsIsHidden) {
    auto folders = open(user);
    ASSERT_TRUE(folders);
    const auto is_covered = [&] {
        return !in_child([&] {
            return show_own_hugetlbfs(*folders, {{system, page}}) && owner_of(system) != user.uid &&
                   fs::exists(folder / "private/file");
        });
    };
    EXPECT_TRUE(is_covered()) << "this shows nothing";
    // The user puts a link to root's in the place of the mount point.
    fs::rename(home, home.string() + "-away");
    fs::create_directory(home);
    fs::create_directory_symlink(folder / "private", system);
    EXPECT_FALSE(is_covered());
    fs::remove(system);
    fs::create_directory(system);
    EXPECT_FALSE(is_covered());
    fs::remove(system);
    EXPECT_FALSE(is_covered());
    folders->clean_up();
}

TEST_F(UserFoldersTest, RootThatIsNoMountPointIsExplained) {
    auto folders = open(user);
    ASSERT_TRUE(folders);
    EXPECT_TRUE(in_child([&] {
        if (chroot(folder.c_str()) < 0 || chdir("/") < 0)
            return false;
        const auto shown = show_own_hugetlbfs(*folders, {{"/home/huge", page}});
        return !shown && shown.error().code == EINVAL &&
               shown.error().message().find("no mount point here, as in a chroot") !=
                   std::string::npos;
    }));
    folders->clean_up();
}

TEST_F(UserFoldersTest, BrokerAndJanitorEndWithTheSocket) {
    auto folders = open(user);
    ASSERT_TRUE(folders);
    iommufd::broker::Policy policy;
    policy.is_iommufd = [](int) { return false; };
    const auto socket = start_broker(policy, &*folders);
    ASSERT_TRUE(socket);
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a child of the command's is left";
    {
        iommufd::broker::BrokeredKernel kernel(iommufd::linux_kernel(), *socket);
        EXPECT_EQ(kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR), -ENXIO);
    }
    // As exec does it.
    folders = tl::make_unexpected(iommufd::Error{});
    const pid_t daemon = fork();
    if (daemon == 0) {
        usleep(300000);
        _exit(0);
    }
    (void)close(*socket);
    EXPECT_FALSE(is_gone()) << "the command's child still has the socket";
    EXPECT_EQ(waitpid(daemon, nullptr, 0), daemon);
    EXPECT_TRUE(soon([&] { return is_gone(); }));
}

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> found;
    for (const auto &entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos)
            continue;
        std::ifstream file(entry.path() / "stat");
        std::string text;
        (void)std::getline(file, text);
        int ppid = 0;
        if (const auto end = text.rfind(')');
            end != std::string::npos && std::sscanf(text.c_str() + end, ") %*c %d", &ppid) == 1 &&
            ppid == parent)
            found.push_back(std::stoi(name));
    }
    return found;
}

TEST_F(UserFoldersTest, KilledBrokerTakesNothingFromTheLivingCommand) {
    ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    auto folders = open(user);
    ASSERT_TRUE(folders);
    iommufd::broker::Policy policy;
    policy.is_iommufd = [](int) { return false; };
    const auto socket = start_broker(policy, &*folders);
    ASSERT_TRUE(socket);
    const std::string runtime = folders->runtime();
    folders = tl::make_unexpected(iommufd::Error{});
    const auto janitors = children_of(getpid());
    ASSERT_EQ(janitors.size(), 1U);
    ASSERT_TRUE(soon([&] { return children_of(janitors[0]).size() == 1; }));
    iommufd::broker::BrokeredKernel kernel(iommufd::linux_kernel(), *socket);
    EXPECT_EQ(kernel.open("/dev/vfio/devices/noiommu-vfio0", O_RDWR), -ENXIO);
    ASSERT_EQ(kill(children_of(janitors[0])[0], SIGKILL), 0);
    ASSERT_TRUE(soon([&] { return children_of(janitors[0]).empty(); }));
    EXPECT_EQ(kernel.open("/dev/iommu", O_RDWR), -EOWNERDEAD);
    usleep(50000);
    EXPECT_EQ(kernel.open("/dev/iommu", O_RDWR), -EOWNERDEAD) << "a new channel";
    EXPECT_EQ(owner_of(runtime), user.uid);
    (void)close(*socket);
    EXPECT_EQ(waitpid(janitors[0], nullptr, 0), janitors[0]);
    EXPECT_TRUE(is_gone());
    (void)prctl(PR_SET_CHILD_SUBREAPER, 0);
}

TEST_F(UserFoldersTest, StartAgainWhileTheJanitorCleans) {
    iommufd::broker::Policy policy;
    policy.is_iommufd = [](int) { return false; };
    for (int round = 0; round < 20; ++round) {
        auto folders = open(user);
        ASSERT_TRUE(folders) << folders.error().message();
        const auto socket = start_broker(policy, &*folders);
        ASSERT_TRUE(socket);
        folders = tl::make_unexpected(iommufd::Error{});
        auto second = open(user);
        (void)close(*socket);
        ASSERT_TRUE(second);
        usleep(1000 * (round % 5));
        EXPECT_EQ(owner_of(second->runtime()), user.uid);
        EXPECT_EQ(owner_of(second->hugetlbfs(page)), user.uid);
        second->clean_up();
    }
    EXPECT_TRUE(soon([&] { return is_gone(); }));
}

TEST_F(UserFoldersTest, MountsThatAreNoGoodAreNotOffered) {
    const auto offered = [&] {
        const auto all = hugetlbfs_mounts();
        return std::any_of(all.begin(), all.end(),
                           [&](const HugetlbfsMount &m) { return m.path == system; });
    };
    EXPECT_TRUE(offered());
    ASSERT_EQ(mount("none", system.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_FALSE(offered()) << "a tmpfs is over it";
    ASSERT_EQ(umount(system.c_str()), 0);
    ASSERT_EQ(mount("none", system.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_FALSE(offered()) << "it is read-only";
    EXPECT_EQ(unescape(R"(/mnt/a\040b\134c\04)"), R"(/mnt/a b\c\04)");
}

} // namespace
