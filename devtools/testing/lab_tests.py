# SPDX-License-Identifier: BSD-3-Clause
"""Runs the test files of tests/host here and those of tests/lab in virtual machines.

Files that ask for the same machine share one: each takes seconds to boot. If a machine
fails by itself (its kernel stands still or panics: the lab's status 125), its console is
shown and the file that was running gets a second machine, once: a test that brings the
kernel down does so again.

A lab file in which a test fails runs once more too, and counts then: under emulation on a busy
machine any wait can be too short. What failed stays on the screen, and the report names it again at
the end. Where more than SECOND_RUNS files fail it is not chance, and they count as they are.
"""

import collections
import glob
import json
import os
import time

import tap
from process import stream
from report import FAILED

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
GUEST_RUNNER = os.path.join(HERE, "in_guest.py")
BOOT_TIME = 130  # seconds; the lab's own limit is below it
USERLAND_TIME = 900  # seconds until another suite's user space is there, the first time
SLACK = 100  # seconds beyond its own limit until a file in the guest is given up
KEPT_OUTPUT = 60  # lines
SECOND_RUNS = 2  # files
LAB_FAILED = 125  # status of devtools/lab.sh


class TestFile:
    def __init__(self, path):
        self.path = path
        self.name = os.path.relpath(path, os.path.join(TREE, "tests"))
        self.place, self.options, self.timeout = tap.header(path)
        self.lost_before = False
        self.failed_before = False


class TapTests:
    """The test files of one folder below tests/: "host" or "lab"."""

    def __init__(self, folder, build, wanted, report):
        self.folder = folder
        self.build = build
        self.wanted = wanted
        self.report = report
        self.files, self.broken = [], []
        self.second_runs = SECOND_RUNS
        pattern = os.path.join(TREE, "tests", folder, "test_*")
        for path in sorted(glob.glob(pattern + ".py") + glob.glob(pattern + ".sh")):
            try:
                file = TestFile(path)
            except tap.BadHeader as error:
                self.broken.append(str(error))
                continue
            if self._chosen(file):
                self.files.append(file)

    def _chosen(self, file):
        if self.wanted.matches(file.name):
            return True
        # The name of a test is only known when it has run. It stands in the file's text.
        pattern = self.wanted.pattern.strip("*")
        with open(file.path, encoding="utf-8") as text:
            return pattern in text.read()

    def names(self):
        return [file.name for file in self.files]

    def run(self):
        for problem in self.broken:
            self.report.result(FAILED, problem)
        if self.folder == "host":
            self._run_here()
            return
        machines = collections.defaultdict(list)
        for file in self.files:
            machines[tuple(file.options)].append(file)
        for options, files in machines.items():
            while files:
                files = self._run_in_vm(options, files)

    def _run_here(self):
        if self.files:
            self.report.section("tests on this machine")
        for file in self.files:
            taps = tap.TapFile(file.name, self.wanted, self.report)
            begin = time.monotonic()
            with stream([file.path], timeout=file.timeout, cwd=TREE,
                        env={**os.environ, "LAB_BUILD": self.build}) as run:
                for line in run.lines():
                    taps.line(line, time.monotonic() - begin)
            taps.end(run.status, run.describe())

    def _run_in_vm(self, options, files):
        """Returns the files that need another machine: they failed here, or one before them left
        this one unfit."""
        self.report.section(f"lab {' '.join(options)}")
        command = [os.path.join(TREE, "devtools/lab.sh"), "run", *options,
                   "--env", f"LAB_BUILD={self.build}", "--", "/usr/bin/python3", "-sS", GUEST_RUNNER]
        command += [f"{file.timeout}:{file.path}" for file in files]
        waiting = {file.path: tap.TapFile(file.name, self.wanted, self.report) for file in files}
        said, begun, failed = [], set(), []
        limit = BOOT_TIME + (USERLAND_TIME if "--userland" in options else 0)
        with stream(command, timeout=limit, cwd=TREE) as run:
            for line in run.lines():
                try:
                    event = json.loads(line)
                    file = waiting[event["file"]]
                except (ValueError, KeyError, TypeError):
                    said.append(line)
                    self.report.note(line)
                    continue
                begun.add(event["file"])
                if "begin" in event:
                    run.allow(event["begin"] + SLACK)
                elif "line" in event:
                    file.line(event["line"], event["seconds"])
                elif "status" in event:
                    file.end(event["status"], event["description"])
                    if file.failures():
                        failed.append((event["file"], file))
                    del waiting[event["file"]]
        again = [file for file in files if begun and file.path not in begun]
        again += self._second_runs(files, failed)
        lost = [file for file in files
                if file.path in waiting and (file.path in begun or not begun)]
        for file in lost:
            if run.status == LAB_FAILED and begun and not file.lost_before:
                file.lost_before = True
                waiting[file.path].withdraw()
                again.insert(0, file)
                self.report.say(f"     the lab failed during {file.name}, which gets another machine:")
            else:
                waiting[file.path].lost(f"the lab {run.describe()} before it ended")
            for line in said[-KEPT_OUTPUT:]:
                self.report.say(f"     | {line}")
        if not lost and run.status != 0:
            self.report.result(FAILED, f"lab {' '.join(options)}", reason=f"it {run.describe()}",
                               output=said[-KEPT_OUTPUT:])
        return again

    def _second_runs(self, files, failed):
        """Those of the files that failed which may run once more."""
        again = []
        for path, taps in failed:
            file = next(file for file in files if file.path == path)
            if file.failed_before or self.second_runs == 0:
                continue
            file.failed_before = True
            self.second_runs -= 1
            self.report.say(f"     {file.name} runs once more")
            self.report.failed_before(taps.failures())
            taps.withdraw()
            again.append(file)
        return again
