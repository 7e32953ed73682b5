// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Where the server's socket may be, whose it is, and what stays of it.

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "named_socket.hpp"

using namespace run;

namespace {

namespace fs = std::filesystem;

class NamedSocketTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "socket-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = fs::canonical(name);
    }
    void TearDown() override { fs::remove_all(folder); }

    iommufd::Result<NamedSocket> create(const std::string &name) {
        return NamedSocket::create(folder / name, {getuid(), getgid(), 0660}, folder);
    }
    [[nodiscard]] bool can_connect(const std::string &name) const {
        const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        (folder / name).string().copy(address.sun_path, sizeof(address.sun_path) - 1);
        const bool can =
            connect(fd, reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0;
        (void)close(fd);
        return can;
    }

    fs::path folder;
};

TEST_F(NamedSocketTest, HasItsModeFromTheBeginningAndGoesWithItsServer) {
    {
        const auto made = create("new/socket");
        ASSERT_TRUE(made) << made.error().message();
        struct stat st {};
        ASSERT_EQ(stat((folder / "new/socket").c_str(), &st), 0);
        EXPECT_EQ(st.st_mode & 0777, 0660U);
        ASSERT_EQ(stat((folder / "new").c_str(), &st), 0);
        EXPECT_EQ(st.st_mode & 0022, 0U);
        EXPECT_TRUE(can_connect("new/socket"));
        EXPECT_FALSE(create("new/socket")) << "it is served";
        EXPECT_TRUE(can_connect("new/socket"));
    }
    EXPECT_FALSE(fs::exists(folder / "new/socket"));
    EXPECT_FALSE(create("not/there/socket"));
}

TEST_F(NamedSocketTest, WhatNobodyServesIsReplacedAndNothingElse) {
    {
        auto killed = create("socket");
        ASSERT_TRUE(killed);
        fs::rename(folder / "socket", folder / "kept"); // so that its end leaves it
    }
    fs::rename(folder / "kept", folder / "socket");
    EXPECT_FALSE(can_connect("socket"));
    {
        const auto next = create("socket");
        ASSERT_TRUE(next) << next.error().message();
        EXPECT_TRUE(can_connect("socket"));
        // Another has taken its place.
        fs::rename(folder / "socket", folder / "kept");
        std::ofstream(folder / "socket") << "somebody's";
    }
    EXPECT_TRUE(fs::exists(folder / "socket"));
    EXPECT_FALSE(create("socket")) << "a file";
    fs::remove(folder / "socket");
    fs::create_symlink(folder / "elsewhere", folder / "socket");
    EXPECT_FALSE(create("socket")) << "a link";
    EXPECT_FALSE(fs::exists(folder / "elsewhere"));
}

TEST_F(NamedSocketTest, EveryFolderOnTheWayIsOfTheServersUser) {
    fs::create_directories(folder / "a/b");
    EXPECT_TRUE(create("a/b/socket"));
    ASSERT_EQ(chmod((folder / "a").c_str(), 01777), 0);
    const auto sticky = create("a/b/socket");
    ASSERT_FALSE(sticky);
    EXPECT_NE(sticky.error().message().find("others could put another"), std::string::npos);
    ASSERT_EQ(chmod((folder / "a").c_str(), 0775), 0);
    EXPECT_FALSE(create("a/b/socket")) << "a group's";
    ASSERT_EQ(chmod((folder / "a").c_str(), 0755), 0);
    EXPECT_TRUE(create("a/b/socket"));
    // A link is followed to where it leads, and that is looked at.
    fs::create_directory_symlink(folder / "a", folder / "link");
    EXPECT_TRUE(create("link/b/socket"));
    ASSERT_EQ(chmod((folder / "a").c_str(), 0777), 0);
    EXPECT_FALSE(create("link/b/socket"));
    ASSERT_EQ(chmod((folder / "a").c_str(), 0755), 0);
    if (getuid() != 0)
        GTEST_SKIP() << "only root can give anything away";
    ASSERT_EQ(chown((folder / "a").c_str(), 65534, 65534), 0);
    EXPECT_FALSE(create("a/b/socket")) << "another user's";
    EXPECT_FALSE(NamedSocket::create("/tmp/socket-of-a-test", {0, 0, 0600})) << "as it is";
    EXPECT_FALSE(fs::exists("/tmp/socket-of-a-test"));
}

// Who connects follows the links of the path as well: one that a user can exchange leads to his own
// socket when he likes.
TEST_F(NamedSocketTest, NoLinkOnTheWayIsAUsersToExchange) {
    fs::create_directories(folder / "roots/deeper");
    fs::create_directory(folder / "users");
    fs::create_directory_symlink("../roots", folder / "users/relative");
    fs::create_directory_symlink(folder / "roots", folder / "users/absolute");
    fs::create_directory_symlink("../users/relative", folder / "roots/of-a-link");
    for (const char *way : {"users/relative/s", "users/absolute/s", "roots/of-a-link/s",
                            "roots/../roots/of-a-link/deeper/s", "users/relative/new/s"})
        EXPECT_TRUE(create(way)) << way;
    ASSERT_EQ(chmod((folder / "users").c_str(), 0777), 0);
    for (const char *way : {"users/relative/s", "users/absolute/s", "roots/of-a-link/s"}) {
        const auto made = create(way);
        ASSERT_FALSE(made) << way;
        EXPECT_EQ(made.error().code, EPERM) << made.error().message();
    }
    EXPECT_FALSE(fs::exists(folder / "roots/s"));
    fs::create_directory_symlink("round", folder / "roots/round");
    const auto round = create("roots/round/s");
    ASSERT_FALSE(round);
    EXPECT_EQ(round.error().code, ELOOP);
}

TEST_F(NamedSocketTest, PathsThatAreNone) {
    for (const char *path : {"socket", "/", "/run/", "/run/.", "/run/..", ""})
        EXPECT_FALSE(NamedSocket::create(path, {getuid(), getgid(), 0600})) << path;
    EXPECT_FALSE(create(std::string(65, 'x')));
    EXPECT_TRUE(create(std::string(64, 'x')));
}

} // namespace
