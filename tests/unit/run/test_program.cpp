// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What examine() says of files in a folder, and that it does nothing else with them.

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "elf_image.hpp"
#include "program.hpp"

using namespace run;

namespace {

namespace fs = std::filesystem;

class ProgramTest : public testing::Test {
protected:
    ProgramTest() {
        std::string name = (fs::temp_directory_path() / "program-XXXXXX").string();
        if (mkdtemp(name.data()) != nullptr)
            folder = name;
    }
    ~ProgramTest() override { fs::remove_all(folder); }

    std::string add(const std::string &name, const std::string &content, mode_t mode = 0755) {
        const std::string path = folder / name;
        std::ofstream(path) << content;
        (void)chmod(path.c_str(), mode);
        return path;
    }
    std::string add(const std::string &name, const ElfImage &image) {
        const auto bytes = image.bytes();
        return add(name, std::string(bytes.begin(), bytes.end()));
    }

    fs::path folder;
    User me = *find_user("");
};

TEST_F(ProgramTest, KindsByContent) {
    const ElfImage dpdk{.entries = {{DT_NEEDED, "librte_eal.so.23"}}};
    const ElfImage plain{.entries = {{DT_NEEDED, "libc.so.6"}}};
    const ElfImage fixed{.entries = {}, .has_interpreter = false};
    const ElfImage inside{.entries = {{DT_NEEDED, "PMD_INFO_STRING= {"}}};
    EXPECT_EQ(examine(me, add("dpdk", dpdk)).kind, Kind::uses_shared_dpdk);
    EXPECT_EQ(examine(me, add("plain", plain)).kind, Kind::other);
    EXPECT_EQ(examine(me, add("static", fixed)).kind, Kind::static_elf);
    EXPECT_EQ(examine(me, add("inside", inside)).kind, Kind::static_dpdk);
    EXPECT_EQ(examine(me, add("script", "#!/bin/sh\n")).kind, Kind::other);
    EXPECT_EQ(examine(me, add("set-id", "#!/bin/sh\n", 04755)).kind, Kind::set_id);
    EXPECT_EQ(examine(me, add("empty", "")).kind, Kind::unreadable);
    EXPECT_EQ(examine(me, add("no-program", "#!/bin/sh\n", 0644)).kind, Kind::missing);
    EXPECT_EQ(examine(me, folder / "none").kind, Kind::missing);
    EXPECT_EQ(examine(me, folder).kind, Kind::missing);
}

TEST_F(ProgramTest, WhyAProgramCannotBeRun) {
    const auto says = [](Kind kind) {
        const auto ok = check_kind({"/opt/program", kind, {}}, "program");
        return ok ? "" : ok.error().message();
    };
    EXPECT_EQ(says(Kind::uses_shared_dpdk), "");
    EXPECT_EQ(says(Kind::other), "");
    EXPECT_EQ(says(Kind::missing), "there is no program 'program' that can be run");
    for (const Kind kind : {Kind::static_dpdk, Kind::static_elf, Kind::set_id,
                            Kind::file_capabilities, Kind::unreadable, Kind::unknown})
        EXPECT_TRUE(says(kind).starts_with("/opt/program ")) << says(kind);
    EXPECT_NE(says(Kind::file_capabilities).find("'setcap -r /opt/program'"), std::string::npos);
}

TEST_F(ProgramTest, PathIsSearchedInItsOrder) {
    (void)fs::create_directory(folder / "a");
    (void)fs::create_directory(folder / "b");
    (void)add("a/tool", "not a program", 0644);
    const std::string second = add("b/tool", "#!/bin/sh\n");
    const std::string before = getenv("PATH");
    const std::string path = (folder / "a").string() + ":" + (folder / "b").string();
    (void)setenv("PATH", path.c_str(), 1);
    const Program found = examine(me, "tool");
    (void)setenv("PATH", before.c_str(), 1);
    EXPECT_EQ(found.path, second);
    EXPECT_EQ(found.kind, Kind::other);
}

TEST_F(ProgramTest, FifosAndDevicesAreNoPrograms) {
    const std::string fifo = folder / "fifo";
    ASSERT_EQ(mkfifo(fifo.c_str(), 0755), 0);
    EXPECT_EQ(examine(me, fifo).kind, Kind::missing);
    (void)symlink("/dev/zero", (folder / "device").c_str());
    EXPECT_EQ(examine(me, folder / "device").kind, Kind::missing);
    // A library that is one does not stop the search.
    (void)add("program", ElfImage{.entries = {{DT_NEEDED, "libfifo.so"}, {DT_RUNPATH, folder}}});
    ASSERT_EQ(mkfifo((folder / "libfifo.so").c_str(), 0755), 0);
    EXPECT_EQ(examine(me, folder / "program").kind, Kind::other);
}

TEST_F(ProgramTest, HugeSparseFileIsNotReadForever) {
    const std::string path = add("sparse", ElfImage{.entries = {{DT_NEEDED, "libc.so.6"}}});
    ASSERT_EQ(truncate(path.c_str(), off_t{1} << 40), 0);
    EXPECT_EQ(examine(me, path).kind, Kind::unreadable);
}

TEST_F(ProgramTest, OtherUserSeesWhatHeMay) {
    if (getuid() != 0)
        GTEST_SKIP() << "only root can become another user";
    const User other{"65534", 65534, 65534, false};
    (void)chmod(folder.c_str(), 0755);
    EXPECT_EQ(examine(other, add("open", "#!/bin/sh\n", 0755)).kind, Kind::other);
    EXPECT_EQ(examine(other, add("mine", "#!/bin/sh\n", 0700)).kind, Kind::missing);
    EXPECT_EQ(examine(other, add("no-read", "#!/bin/sh\n", 0711)).kind, Kind::unreadable);
    EXPECT_TRUE(can_access(other, folder / "open", R_OK));
    EXPECT_FALSE(can_access(other, folder / "mine", R_OK));
}

} // namespace
