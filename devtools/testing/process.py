# SPDX-License-Identifier: BSD-3-Clause
"""A child process whose output is read line by line until a deadline."""

import contextlib
import os
import selectors
import signal
import subprocess
import time

AUTOGROUP = "/proc/self/autogroup"  # of a session; between two sessions nice(1) alone says nothing
GRACE = 2  # seconds that orphans may hold the output open
DEATH = 20  # seconds that the kernel may take to end a killed process


class Run:
    def __init__(self, process, timeout):
        self.process = process
        self.timed_out = False
        self.ended = False  # the output has been read to its end
        self.status = None  # None too if the process cannot be killed
        self.allow(timeout)

    def allow(self, timeout):
        """It may go on for so many seconds from now; None is no limit."""
        self.timeout = timeout
        self._deadline = time.monotonic() + timeout if timeout else None

    def lines(self):
        """Lines of stdout and stderr, as they come; ends with the process or the deadline."""
        selector = selectors.DefaultSelector()
        output = self.process.stdout
        selector.register(output, selectors.EVENT_READ)
        held = b""
        while True:
            if selector.select(0.1):
                data = os.read(output.fileno(), 65536)
                if not data:
                    self.ended = True
                    break
                *complete, held = (held + data).split(b"\n")
                yield from (line.decode(errors="replace").rstrip("\r") for line in complete)
            elif self._deadline and time.monotonic() > self._deadline:
                self.timed_out = self.process.poll() is None
                break
            elif self.process.poll() is not None:
                soon = time.monotonic() + GRACE
                self._deadline = min(self._deadline or soon, soon)
        if held:
            yield held.decode(errors="replace")

    def describe(self):
        if self.status is None:
            return f"was stopped after {self.timeout:g} s and does not die of kill -9"
        if self.timed_out:
            return f"was stopped after {self.timeout:g} s"
        if self.status < 0:
            return f"died of {signal.Signals(-self.status).name}"
        return f"exited with status {self.status}"


def step_back():
    """Before a command in a session of its own: it gets what others leave of the processors. See
    sched(7)."""
    os.nice(19)
    with contextlib.suppress(OSError):  # this kernel does not group by session
        with open(AUTOGROUP, "w", encoding="ascii") as file:
            file.write("19")


@contextlib.contextmanager
def stream(command, timeout=None, **options):
    """Runs a command in a session of its own; nothing of that session survives the block."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True, **options)
    run = Run(process, timeout)
    try:
        yield run
    finally:
        if run.ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(GRACE)
        process.stdout.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            run.status = process.wait(DEATH)
