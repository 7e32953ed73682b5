# SPDX-License-Identifier: BSD-3-Clause
"""Runs the test files of tests/lab in virtual machines.

Files that ask for the same machine share one: each takes seconds to boot. Two machines run at once,
for one computes half of the time on two processors and waits for the rest: sleeps of stock drivers,
links that come up, frames that must not come. A machine on which a file was stopped, or whose kernel
has died, is given up, and the files that had not begun get another one. The file that was running
then has failed.

Nothing is tried again but what waited in vain: under emulation on a busy machine any wait can be
too short. That is a file of which nothing failed but such waits (tap.py), and a machine that did
not boot or stood still and whose kernel has nothing to say about it (status NO_ANSWER of
devtools/lab.sh). Each is tried once more, TRIES_AGAIN files at most: where more wait in vain it is
not chance. Data that differs, and a kernel that complains, are never tried again. The report
counts each try.
"""

import collections
import glob
import json
import os
import threading

import tap
from process import stream
from report import FAILED

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
LAB = os.path.join(TREE, "devtools/lab.sh")
TESTS = os.path.join(TREE, "tests/lab")
GUEST_RUNNER = os.path.join(HERE, "in_guest.py")
BOOT_TIME = 130  # seconds; the lab's own limit is below it
USERLAND_TIME = 900  # seconds until another suite's user space is there, the first time
SLACK = 100  # seconds beyond its own limit until a file in the guest is given up
KEPT_OUTPUT = 60  # lines
TRIES_AGAIN = 2  # files
AT_ONCE = 2  # machines
LAST_WORDS = 30  # seconds for a machine that is stopped
ROOM_FOR_ALL = 12 << 20  # KiB of free memory for that: the largest machine, and another one
COMPLAINED, NO_ANSWER = 123, 122  # statuses of devtools/lab.sh


# The main job of the plugins in a user space other than this machine's.
USERLAND_FILES = {"test_addresses.py", "test_bad_input.py", "test_forward.py", "test_icmpecho.py",
                  "test_memory_runtime.py", "test_ports.py"}


