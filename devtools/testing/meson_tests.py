# SPDX-License-Identifier: BSD-3-Clause
"""Runs a suite of `meson test` and counts what it says: of a GoogleTest program every case, from
meson's JUnit file; of a TAP program every point, and of any other its end, from meson's log.

Both files stay in the build folder, in meson-logs/, under the name of the suite.
"""

import json
import os
import re
import subprocess
import xml.etree.ElementTree

import tap
from process import step_back, stream
from report import FAILED, PASSED, SKIPPED

KEPT_OUTPUT = 40  # lines
OUTCOMES = {"OK": PASSED, "SKIP": SKIPPED, "EXPECTEDFAIL": PASSED}
PROGRESS = re.compile(r"\s*\d+/\d+ \S")  # a line of meson, for a test that has ended


def meson_tests(build, enter=()):
    """All that meson has registered."""
    text = subprocess.run([*enter, "meson", "introspect", "--tests", build],
                          stdout=subprocess.PIPE, check=True).stdout
    return json.loads(text)


def suites_of(test):
    return [name.split(":")[-1] for name in test["suite"]]


def gtest_cases(test, enter=()):
    """Full names of the cases in a GoogleTest binary."""
    listing = subprocess.run([*enter, *test["cmd"]] + ["--gtest_list_tests"], env={**os.environ, **test["env"]},
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


def text_of(test):
    """What the program of a test is written in, if that is text."""
    with open(test["cmd"][-1], "rb") as file:
        return file.read().decode(errors="ignore")


class MesonTests:
    """The tests of one suite. mark: stands before the names in the report and in the names of the
    files; environment: for the programs; patience: what meson multiplies its time limits by;
    beside: with what others leave of the processors; enter: the words before a command that is to
    run in the user space that the build is for."""

    def __init__(self, build, suite, wanted, report, mark="", environment=None, patience=2,
                 beside=False, enter=()):
        self.build = build
        self.suite = suite
        self.wanted = wanted
        self.report = report
        self.mark = mark and f"{mark}: "
        self.environment = environment or {}
        self.patience = patience
        self.prepare = step_back if beside else None
        self.process = None
        self.enter = list(enter)
        self.log = f"{mark or 'plain'}-{suite}"
        self.tests = [test for test in meson_tests(build, self.enter) if suite in suites_of(test)]

    def title(self, test):
        """A TAP program's name is its file's, as one of the lab's."""
        return f"{self.suite}/{test['name']}" if test["protocol"] == "tap" else test["name"]

    def _cases(self, test):
        """What the filter leaves of a GoogleTest program."""
        return [case for case in gtest_cases(test, self.enter) if self.wanted.matches(case)]

    def _chosen(self, test):
        if not self.wanted.pattern or self.wanted.matches(self.title(test)):
            return True
        return test["protocol"] == "tap" and self.wanted.pattern.strip("*") in text_of(test)

    def names(self):
        for test in self.tests:
            if test["protocol"] == "gtest":
                yield from self._cases(test)
            elif self._chosen(test):
                yield self.title(test)

    def run(self):
        programs = [test for test in self.tests if test["protocol"] == "gtest"]
        others = [test for test in self.tests if test["protocol"] != "gtest" and self._chosen(test)]
        if not self.wanted.pattern:
            self._run(programs + others, self.log)
            return
        cases = {test["name"]: self._cases(test) for test in programs}
        programs = [test for test in programs if cases[test["name"]]]
        filters = sorted({case for some in cases.values() for case in some})
        self._run(programs, f"{self.log}-cases", [f"--test-args=--gtest_filter={':'.join(filters)}"])
        self._run(others, self.log)

    def _run(self, tests, log, arguments=()):
        if not tests:
            return
        self.report.section(f"meson test --suite {self.suite}" + (f" ({self.mark[:-2]})"
                                                                 if self.mark else ""))
        for test in tests:  # a result of the last time must not be taken for today's
            self._remove(os.path.join(test["workdir"] or self.build, f"{test['name']}.xml"))
        for suffix in ("json", "junit.xml"):
            self._remove(self._log_file(log, suffix))
        command = [*self.enter, "meson", "test", "-C", self.build, "--no-rebuild", "--logbase", log,
                   "--timeout-multiplier", str(self.patience), *arguments,
                   *(test["name"] for test in tests)]
        environment = {**os.environ, "LAB_BUILD": self.build, **self.environment}
        said = []
        with stream(command, cwd=self.build, env=environment, preexec_fn=self.prepare) as run:
            self.process = run.process
            for line in run.lines():
                said.append(line)
                if PROGRESS.match(line):
                    self.report.say(f"     {line.strip()}")
                else:
                    self.report.note(line)
        self._count(tests, log, run, said[-KEPT_OUTPUT:])

    def stop(self):
        """From another thread: the rest of the suite fails."""
        if self.process:
            self.process.terminate()

    def _log_file(self, log, suffix):
        return os.path.join(self.build, "meson-logs", f"{log}.{suffix}")

    @staticmethod
    def _remove(path):
        if os.path.exists(path):
            os.unlink(path)

    def _count(self, tests, log, run, said):
        try:
            with open(self._log_file(log, "json"), encoding="utf-8") as file:
                ended = [json.loads(line) for line in file]
            cases = cases_by_test(self._log_file(log, "junit.xml"))
        except (OSError, ValueError, xml.etree.ElementTree.ParseError) as error:
            self.report.result(FAILED, f"{self.mark}meson test", output=said,
                               reason=f"it {run.describe()}: {error}")
            return
        logs = {entry["name"].split(" / ")[-1]: entry for entry in ended}
        for test in tests:
            entry = logs.get(test["name"])
            if entry is None:
                self.report.result(FAILED, self.mark + test["name"],
                                   reason=f"it was not run; meson {run.describe()}")
            elif test["protocol"] == "gtest":
                self._count_cases(test, entry, cases.get(test["name"], []))
            elif test["protocol"] == "tap":
                self._count_points(test, entry)
            else:
                self._count_end(test, entry)

    def _count_cases(self, test, entry, cases):
        failed = False
        for case in cases:
            if case.get("status") == "notrun":  # disabled
                continue
            outcome, reason, output = judged(case)
            failed = failed or outcome == FAILED
            self.report.result(outcome, f"{self.mark}{case.get('classname')}.{case.get('name')}",
                               float(case.get("time", 0)), reason, output)
        # It died, or failed outside of its cases.
        if not failed and (entry["result"] not in OUTCOMES or not cases):
            self._count_end(test, {**entry, "result": f"{entry['result']}, {len(cases)} cases"})

    def _count_points(self, test, entry):
        points = tap.TapFile(self.title(test), self.wanted, self.report)
        for line in entry["stdout"].splitlines():
            points.line(line)
        points.output += entry.get("stderr", "").splitlines()
        points.end(entry["returncode"], ending(entry))
        self.report.took(entry["duration"], self.title(test))

    def _count_end(self, test, entry):
        outcome = OUTCOMES.get(entry["result"], FAILED)
        output = (entry["stdout"] + entry.get("stderr", "")).splitlines()
        self.report.result(outcome, self.mark + test["name"], entry["duration"],
                           ending(entry) if outcome == FAILED else "", output[-KEPT_OUTPUT:])


def ending(entry):
    return f"it ended with status {entry['returncode']} ({entry['result']})"


def cases_by_test(path):
    """Of meson's JUnit file the <testcase> elements, by the name of the GoogleTest program."""
    found = {}
    for suite in xml.etree.ElementTree.parse(path).getroot().findall("testsuite"):
        # PROJECT.TEST.SUITE of the program; where meson knows several suites, its own are in it
        # too: PROJECT.PROJECT:SUITE+SUITE / TEST.SUITE.
        _, _, test = suite.get("name").partition(".")
        found.setdefault(test.split(" / ")[-1].split(".")[0], []).extend(suite.findall("testcase"))
    return found


def judged(case):
    """(outcome, reason, output) of a <testcase>."""
    skipped, failures = case.find("skipped"), case.findall("failure") + case.findall("error")
    if failures:
        text = "\n".join(failure.text or failure.get("message", "") for failure in failures)
        return FAILED, "", text.splitlines()[-KEPT_OUTPUT:]
    if skipped is not None:
        return SKIPPED, " ".join((skipped.get("message") or "").split()), ()
    return PASSED, "", ()
