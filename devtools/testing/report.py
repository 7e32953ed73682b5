# SPDX-License-Identifier: BSD-3-Clause
"""What a run of the tests found: shown live, counted, and summed up in the last line. Several threads
may report: what one says of a test stays together."""

import fnmatch
import functools
import resource
import sys
import threading
import time

PASSED, FAILED, SKIPPED = "ok", "FAIL", "skip"
SLOWEST = 20  # tests


class Filter:
    """A substring, or a glob if it has * or ?; without one everything matches."""

    def __init__(self, pattern=None):
        self.pattern = pattern

    def matches(self, name):
        if not self.pattern:
            return True
        if any(sign in self.pattern for sign in "*?["):
            return fnmatch.fnmatchcase(name, self.pattern)
        return self.pattern in name


def computed():
    """Seconds that processors have worked for what has been run, which says more than the clock where
    others use them too."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def alone(method):
    """One thread at a time."""

    @functools.wraps(method)
    def locked(self, *arguments, **named):
        with self.lock:
            return method(self, *arguments, **named)

    return locked


class Report:
    def __init__(self, log):
        self.lock = threading.RLock()
        self.log = log
        self.counts = {PASSED: 0, FAILED: 0, SKIPPED: 0}
        self.failures = []
        self.tries_again = []
        self.times = []
        self.begin = time.monotonic()

    @alone
    def note(self, text):
        """Goes to the log only."""
        self.log.write(text + "\n")
        self.log.flush()

    @alone
    def say(self, text):
        print(text, flush=True)
        self.note(text)

    def section(self, text):
        self.say(f"--- {text}")

    @alone
    def result(self, outcome, name, seconds=None, reason="", output=()):
        """output: what the test printed, shown if it failed."""
        self.counts[outcome] += 1
        line = f"{outcome:4} {name}"
        if seconds is not None:
            self.took(seconds, name)
            line += f" ({seconds:.1f} s)"
        if reason:
            line += f": {reason}"
        self.say(line)
        if outcome == FAILED:
            self.failures.append(name)
            for text in output:
                self.say(f"     | {text}")

    @alone
    def took(self, seconds, name):
        """For the list of the slowest."""
        self.times.append((seconds, name))

    @alone
    def withdraw(self, outcome, name):
        self.counts[outcome] -= 1
        if outcome == FAILED:
            self.failures.remove(name)

    @alone
    def try_again(self, name, tests=()):
        """Something waited in vain and is tried once more; how it ends then counts."""
        text = name + (f" ({', '.join(tests)})" if tests else "")
        self.say(f"     tried again after a timeout: {text}")
        self.tries_again.append(text)

    def _show_slowest(self):
        slowest = sorted(self.times, reverse=True)[:SLOWEST]
        if slowest:
            self.section(f"the {len(slowest)} slowest tests:")
            for seconds, name in slowest:
                self.say(f"     {seconds:7.1f} s  {name}")

    def finish(self):
        """Returns the exit status. Its last line is what scripts read."""
        passed, failed, skipped = (self.counts[key] for key in (PASSED, FAILED, SKIPPED))
        self._show_slowest()
        if self.failures:
            self.section("failed:")
            for name in self.failures:
                self.say(f"     {name}")
        if not passed and not failed:
            self.say("no test was run")
        self.section(f"{time.monotonic() - self.begin:.0f} s, computing for {computed():.0f} s; log: "
                     f"{self.log.name}")
        sys.stderr.flush()
        if self.tries_again:
            self.say(f"{len(self.tries_again)} tried again after a timeout: "
                     f"{'; '.join(self.tries_again)}")
        self.say(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
        return 1 if failed or not passed else 0
