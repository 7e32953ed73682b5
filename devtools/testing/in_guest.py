# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: runs test files one after another, and says on stdout what they do,
one JSON object a line, for lab_tests.py on the host.

    in_guest.py TIMEOUT:PLUGINS:FILE...

PLUGINS is "few" or "all": what DPDK finds in its package's folder (plugins.py).

A test during which the guest's kernel complains has failed, whatever it says itself: its line of
TAP is turned into "not ok", with what the kernel said before it.
"""

import contextlib
import glob
import json
import os
import re
import signal
import sys
import time

from plugins import few_plugins
from process import stream

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lab"))
# pylint: disable-next=wrong-import-position
from kernel_log import KernelLog  # noqa: E402

POINT = re.compile(r"(?:not )?ok\b\s*(\d*)\s*-?\s*(.*?)(?:\s*#\s*(?:SKIP|TODO)\b.*)?$", re.IGNORECASE)


def say(**event):
    print(json.dumps(event), flush=True)


def processes():
    """All user processes but init."""
    found = set()
    for name in os.listdir("/proc"):
        if name.isdigit() and name != "1":
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{name}/exe"):
                    found.add(int(name))
    return found


def kill_new(known):
    """What a test file left running must not disturb the next one."""
    for number in processes() - known:
        with contextlib.suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def stuck():
    """Lines that tell which tasks wait in the kernel, uninterruptibly, and where."""
    lines = []
    for task in sorted(glob.glob("/proc/[0-9]*/task/[0-9]*")):
        with contextlib.suppress(OSError):
            with open(f"{task}/stat", encoding="utf-8", errors="replace") as file:
                name, rest = file.read().rsplit(")", 1)
            if rest.split()[0] == "D":
                with open(f"{task}/stack", encoding="ascii") as file:
                    lines += [f"stuck in the kernel: {name})", *file.read().splitlines()]
    return lines


def judged(line, kernel):
    """The line of a test file, and before it what the kernel complained about if it ends a test."""
    point = POINT.match(line)
    complaints = kernel.complaints() if point else []
    if not complaints:
        return [line]
    return [f"# kernel: {text}" for text in complaints] + [f"not ok {point[1]} - {point[2]}"]


def run(path, timeout, kernel):
    """Returns whether the machine is fit for the next file."""
    known = processes()
    begin = time.monotonic()
    say(file=path, begin=timeout)
    try:
        with stream([path], timeout=timeout) as child:
            for text in child.lines():
                lines = judged(text, kernel)
                for line in lines:
                    say(file=path, line=line, seconds=time.monotonic() - begin,
                        complaint=len(lines) > 1)
    except OSError as error:
        say(file=path, status=126, description=f"it could not be started: {error}", timeout=False)
        return True
    fit = not child.timed_out and child.status is not None and child.status >= 0
    if not fit:
        for line in stuck():
            say(file=path, line=f"# {line}", seconds=time.monotonic() - begin, complaint=False)
    kill_new(known)
    complaints = kernel.complaints()
    if complaints:
        say(file=path, complaints=complaints)
    say(file=path, status=child.status, description=f"it {child.describe()}",
        timeout=child.timed_out)
    # A file that was stopped or killed could not clean up after itself.
    return fit


def main():
    kernel = KernelLog()
    for argument in sys.argv[1:]:
        timeout, plugins, path = argument.split(":", 2)
        with few_plugins() if plugins == "few" else contextlib.nullcontext():
            fit = run(path, float(timeout), kernel)
        if not fit:
            break


if __name__ == "__main__":
    main()
