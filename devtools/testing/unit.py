# SPDX-License-Identifier: BSD-3-Clause
"""Runs what meson registers as tests. A GoogleTest binary counts case by case."""

import copy
import json
import os
import re
import subprocess
import time

from process import stream
from report import FAILED, PASSED, SKIPPED

KEPT_OUTPUT = 40  # lines
SKIP_STATUS = 77  # meson's and automake's convention
GTEST_LINE = re.compile(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] ([^\s,]+/?\S*)(?: \((\d+) ms\))?")
OUTCOMES = {"OK": PASSED, "FAILED": FAILED, "SKIPPED": SKIPPED}


def meson_tests(build):
    """The tests registered with meson, without those of suite `lab`."""
    text = subprocess.run(["meson", "introspect", "--tests", build],
                          stdout=subprocess.PIPE, check=True).stdout
    return [test for test in json.loads(text)
            if not any(suite.split(":")[-1] == "lab" for suite in test["suite"])]


def gtest_cases(test):
    """Full names of the cases in a GoogleTest binary."""
    listing = subprocess.run(test["cmd"] + ["--gtest_list_tests"], env={**os.environ, **test["env"]},
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                             text=True, check=True, timeout=60).stdout
    cases, suite = [], ""
    for line in listing.splitlines():
        name = line.split("#")[0].rstrip()
        if not name or name.startswith("Running main"):
            continue
        if name.startswith(" "):
            cases.append(suite + name.strip())
        else:
            suite = name
    return [case for case in cases if "DISABLED_" not in case]


class UnitTests:
    """mark: stands before the names in the report; environment: for the programs."""

    def __init__(self, build, wanted, report, mark="", environment=None):
        self.wanted = wanted
        self.report = report
        self.mark = mark and f"{mark}: "
        self.environment = environment or {}
        self.tests = meson_tests(build)

    def of_suite(self, suite):
        """The same, but only tests of that suite."""
        some = copy.copy(self)
        some.tests = [test for test in self.tests
                      if suite in (name.split(":")[-1] for name in test["suite"])]
        return some

    def names(self):
        for test in self.tests:
            if test["protocol"] == "gtest":
                yield from (case for case in gtest_cases(test) if self.wanted.matches(case))
            elif self.wanted.matches(test["name"]):
                yield test["name"]

    def run(self):
        if not self.mark:
            self.report.section("unit tests")
        for test in self.tests:
            if test["protocol"] == "gtest":
                self._run_gtest(test)
            elif self.wanted.matches(test["name"]):
                self._run_plain(test)

    def _stream(self, test, arguments=()):
        return stream(test["cmd"] + list(arguments), cwd=test["workdir"],
                      env={**os.environ, **test["env"], **self.environment},
                      timeout=test["timeout"] if test["timeout"] > 0 else None)

    def _run_plain(self, test):
        begin, output = time.monotonic(), []
        with self._stream(test) as run:
            for line in run.lines():
                output.append(line)
                self.report.note(line)
        outcome = {0: PASSED, SKIP_STATUS: SKIPPED}.get(run.status, FAILED)
        self.report.result(outcome, self.mark + test["name"], time.monotonic() - begin,
                           run.describe() if outcome == FAILED else "", output[-KEPT_OUTPUT:])

    def _run_gtest(self, test):
        try:
            everything = gtest_cases(test)
        except (OSError, subprocess.SubprocessError) as error:
            self.report.result(FAILED, self.mark + test["name"], reason=f"cannot list its cases: {error}")
            return
        cases = [case for case in everything if self.wanted.matches(case)]
        while cases:
            cases = self._run_cases(test, cases, all_of_them=len(cases) == len(everything))

    def _run_cases(self, test, cases, all_of_them):
        """Runs the binary once. Returns the cases that it did not get to because it died."""
        waiting, current, output, failed = list(cases), None, [], False
        arguments = ["--gtest_color=no", "--gtest_print_time=1"]
        if not all_of_them:
            arguments.append("--gtest_filter=" + ":".join(cases))
        with self._stream(test, arguments) as run:
            for line in run.lines():
                self.report.note(line)
                found = GTEST_LINE.search(line)
                if not found or found[2] not in waiting:
                    output.append(line)
                elif found[1] == "RUN":
                    current, output = found[2], []
                else:
                    waiting.remove(found[2])
                    outcome = OUTCOMES[found[1]]
                    failed = failed or outcome == FAILED
                    reason = _skip_reason(output) if outcome == SKIPPED else ""
                    self.report.result(outcome, self.mark + found[2], int(found[3] or 0) / 1000,
                                       reason, output[-KEPT_OUTPUT:])
                    current, output = None, []
        if current in waiting:
            waiting.remove(current)
            self.report.result(FAILED, self.mark + current, reason=f"the binary {run.describe()}",
                               output=output[-KEPT_OUTPUT:])
            return waiting
        if waiting or (run.status != 0 and not failed):
            self.report.result(FAILED, self.mark + test["name"], output=output[-KEPT_OUTPUT:],
                               reason=f"it {run.describe()}, {len(waiting)} cases did not run")
        return []


def _skip_reason(output):
    """GTEST_SKIP prints "FILE:LINE: Skipped", then the reason."""
    text = [line for line in output if line.strip() and not line.rstrip().endswith("Skipped")]
    return text[0].strip() if text else ""
