// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// Owners change and come back, and a user who puts other things in the place of paths meanwhile
// changes nothing of root's.

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "grants.hpp"
#include "mounts.hpp"

using namespace run;

namespace {

namespace fs = std::filesystem;

uid_t owner_of(const fs::path &path) {
    struct stat st {};
    return lstat(path.c_str(), &st) == 0 ? st.st_uid : static_cast<uid_t>(-1);
}

class GrantsTest : public testing::Test {
protected:
    void SetUp() override {
        std::string name = (fs::temp_directory_path() / "grants-XXXXXX").string();
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
        ASSERT_EQ(chmod(name.c_str(), 0755), 0);
        if (getuid() != 0)
            GTEST_SKIP() << "only root can give anything away";
        fs::create_directory(folder / "home");
        ASSERT_EQ(chown((folder / "home").c_str(), user.uid, user.gid), 0);
        mount_point = folder / "home/huge";
        fs::create_directory(mount_point);
        if (mount("none", mount_point.c_str(), "hugetlbfs", 0, nullptr) < 0)
            GTEST_SKIP() << "no hugetlbfs can be mounted here";
        mounted = true;
        std::ofstream(folder / "secret") << "root's";
        fs::create_directory(folder / "private");
    }
    void TearDown() override {
        if (mounted)
            (void)umount2(mount_point.c_str(), MNT_DETACH);
        if (fs::exists(away))
            (void)umount2(away.c_str(), MNT_DETACH);
        fs::remove_all(folder);
    }

    // What a user can do with what is in his folder; a mount point goes with the folder above.
    void replace_mount_point() {
        fs::rename(folder / "home", folder / "home-away");
        away = folder / "home-away/huge";
        fs::create_directory(folder / "home");
        fs::create_directory_symlink(folder / "private", mount_point);
    }

    const User user{"65534", 65534, 65534, false};
    const User other{"1001", 1001, 1001, false};
    fs::path folder;
    fs::path mount_point; // below a folder of the user's
    fs::path away;        // where it went
    bool mounted = false;
    std::string runtime;

    [[nodiscard]] fs::path state() const { return folder / "state"; }
};

TEST_F(GrantsTest, GivesAndTakesBack) {
    {
        Grants grants(state());
        ASSERT_EQ(grants.take(user, mount_point, Grants::Kind::hugetlbfs), "");
        EXPECT_EQ(owner_of(mount_point), user.uid);
        Grants second(state());
        EXPECT_NE(second.take(other, mount_point, Grants::Kind::hugetlbfs).find("another user's"),
                  std::string::npos);
    }
    EXPECT_EQ(owner_of(mount_point), 0U);
    EXPECT_FALSE(fs::exists(state()));
}

TEST_F(GrantsTest, LinkInThePlaceOfTheMountIsNotFollowed) {
    {
        Grants grants(state());
        ASSERT_EQ(grants.take(user, mount_point, Grants::Kind::hugetlbfs), "");
        replace_mount_point();
        ASSERT_EQ(chown((folder / "private").c_str(), 12345, 12345), 0); // any third one
    }
    EXPECT_EQ(owner_of(folder / "private"), 12345U);
    EXPECT_EQ(owner_of(away), 0U) << "the mount has come back";
    Grants grants(state());
    EXPECT_NE(grants.take(user, mount_point, Grants::Kind::hugetlbfs), "");
    EXPECT_EQ(owner_of(folder / "private"), 12345U);
}

TEST_F(GrantsTest, RecordOfAKilledRunIsNotFollowedElsewhere) {
    const std::string path = mount_point;
    const auto record = [&] {
        std::string name = path;
        std::replace(name.begin(), name.end(), '/', '!');
        return state() / ("owner" + name);
    }();
    struct stat st {};
    ASSERT_EQ(stat(path.c_str(), &st), 0);
    const auto leave = [&](ino_t inode) {
        ASSERT_EQ(chown(path.c_str(), user.uid, user.gid), 0);
        fs::create_directory(state());
        std::ofstream(record) << "0 0 " << st.st_dev << " " << inode << " " << path;
    };
    leave(st.st_ino + 1);
    { Grants(state()).make_runtime_folder(user, &runtime); }
    EXPECT_EQ(owner_of(mount_point), user.uid) << "another inode was given to root";
    leave(st.st_ino);
    { Grants(state()).make_runtime_folder(user, &runtime); }
    EXPECT_EQ(owner_of(mount_point), 0U);
    EXPECT_FALSE(fs::exists(state()));
}

TEST_F(GrantsTest, OthersMountsAndOtherThingsAreLeftAlone) {
    Grants grants(state());
    ASSERT_EQ(chown(mount_point.c_str(), 107, 107), 0);
    EXPECT_EQ(grants.take(user, mount_point, Grants::Kind::hugetlbfs), "");
    EXPECT_EQ(owner_of(mount_point), 107U);
    EXPECT_NE(grants.take(user, folder / "private", Grants::Kind::hugetlbfs), "");
    EXPECT_NE(grants.take(user, folder / "secret", Grants::Kind::node), "");
    fs::create_symlink("/dev/null", folder / "link");
    EXPECT_NE(grants.take(user, folder / "link", Grants::Kind::node), "");
    EXPECT_EQ(owner_of(folder / "private"), 0U);
    EXPECT_EQ(owner_of(folder / "secret"), 0U);
    EXPECT_EQ(owner_of("/dev/null"), 0U);
}

TEST_F(GrantsTest, RuntimeFolderGoesWithoutItsLinksTargets) {
    std::string path;
    {
        Grants grants(state());
        ASSERT_EQ(grants.make_runtime_folder(user, &path), "");
        EXPECT_EQ(owner_of(path), user.uid);
        fs::create_directory(path + "/dpdk");
        fs::create_directory_symlink(folder / "private", path + "/dpdk/link");
        std::ofstream(folder / "private/file") << "root's";
        ASSERT_EQ(lchown((path + "/dpdk").c_str(), user.uid, user.gid), 0);
    }
    EXPECT_FALSE(fs::exists(path));
    EXPECT_TRUE(fs::exists(folder / "private/file"));
}

TEST_F(GrantsTest, FolderThatOthersWriteToIsRefused) {
    fs::create_directory(state());
    ASSERT_EQ(chmod(state().c_str(), 0777), 0);
    std::string path;
    EXPECT_NE(Grants(state()).make_runtime_folder(user, &path), "");
    fs::remove(state());
    fs::create_directory_symlink(folder / "private", state());
    EXPECT_NE(Grants(state()).make_runtime_folder(user, &path), "");
    EXPECT_TRUE(fs::is_empty(folder / "private"));
}

TEST_F(GrantsTest, MountsThatAreNoGoodAreNotOffered) {
    const auto offered = [&] {
        const auto all = hugetlbfs_mounts();
        return std::find(all.begin(), all.end(), mount_point) != all.end();
    };
    EXPECT_TRUE(offered());
    ASSERT_EQ(mount("none", mount_point.c_str(), "tmpfs", 0, nullptr), 0);
    EXPECT_FALSE(offered()) << "a tmpfs is over it";
    ASSERT_EQ(umount(mount_point.c_str()), 0);
    ASSERT_EQ(mount("none", mount_point.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_FALSE(offered()) << "it is read-only";
    EXPECT_EQ(unescape(R"(/mnt/a\040b\134c\04)"), R"(/mnt/a b\c\04)");
}

} // namespace
