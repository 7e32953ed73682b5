# SPDX-License-Identifier: BSD-3-Clause
"""Test files that print TAP: what they declare, and how their output counts.

A test file of the lab is executable and says in a comment of its first lines in what machine it
runs, with options of devtools/lab.sh:

    # lab: --nics 2 --peer

Three words of that line are for the file itself: `--timeout S` [120], `--all-plugins` if DPDK is to
load every plugin of its package (plugins.py), and `--apps` if `test.sh --apps` alone is to run it.

It prints a plan (`1..N`, first or last) and a line `ok NUMBER - NAME` or `not ok NUMBER - NAME` for
each test, with `# SKIP reason` behind it where it applies. Other output is shown if a test fails.

A line `# timeout` directly before a `not ok` says that the test waited for something that did not
come in its time. Only such a failure may be tried again.
"""

import re
import shlex

from report import FAILED, PASSED, SKIPPED

DEFAULT_TIMEOUT = 120
HEADER_LINES = 30
HEADER = re.compile(r"^\s*#\s*lab:(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\b\s*(.*))?", re.IGNORECASE)
POINT = re.compile(r"^(not )?ok\b\s*(\d+)?\s*-?\s*(.*?)(?:\s*#\s*(SKIP|TODO)\b\s*(.*))?$",
                   re.IGNORECASE)
TIMEOUT = "# timeout"
KEPT_OUTPUT = 40  # lines


class BadHeader(Exception):
    """A test file does not say in what machine it runs."""


class Header:
    """options: those of devtools/lab.sh."""

    def __init__(self, words):
        self.all_plugins = "--all-plugins" in words
        self.apps = "--apps" in words
        self.options = [word for word in words if word not in ("--all-plugins", "--apps")]
        self.timeout = DEFAULT_TIMEOUT
        if "--timeout" in self.options:
            at = self.options.index("--timeout")
            self.timeout = float(self.options[at + 1])
            del self.options[at:at + 2]


def header(path):
    """What a test file declares."""
    with open(path, encoding="utf-8") as file:
        for _, line in zip(range(HEADER_LINES), file):
            found = HEADER.match(line)
            if found:
                return Header(shlex.split(found[1]))
    raise BadHeader(f"{path} has no `# lab:` line")


class TapFile:
    """Counts the output of one test file."""

    def __init__(self, name, wanted, report):
        self.name = name
        self.report = report
        # If the file itself is wanted, then so is all that is in it.
        self.wanted = (lambda _: True) if wanted.matches(name) else wanted.matches
        self.plan = None
        self.points = 0
        self.counted = []
        self.timeouts = []  # the failures that were waits alone
        self.output = []
        self.last_time = 0.0

    def line(self, text, seconds=None):
        """One line of output, so many seconds after the file's start if that is known."""
        self.report.note(f"{self.name}: {text}")
        plan, point = PLAN.match(text), POINT.match(text)
        if plan:
            self.plan = int(plan[1])
            if self.plan == 0:
                self._result(SKIPPED, self.name, reason=plan[2] or "")
        elif point:
            self._point(point, seconds)
        else:
            self.output.append(text)

    def _point(self, point, seconds):
        failed, _, name, directive, reason = point.groups()
        self.points += 1
        name = f"{self.name}: {name or self.points}"
        directive = (directive or "").upper()
        if directive == "SKIP":
            outcome = SKIPPED
        else:
            outcome = FAILED if failed and directive != "TODO" else PASSED
        if failed and self.output and self.output[-1].strip() == TIMEOUT:
            self.timeouts.append(name)
        if self.wanted(name):
            took = None if seconds is None else seconds - self.last_time
            self._result(outcome, name, took, reason or "", self.output[-KEPT_OUTPUT:])
        self.last_time = seconds
        self.output = []

    def end(self, status, description, timed_out=False):
        """The file ended: what it promised and did not do counts as failed."""
        problem = None
        if self.plan is None:
            problem = "it printed no plan"
        elif self.points != self.plan:
            problem = f"it planned {self.plan} tests and reported {self.points}"
        elif status != 0 and not self.failures():
            problem = "every test passed"
        if problem:
            self.lost(f"{problem}, and {description}", timed_out)

    def lost(self, reason, timed_out=False):
        """It did not come to its own end."""
        if timed_out:
            self.timeouts.append(self.name)
        self._result(FAILED, self.name, reason=reason, output=self.output[-KEPT_OUTPUT:])

    def complained(self, lines):
        """The guest's kernel did, after the last test."""
        self._result(FAILED, f"{self.name}: the kernel after it", output=lines[:KEPT_OUTPUT],
                     reason="the guest's kernel complains")

    def only_timeouts(self):
        """Whether all that failed is what was waited for too short."""
        return set(self.failures()) <= set(self.timeouts)

    def withdraw(self):
        """It runs again from the start: what it has shown so far does not count."""
        for outcome, name in self.counted:
            self.report.withdraw(outcome, name)

    def _result(self, outcome, name, *rest, **named):
        self.report.result(outcome, name, *rest, **named)
        self.counted.append((outcome, name))

    def failures(self):
        return [name for outcome, name in self.counted if outcome == FAILED]
