// SPDX-License-Identifier: BSD-3-Clause
// Copyright(c) 2026 The dpdk-iommufd authors

// What a command line asks for, and what is wrong with one.

#include <string>
#include <vector>

#include <linux/capability.h>

#include <gtest/gtest.h>

#include "options.hpp"

using namespace run;

namespace {

iommufd::Result<Options> parse_words(std::vector<std::string> words) {
    words.insert(words.begin(), "dpdk-iommufd-run");
    std::vector<char *> argv;
    for (std::string &word : words)
        argv.push_back(word.data());
    return parse(static_cast<int>(argv.size()), argv.data());
}

std::string problem(const std::vector<std::string> &words) {
    const auto options = parse_words(words);
    return options ? "" : options.error().message();
}

TEST(Options, ACommandAndWhatItIsToHave) {
    const auto options =
        parse_words({"--user", "dpdk", "--device=01:00.0", "--device", "0000:02:00.0",
                     "--keep-capability", "net_admin", "--dry-run", "--", "testpmd", "--", "-i"});
    ASSERT_TRUE(options) << options.error().message();
    EXPECT_EQ(options->action, Action::run);
    EXPECT_EQ(options->user, "dpdk");
    EXPECT_EQ(options->devices, (std::vector<std::string>{"0000:01:00.0", "0000:02:00.0"}));
    EXPECT_EQ(options->kept_capabilities, std::vector<int>{CAP_NET_ADMIN});
    EXPECT_TRUE(options->dry_run);
    EXPECT_EQ(options->command, (std::vector<std::string>{"testpmd", "--", "-i"}));
}

TEST(Options, OtherActions) {
    EXPECT_EQ(parse_words({"--help"})->action, Action::help);
    EXPECT_EQ(parse_words({"--status", "--json"})->action, Action::status);
    EXPECT_EQ(parse_words({"--bind", "1:0.0"})->function, "0000:01:00.0");
    const auto server = parse_words(
        {"--serve=/run/a/b", "--user", "1", "--user", "2", "--group", "g", "--device", "01:00.0"});
    ASSERT_TRUE(server);
    EXPECT_EQ(server->action, Action::serve);
    EXPECT_EQ(server->socket, "/run/a/b");
    EXPECT_EQ(server->served_users, (std::vector<std::string>{"1", "2"}));
    EXPECT_TRUE(parse_words({"--connect", "/run/a/b", "--", "testpmd"})->connect);
}

TEST(Options, OneSentenceForEachMistake) {
    const struct {
        std::vector<std::string> words;
        std::string says;
    } mistakes[] = {
        {{}, "there is no command to run"},
        {{"testpmd"}, "testpmd: put '--' before the command"},
        {{"--nonsense", "--", "true"}, "unknown option '--nonsense'"},
        {{"--device", "--", "true"}, "--device needs a PCI address such as 0000:01:00.0"},
        {{"--device=eth0", "--", "true"}, "--device needs a PCI address such as 0000:01:00.0"},
        {{"--user"}, "--user needs the name or number of a user"},
        {{"--user", "a", "--user", "b", "--", "true"}, "--user once: a command runs as one user"},
        {{"--keep-capability", "CAP_NONSENSE", "--", "true"},
         "--keep-capability needs a name such as CAP_NET_ADMIN"},
        {{"--check", "--status"},
         "one of --check, --status, --bind, --unbind and --serve at a "
         "time"},
        {{"--check", "--", "true"}, "this runs no command: leave it out"},
        {{"--json", "--", "true"}, "--json goes with --check or --status"},
        {{"--serve", "socket", "--device", "01:00.0"},
         "--serve needs the path of a socket, which begins with a slash"},
        {{"--serve", "/a", "--connect", "/b"}, "one of --serve and --connect, once"},
        {{"--group", "g", "--", "true"}, "--group goes with --serve"},
    };
    for (const auto &mistake : mistakes)
        EXPECT_EQ(problem(mistake.words), mistake.says);
    for (const std::vector<std::string> &words : std::vector<std::vector<std::string>>{
             {"--serve", "/run/a"},
             {"--serve", "/run/a", "--device", "01:00.0", "--dry-run"},
             {"--connect", "/run/a", "--user", "a", "--", "true"},
             {"--keep-capability", "net_admin", "--", "true"}})
        EXPECT_NE(problem(words), "") << words.front();
}

} // namespace
