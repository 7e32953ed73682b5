# SPDX-License-Identifier: BSD-3-Clause
"""A program on a terminal of its own: line-buffered output, as a person would see it."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import termios
import threading
import time

_running = []
startups = []  # seconds until a DPDK program was ready, of each


class Timeout(Exception):
    """What was waited for did not come."""


class Ended(Exception):
    """What was waited for cannot come any more."""


class Stuck(Exception):
    """kill -9 does not end it: no wait is too short for that."""


class Process:
    """Starts argv at once. Its stdout and stderr are one text, in self.output."""

    def __init__(self, argv, env=None, preexec=None):
        self.argv = [str(word) for word in argv]
        self.output = ""
        self._changed = threading.Condition()
        self._open = True
        self._terminal, slave = pty.openpty()
        attributes = termios.tcgetattr(slave)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, attributes)
        try:
            self._child = subprocess.Popen(
                self.argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                env={**os.environ, **(env or {})}, preexec_fn=preexec)
        finally:
            os.close(slave)
        self.pid = self._child.pid
        self._start = time.monotonic()
        self.shared = False  # to be used by the next test too
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _running.append(self)

    def _read(self):
        while True:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # EIO: the last one that had the terminal open is gone
                data = b""
            with self._changed:
                self.output += data.decode(errors="replace").replace("\r", "")
                self._open = bool(data)
                self._changed.notify_all()
            if not data:
                return

    def note_start(self):
        """Its start is over: counts it."""
        startups.append(time.monotonic() - self._start)

    def send(self, text):
        os.write(self._terminal, text.encode())

    def wait_for(self, pattern, timeout, start=0):
        """The match of a regular expression in the output from position start on; raises
        Ended or Timeout."""
        expression = re.compile(pattern)
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                match = expression.search(self.output, start)
                if match:
                    return match
                left = deadline - time.monotonic()
                if not self._open:
                    raise Ended(f"{self.argv[0]} ended and did not say {pattern!r}")
                if left <= 0:
                    raise Timeout(f"{self.argv[0]} did not say {pattern!r} in {timeout} seconds")
                self._changed.wait(left)

    def wait(self, timeout):
        """The exit status; negative if a signal ended it."""
        try:
            status = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Timeout(f"{self.argv[0]} did not end in {timeout} seconds") from None
        self._reader.join(timeout)
        self._forget()
        return status

    def is_running(self):
        return self._child.poll() is None

    def kill(self):
        """kill -9, and wait until the kernel has released everything it had."""
        if self.is_running():
            os.killpg(self.pid, signal.SIGKILL)
        try:
            self._child.wait(30)
        except subprocess.TimeoutExpired:
            raise Stuck(f"{self.argv[0]} did not die of kill -9 in 30 seconds; it is in the "
                        f"kernel:\n{self._kernel_stacks()}") from None
        self._reader.join(10)
        self._forget()

    def _kernel_stacks(self):
        stacks = ""
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/stack", encoding="ascii") as file:
                stacks += f"thread {task}:\n{file.read()}"
        return stacks

    def _forget(self):
        if self in _running:
            _running.remove(self)
            os.close(self._terminal)


class Shared:
    """A program that the tests of a file use one after another: called, it gives the one that runs,
    or starts it, as after a test that has failed."""

    def __init__(self, start):
        self._start = start
        self._program = None

    def __call__(self):
        if self._program is None or not self._program.is_running():
            self._program = self._start()
            self._program.shared = True
        return self._program


def run(argv, timeout=60, **options):
    """Runs a program to its end: (exit status, output)."""
    program = Process(argv, **options)
    return program.wait(timeout), program.output


def settled(read, wanted, quiet=2.0):
    """What read() gives once it is what is wanted, or has not changed for quiet seconds: a number
    that does not come is no wait in vain, but wrong."""
    value, deadline = read(), time.monotonic() + quiet
    while value != wanted and time.monotonic() < deadline:
        time.sleep(0.05)
        before, value = value, read()
        if value != before:
            deadline = time.monotonic() + quiet
    return value


def last_words(lines=25):
    """How the output of the programs that still run ends, for a failed test."""
    words = []
    for program in _running:
        words.append(f"--- {' '.join(program.argv)}")
        words += [line[:300] for line in program.output[-20000:].splitlines()[-lines:]]
    return words


@contextlib.contextmanager
def explained():
    """No program of the block outlives it; if it fails, their last words are printed."""
    try:
        yield
    except Exception:
        print(*last_words(), sep="\n", flush=True)
        raise
    finally:
        kill_all()


def kill_all(but_shared=False):
    for program in list(_running):
        if not (but_shared and program.shared and program.is_running()):
            program.kill()