def free_memory():
    """KiB."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("MemAvailable:"))


class TestFile:
    def __init__(self, path):
        self.path = path
        self.name = f"lab/{os.path.basename(path)}"
        self.header = tap.header(path)
        self.tried_again = False

    def argument(self):
        """For in_guest.py."""
        plugins = "all" if self.header.all_plugins else "few"
        return f"{self.header.timeout}:{plugins}:{self.path}"

    def text(self):
        with open(self.path, encoding="utf-8") as file:
            return file.read()


class LabTests:
    """lab: what stands in for devtools/lab.sh; folder: where the test files are; userland: the
    user space that the build is for, in which the files of the plugins run that suit any; apps: those
    files that run when they are asked for, instead of those that always do."""

    def __init__(self, build, wanted, report, folder=TESTS, lab=LAB, userland="", apps=False):
        self.build = build
        self.userland = ["--userland", userland] if userland else []
        self.wanted = wanted
        self.report = report
        self.lab = lab
        self.files, self.broken = [], []
        self.tries_left = TRIES_AGAIN
        self._lock = threading.Lock()
        self._running = set()
        self._stopped = False
        self._error = None
        # Not Thread.join(): if a signal ends that, Python 3.11 takes the thread for ended.
        self._ended = threading.Semaphore(0)
        paths = (glob.glob(os.path.join(folder, f"test_*.{suffix}")) for suffix in ("py", "sh"))
        for path in sorted(path for some in paths for path in some):
            try:
                file = TestFile(path)
            except tap.BadHeader as error:
                self.broken.append(str(error))
                continue
            if userland and file.name.removeprefix("lab/") not in USERLAND_FILES:
                continue
            if file.header.apps != apps:
                continue
            # The name of a test is only known when it has run. It stands in the file's text.
            if wanted.matches(file.name) or wanted.pattern.strip("*") in file.text():
                self.files.append(file)

    def names(self):
        return [file.name for file in self.files]

    def run(self):
        for problem in self.broken:
            self.report.result(FAILED, problem)
        machines = collections.defaultdict(list)
        for file in self.files:
            machines[(*file.header.options, *self.userland)].append(file)
        # Those with most files first, so that the others fill up what is left at the end.
        waiting = collections.deque(sorted(machines.items(), key=lambda machine: -len(machine[1])))
        lanes = AT_ONCE if free_memory() >= ROOM_FOR_ALL else 1
        for _ in range(lanes):
            threading.Thread(target=self._run_lane, args=[waiting], daemon=True).start()
        try:
            while lanes:
                self._ended.acquire()
                lanes -= 1
        finally:
            self._stop()
            for _ in range(lanes):
                self._ended.acquire(timeout=LAST_WORDS)
        if self._error:
            raise self._error

    def _run_lane(self, waiting):
        try:
            while machine := self._next(waiting):
                self._run_machines(*machine)
        except Exception as error:  # pylint: disable=broad-except
            self._error = error
            self._stop()
        finally:
            self._ended.release()

    def _next(self, waiting):
        with self._lock:
            return waiting.popleft() if waiting and not self._stopped else None

    def is_stopped(self):
        return self._stopped

    def _run_machines(self, options, files):
        """One after another, until each file has run."""
        tried_again = False
        while files and not self._stopped:
            machine = _Machine(self, options, files)
            with self._lock:
                self._running.add(machine)
            try:
                files = machine.run(may_try_again=not tried_again)
            finally:
                with self._lock:
                    self._running.remove(machine)
            tried_again = tried_again or machine.never_ran()

    def _stop(self):
        """Ends the machines that run, if there are any."""
        with self._lock:
            self._stopped = True
            for machine in self._running:
                machine.stop()

    def may_try_again(self, file):
        """Takes one of the few tries, if there is one for this file."""
        with self._lock:
            if file.tried_again or not self.tries_left:
                return False
            file.tried_again = True
            self.tries_left -= 1
            return True


class _Machine:
    """One virtual machine and the files that it is to run."""

    def __init__(self, tests, options, files):
        self.tests = tests
        self.report = tests.report
        self.title = f"lab {' '.join(options)}"
        self.options = options
        self.files = {file.path: file for file in files}
        self.taps = {file.path: tap.TapFile(file.name, tests.wanted, tests.report)
                     for file in files}
        self.begun, self.ended = set(), set()
        self.complained = False
        self.said = []
        self.machine = None

    def never_ran(self):
        return not self.begun

    def stop(self):
        """From another thread."""
        if self.machine:
            self.machine.process.terminate()

    def run(self, may_try_again):
        """Returns the files that another machine has to run."""
        self.report.section(self.title)
        command = [self.tests.lab, "run", *self.options, "--env", f"LAB_BUILD={self.tests.build}",
                   "--", "/usr/bin/python3", "-sS", GUEST_RUNNER]
        command += [file.argument() for file in self.files.values()]
        limit = BOOT_TIME + (USERLAND_TIME if "--userland" in self.options else 0)
        with stream(command, timeout=limit, cwd=TREE) as self.machine:
            if self.tests.is_stopped():
                self.stop()
            for line in self.machine.lines():
                self._hear(line)
        if self.never_ran():
            return self._not_booted(may_try_again)
        again = [file for file in self.files.values() if file.path not in self.begun]
        again += [file for path, file in self.files.items()
                  if path in self.ended and self._try_again(file, self.taps[path].failures())]
        for path in self.begun - self.ended:
            again += self._lost(path)
        if self.begun == self.ended:
            self._check_end()
        return again

    def _hear(self, line):
        try:
            event = json.loads(line)
            path = event["file"]
            file = self.taps[path]
        except (ValueError, KeyError, TypeError):
            self.said.append(line)
            self.report.note(line)
            return
        self.begun.add(path)
        if "begin" in event:
            self.machine.allow(event["begin"] + SLACK)
        elif "line" in event:
            self.complained = self.complained or event["complaint"]
            file.line(event["line"], event["seconds"])
        elif "complaints" in event:
            self.complained = True
            file.complained(event["complaints"])
        elif "status" in event:
            self.ended.add(path)
            file.end(event["status"], event["description"], event["timeout"])

    def _timed_out(self):
        return self.machine.timed_out or self.machine.status == NO_ANSWER

    def _show_what_it_said(self):
        for line in self.said[-KEPT_OUTPUT:]:
            self.report.say(f"     | {line}")

    def _not_booted(self, may_try_again):
        if self._timed_out() and may_try_again:
            self._show_what_it_said()
            self.report.try_again(self.title)
            return list(self.files.values())
        for file in self.taps.values():
            file.lost(f"the lab {self.machine.describe()} before it began")
        self._show_what_it_said()
        return []

    def _try_again(self, file, failures, waited=True):
        """Whether a file that failed gets another try; then what it has shown does not count."""
        taps = self.taps[file.path]
        if not failures or not waited or not taps.only_timeouts() or \
                not self.tests.may_try_again(file):
            return False
        self.report.try_again(file.name, ["the whole file" if name == file.name else
                                          name.removeprefix(f"{file.name}: ") for name in failures])
        taps.withdraw()
        return True

    def _lost(self, path):
        """The machine ended before the file did. Returns the file if it gets another try."""
        self._show_what_it_said()
        if self._try_again(self.files[path], self.taps[path].failures() or ["the lab"],
                           waited=self._timed_out() and not self.complained):
            return [self.files[path]]
        self.taps[path].lost(f"the lab {self.machine.describe()} before it ended")
        return []

    def _check_end(self):
        """Every file has ended; then the machine has to end well too, unless the kernel's complaint
        has failed a test already."""
        status = self.machine.status
        if status == 0 or (status == COMPLAINED and self.complained):
            return
        reason = "the guest's kernel complains, but not during a test" if status == COMPLAINED \
            else f"it {self.machine.describe()}"
        self.report.result(FAILED, self.title, reason=reason, output=self.said[-KEPT_OUTPUT:])
