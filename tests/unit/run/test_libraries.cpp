// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// The dynamic linker's way to a library, on files that are a map of names.

#include <map>

#include <gtest/gtest.h>

#include "elf_image.hpp"
#include "libraries.hpp"

using namespace run;

namespace {

using Entries = std::vector<std::pair<std::int64_t, std::string>>;

struct Files {
    std::map<std::string, std::vector<std::uint8_t>> files;
    std::size_t reads = 0;

    void add(const std::string &path, Entries entries) {
        files[path] = ElfImage{.entries = std::move(entries)}.bytes();
    }
    bool loads(const std::string &library_path = {}) {
        const LibrarySearch search{.read =
                                       [this](const std::string &path, const auto &look) {
                                           ++reads;
                                           const auto found = files.find(path);
                                           if (found == files.end())
                                               return false;
                                           look(Bytes(found->second));
                                           return true;
                                       },
                                   .library_path = library_path,
                                   .cache = "cache"};
        return search.loads("/opt/bin/program", "librte_eal.so");
    }
};

TEST(Libraries, NamedByTheProgramItselfNeedNotBeThere) {
    Files files;
    files.add("/opt/bin/program", {{DT_NEEDED, "libm.so.6"}, {DT_NEEDED, "librte_eal.so.23"}});
    EXPECT_TRUE(files.loads());
    files.add("/opt/bin/program", {{DT_NEEDED, "/opt/dpdk/librte_eal.so.24"}});
    EXPECT_TRUE(files.loads());
    files.add("/opt/bin/program", {{DT_NEEDED, "libm.so.6"}});
    EXPECT_FALSE(files.loads());
    files.files.clear();
    EXPECT_FALSE(files.loads());
}

TEST(Libraries, FoundWhereTheLinkerLooks) {
    struct Case {
        const char *name;
        std::int64_t tag;
        std::string path;
        std::string library_path;
        std::string at;
        bool in_cache;
    };
    for (const Case &c : {
             Case{"runpath", DT_RUNPATH, "/none:$ORIGIN/../lib", "", "/opt/bin/../lib", false},
             Case{"rpath", DT_RPATH, "${ORIGIN}", "", "/opt/bin", false},
             Case{"LD_LIBRARY_PATH", DT_RUNPATH, "", "/a:/b", "/b", false},
             Case{"cache", DT_RUNPATH, "", "", "/usr/local/lib", true},
             Case{"system", DT_RUNPATH, "", "", "/usr/lib", false},
         }) {
        Files files;
        Entries entries{{DT_NEEDED, "libuhd.so.4"}};
        if (!c.path.empty())
            entries.emplace_back(c.tag, c.path);
        files.add("/opt/bin/program", entries);
        files.add(c.at + "/libuhd.so.4", {{DT_NEEDED, "librte_eal.so.23"}});
        if (c.in_cache)
            files.files["cache"] = cache_image({{"libuhd.so.4", c.at + "/libuhd.so.4"}});
        EXPECT_TRUE(files.loads(c.library_path)) << c.name;
    }
}

TEST(Libraries, RunpathIsNotHandedOnAndRpathIs) {
    for (const auto &[tag, expected] : {std::pair{DT_RUNPATH, false}, {DT_RPATH, true}}) {
        Files files;
        files.add("/opt/bin/program", {{DT_NEEDED, "liba.so"}, {tag, "/opt/lib"}});
        files.add("/opt/lib/liba.so", {{DT_NEEDED, "libb.so"}});
        files.add("/opt/lib/libb.so", {{DT_NEEDED, "librte_eal.so.23"}});
        EXPECT_EQ(files.loads(), expected);
    }
}

TEST(Libraries, CyclesAndCrowdsEnd) {
    Files files;
    files.add("/opt/bin/program", {{DT_NEEDED, "liba.so"}});
    files.add("/lib/liba.so", {{DT_NEEDED, "libb.so"}});
    files.add("/lib/libb.so", {{DT_NEEDED, "liba.so"}});
    EXPECT_FALSE(files.loads());

    Files crowd;
    Entries entries;
    for (int i = 0; i < 1000; ++i)
        entries.emplace_back(DT_NEEDED, "lib" + std::to_string(i) + ".so");
    crowd.add("/opt/bin/program", entries);
    for (int i = 0; i < 1000; ++i) {
        Entries more;
        for (int j = 0; j < 100; ++j)
            more.emplace_back(DT_NEEDED, "lib" + std::to_string(i) + "-" + std::to_string(j));
        crowd.add("/lib/lib" + std::to_string(i) + ".so", more);
    }
    EXPECT_FALSE(crowd.loads());
    EXPECT_LT(crowd.reads, 20000U);
}

} // namespace
