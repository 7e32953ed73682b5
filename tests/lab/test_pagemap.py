#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 300
"""Our run opens no /proc/*/pagemap: the kernel's own count, and strace as second witness."""

import os
import shutil

from labtest import lab, process, tap, trace
from labtest.testpmd import Testpmd

LOG = "/tmp/labtest.strace"

# What a whole life of the process must not do: start, forward, take new memory, stop.
LIFE = ("start", "stop", "port stop all", "port start all")


def live(program):
    program.start()
    for command in LIFE:
        program.command(command)
    tap.equal(program.quit(), 0, "exit status of testpmd")


@tap.test("positive control: an open of pagemap is counted")
def own_open():
    with trace.PagemapOpens() as opens:
        tap.equal(opens.count(), 0, "opens before")
        for _ in range(3):
            os.close(os.open("/proc/self/pagemap", os.O_RDONLY))
        tap.equal(opens.count(), 3, "opens after three")


@tap.test("testpmd on iommufd opens pagemap 0 times")
def ours():
    with trace.PagemapOpens() as opens:
        live(Testpmd())
        tap.equal(opens.by(), [], "threads that opened pagemap")


@tap.test("positive control: stock testpmd on the vfio group opens it")
def stock():
    with trace.PagemapOpens() as opens:
        eal = ["-l", "0-1"] + [word for nic in lab.NICS for word in ("-a", nic)]
        live(Testpmd(eal))
        count = opens.count()
    tap.note(f"{count} opens by the stock run")
    tap.check(count > 1, f"stock testpmd opened pagemap {count} times")


def strace(*command):
    """A prefix that logs every open, by all threads."""
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-o", LOG, "-e", "trace=open,openat,openat2",
            *command]


def logged():
    """How many opens the last strace saw, and those of them that mention pagemap."""
    with open(LOG, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    os.unlink(LOG)
    return len(lines), [line for line in lines if "pagemap" in line]


@tap.test("strace of the same run sees no open of pagemap either")
def second_witness():
    if not shutil.which("strace"):
        raise tap.Skip("strace is not installed")
    process.run(strace("head", "-c", "8", "/proc/self/pagemap"))
    tap.equal(len(logged()[1]), 1, "control: opens of pagemap by head")

    live(Testpmd(prefix=strace()))
    opens, found = logged()
    tap.equal(found, [], "opens of pagemap")
    tap.check(opens > 100, f"strace saw only {opens} opens")


tap.main()
