#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
"""How the runner counts what `meson test` says, on a project of scripts that end in every way."""

import os
import subprocess
import sys
import tempfile

from host_tap import Outcome, check, done

import beside
import meson_tests

# Lists and runs cases as a program of GoogleTest 1.12 does, and writes what it writes.
GTEST = """#!/usr/bin/python3 -sS
import os, sys
cases, status, dies = {cases}, {status}, {dies}
options = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:] if "=" in word)
if "--gtest_list_tests" in sys.argv:
    print("Suite.")
    for name in cases:
        print(" ", name)
    sys.exit()
if dies:
    os.abort()
wanted = options.get("gtest_filter", "*").split(":")
with open(options["gtest_output"].removeprefix("xml:"), "w") as file:
    file.write('<testsuites><testsuite name="Suite">')
    for name, inside in cases.items():
        if "*" in wanted or "Suite." + name in wanted:
            file.write(f'<testcase name="{{name}}" status="run" result="completed" time="0.25" '
                       f'classname="Suite">{{inside}}</testcase>')
    file.write("</testsuite></testsuites>")
sys.exit(status)
"""
FAILURE = '<failure message="x.cpp:1"><![CDATA[x.cpp:1\\nExpected 1]]></failure>'
PROJECT = "project('fake')\n"
# Then meson names the tests of all suites otherwise.
SECOND_SUITE = "test('other', find_program('./fine'), suite: ['other', 'slow'])\n"
TEST = "test('{0}', find_program('./{0}'), suite: 'unit', protocol: '{1}')\n"


def gtest(cases, status=0, dies=False):
    return "gtest", GTEST.format(cases=cases, status=status, dies=dies)


def tap(*lines, status=0):
    return "tap", "#!/bin/sh\n" + "".join(f"echo '{line}'\n" for line in lines) + f"exit {status}\n"


def plain(status):
    return "exitcode", f"#!/bin/sh\nexit {status}\n"


class Begun:
    """As the runner has what runs beside other tests."""

    def __init__(self, kind):
        self.beside = beside.Beside(kind)

    def run(self):
        self.beside.start()
        self.beside.run()
        self.beside.stop()


class Project:
    def __init__(self, folder, more, **tests):
        self.build = os.path.join(folder, "build")
        text = PROJECT
        for name, (protocol, script) in tests.items():
            path = os.path.join(folder, name)
            with open(path, "w", encoding="ascii") as file:
                file.write(script)
            os.chmod(path, 0o755)
            text += TEST.format(name, protocol)
        text += more
        with open(os.path.join(folder, "meson.build"), "w", encoding="ascii") as file:
            file.write(text)
        subprocess.run(["meson", "setup", self.build, folder], check=True,
                       stdout=subprocess.DEVNULL)

    def run(self, pattern=None):
        return Outcome(lambda wanted, report: meson_tests.MesonTests(
            self.build, "unit", wanted, report), pattern)

    def run_beside(self):
        return Outcome(lambda wanted, report: Begun(meson_tests.MesonTests(
            self.build, "unit", wanted, report)))


def broken():
    """Whether what cannot even begin is told to who waits for it."""
    kind = Begun(None)
    try:
        kind.beside.start()
        kind.beside.run()
    except AttributeError:
        return True
    return False


def main():
    with tempfile.TemporaryDirectory() as folder:
        project = Project(folder, SECOND_SUITE, **{
            "good": gtest({"one": "", "two": '<skipped message="not here"/>'}),
            "bad": gtest({"three": "", "four": FAILURE}, status=1),
            "late": gtest({"five": ""}, status=1),
            "dead": gtest({"six": "", "seven": ""}, dies=True),
            "points": tap("1..3", "ok 1 - a", "# why", "not ok 2 - b", "ok 3 - c # SKIP no", status=1),
            "short": tap("1..2", "ok 1 - a"),
            "fine": plain(0), "missing": plain(77), "wrong": plain(3)})
        outcome = project.run()
        check("every case, point and end is counted", outcome.last(), ["6 passed, 6 failed, 3 skipped"])
        check("what failed is named, with who died or failed after its cases", outcome.failed(),
              ["Suite.four", "dead", "late", "unit/points: b", "unit/short", "wrong"])
        check("why is shown", [text in outcome.text for text in ("Expected 1", "| # why")],
              [True, True])
        check("the slowest are named", "the 20 slowest" in outcome.text or
              "slowest tests" in outcome.text)
        again = project.run()
        check("what the last run has left is not counted", again.last(), outcome.last())
        check("beside other tests the same is counted", project.run_beside().last(), outcome.last())
        check("and a runner that fails is no success", broken())
        check("a case by its name", project.run("Suite.one").last(), ["1 passed, 0 failed"])
        check("cases of two programs by a glob", project.run("Suite.f*").last(), ["1 passed, 2 failed"])
        check("a file by its name", project.run("points").last(), ["1 passed, 1 failed, 1 skipped"])
        nothing = project.run("nothing of that name")
        check("nothing is no success", (nothing.last(), nothing.status), (["0 passed, 0 failed"], 1))
    done()


if __name__ == "__main__":
    sys.exit(main())
