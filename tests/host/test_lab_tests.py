#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
"""What the runner of the lab's tests counts, and what it tries again, without a lab: a script
stands in for devtools/lab.sh and says what each of its machines would."""

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from unittest import mock

from host_tap import Outcome, check, done

import in_guest
import kernel_log
import lab_tests
import plugins
import report as reports
import vm

FAKE_LAB = """#!/usr/bin/python3 -sS
import json, os, sys
folder = os.path.dirname(sys.argv[0])
with open(os.path.join(folder, "machines")) as file:
    machines = json.load(file)
with open(os.path.join(folder, "begun"), "a+") as file:
    file.write("x")
    file.seek(0)
    events, status = machines[len(file.read()) - 1]
for event in events:
    print(event, flush=True)
sys.exit(status)
"""
# Waits until there are two of it, and runs its files.
FAKE_PAIR = """#!/usr/bin/python3 -sS
import json, os, sys, time
folder = os.path.dirname(sys.argv[0])
open(os.path.join(folder, f"pair-{os.getpid()}"), "w").close()
deadline = time.monotonic() + float(os.environ["PAIR_LIMIT"])
while sum(name.startswith("pair-") for name in os.listdir(folder)) < 2:
    if time.monotonic() > deadline:
        sys.exit(1)
    time.sleep(0.02)
for argument in sys.argv:
    if argument.endswith(".py") and ":" in argument:
        path = argument.split(":")[2]
        for event in ({"begin": 10}, {"line": "1..1", "seconds": 0, "complaint": False},
                      {"line": "ok 1 - one", "seconds": 0, "complaint": False},
                      {"status": 0, "description": "it ended", "timeout": False}):
            print(json.dumps({"file": path, **event}), flush=True)
"""
# Says who it is, and stays.
FAKE_ENDLESS = """#!/bin/sh
echo $$ >>"$(dirname "$0")/endless"
exec sleep 60
"""
COMPLAINT = "WARNING: mm/slub.c:1 at nothing, CPU#0: sh/1"


def run(machines, names=("test_a.py",)):
    """machines: for each that is booted (what it says of (file, what), its status)."""
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            with open(os.path.join(folder, name), "w", encoding="ascii") as file:
                file.write("# lab: --nics 1\n")
        lab = os.path.join(folder, "lab.sh")
        with open(lab, "w", encoding="ascii") as file:
            file.write(FAKE_LAB)
        os.chmod(lab, 0o755)
        told = [[[line if name is None else json.dumps({"file": os.path.join(folder, name), **line})
                  for name, line in events], status] for events, status in machines]
        with open(os.path.join(folder, "machines"), "w", encoding="ascii") as file:
            json.dump(told, file)
        outcome = Outcome(lambda wanted, report: lab_tests.LabTests(
            "/build", wanted, report, folder=folder, lab=lab))
        with open(os.path.join(folder, "begun"), encoding="ascii") as file:
            outcome.machines = len(file.read())
        return outcome


def run_pair(folder, script, memory=lab_tests.ROOM_FOR_ALL, limit=20):
    """Two files that need different machines."""
    for number in "12":
        with open(os.path.join(folder, f"test_{number}.py"), "w", encoding="ascii") as file:
            file.write(f"# lab: --nics {number}\n")
    lab = os.path.join(folder, "lab.sh")
    with open(lab, "w", encoding="ascii") as file:
        file.write(script)
    os.chmod(lab, 0o755)
    with mock.patch.object(lab_tests, "free_memory", lambda: memory), \
            mock.patch.dict(os.environ, PAIR_LIMIT=str(limit)):
        return Outcome(lambda wanted, report: lab_tests.LabTests(
            "/build", wanted, report, folder=folder, lab=lab)).last()


def end_early(folder):
    """Ends a run as test.sh's signals do: what was running then, and has not ended."""
    begun = os.path.join(folder, "endless")

    def running():
        with contextlib.suppress(FileNotFoundError), open(begun, encoding="ascii") as file:
            return [pid for pid in file.read().split() if os.path.exists(f"/proc/{pid}")]
        return []

    def interrupt():
        deadline = time.monotonic() + 20
        while len(running()) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        seen.append(len(running()))
        os.kill(os.getpid(), signal.SIGTERM)

    seen, before = [], signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=interrupt).start()
    try:
        run_pair(folder, FAKE_ENDLESS)
    except SystemExit:
        seen.append("interrupted")
    finally:
        signal.signal(signal.SIGTERM, before)
    return seen + running()


def check_lanes():
    with tempfile.TemporaryDirectory() as folder:
        check("two machines run at once", run_pair(folder, FAKE_PAIR), ["2 passed, 0 failed"])
    with tempfile.TemporaryDirectory() as folder:
        alone = run_pair(folder, FAKE_PAIR, lab_tests.ROOM_FOR_ALL - 1, 0.5)
        check("but not without the memory for it", alone, ["1 passed, 1 failed"])
    with tempfile.TemporaryDirectory() as folder:
        check("both end with the run", end_early(folder), [2, "interrupted"])


def said(name, *lines, complaint=False):
    return [(name, {"line": line, "seconds": 1.0, "complaint": complaint}) for line in lines]


def began(name):
    return [(name, {"begin": 10})]


def ended(name, status=0, timeout=False):
    return [(name, {"status": status, "description": f"it exited with status {status}",
                    "timeout": timeout})]


def file_of(name, *lines, status=0):
    """One test file from its begin to its end; its plan is right."""
    points = sum(line.startswith(("ok", "not ok")) for line in lines)
    return began(name) + said(name, f"1..{points}", *lines) + ended(name, status)


def check_tries():
    good = file_of("test_a.py", "ok 1 - one", "ok 2 - frames")
    waited = file_of("test_a.py", "ok 1 - one", "# timeout", "not ok 2 - frames", status=1)
    once = run([(waited, 0), (good, 0)])
    check("a wait that ran out is tried again, counted and named", once.last(2),
          ["1 tried again after a timeout: lab/test_a.py (frames)", "2 passed, 0 failed"])
    twice = run([(waited, 0), (waited, 0)])
    check("but once", (twice.last(), twice.machines), (["1 passed, 1 failed"], 2))
    differs = file_of("test_a.py", "ok 1 - one", "# 1 byte differs", "not ok 2 - frames", status=1)
    once = run([(differs, 0)])
    check("data that differs is not tried again", (once.last(), once.machines, once.status),
          (["1 passed, 1 failed"], 1, 1))
    check("and nothing is said of tries", "tried again" in once.text, False)
    both = file_of("test_a.py", "# timeout", "not ok 1 - one", "not ok 2 - frames", status=1)
    check("nor beside a wait that ran out", run([(both, 0)]).last(), ["0 passed, 2 failed"])
    apart = file_of("test_a.py", "# timeout", "# and then", "not ok 1 - one", status=1)
    check("nor if the wait is not what failed", run([(apart, 0)]).machines, 1)
    names = [f"test_{letter}.py" for letter in "abc"]
    many = [event for name in names
            for event in file_of(name, "# timeout", "not ok 1 - frames", status=1)]
    again = [event for name in names[:2] for event in file_of(name, "ok 1 - frames")]
    most = run([(many, 0), (again, 0)], names)
    check("two files at most", (most.last(), most.machines), (["2 passed, 1 failed"], 2))
    stopped = began("test_a.py") + said("test_a.py", "1..2", "ok 1 - one") + \
        ended("test_a.py", -9, timeout=True)
    check("a file that was stopped at its limit is tried again",
          run([(stopped, 0), (good, 0)]).last(2),
          ["1 tried again after a timeout: lab/test_a.py (the whole file)", "2 passed, 0 failed"])
    skipped = file_of("test_a.py", "ok 1 - one", "ok 2 - two # SKIP not here")
    check("skips are counted", run([(skipped, 0)]).last(), ["1 passed, 0 failed, 1 skipped"])


def check_kernel():
    good = file_of("test_b.py", "ok 1 - fine")
    complained = began("test_a.py") + said("test_a.py", "1..1") + \
        said("test_a.py", f"# kernel: {COMPLAINT}", "not ok 1 - one", complaint=True) + \
        ended("test_a.py")
    outcome = run([(complained, lab_tests.COMPLAINED)])
    check("a test during which the kernel complains has failed, once",
          (outcome.last(), outcome.machines), (["0 passed, 1 failed"], 1))
    check("what it said is shown", any(COMPLAINT in line for line in outcome.lines))
    late = began("test_a.py") + said("test_a.py", "1..1", "ok 1 - one") + \
        [("test_a.py", {"complaints": [COMPLAINT]})] + ended("test_a.py")
    check("after its last test the file has failed", run([(late, lab_tests.COMPLAINED)]).failed(),
          ["lab/test_a.py: the kernel after it"])
    waited = began("test_a.py") + said("test_a.py", "1..1", "# timeout", "not ok 1 - one") + \
        [("test_a.py", {"complaints": [COMPLAINT]})] + ended("test_a.py", 1)
    check("a wait that ran out then is not tried again",
          run([(waited, lab_tests.COMPLAINED)]).machines, 1)
    quiet = file_of("test_a.py", "ok 1 - one")
    check("a complaint that no test has seen fails the lab",
          run([(quiet, lab_tests.COMPLAINED)]).failed(), ["lab --nics 1"])
    panic = began("test_a.py") + said("test_a.py", "1..2", "ok 1 - one") + \
        [(None, "  | Kernel panic - not syncing")]
    outcome = run([(panic, 125), (good, 0)], ["test_a.py", "test_b.py"])
    check("a panic fails its file, and the others get another machine",
          (outcome.failed(), outcome.last(), outcome.machines),
          (["lab/test_a.py"], ["2 passed, 1 failed"], 2))
    silent = began("test_a.py") + said("test_a.py", "1..1")
    outcome = run([(silent, lab_tests.NO_ANSWER), (quiet, 0)])
    check("a machine that stood still is tried again, and counted", outcome.last(2),
          ["1 tried again after a timeout: lab/test_a.py (the lab)", "1 passed, 0 failed"])
    outcome = run([([], lab_tests.NO_ANSWER), (quiet, 0)])
    check("so is one that did not boot", outcome.last(2),
          ["1 tried again after a timeout: lab --nics 1", "1 passed, 0 failed"])
    check("but once", run([([], lab_tests.NO_ANSWER)] * 2).last(), ["0 passed, 1 failed"])
    check("and not one that failed to", run([([], 125)]).machines, 1)


class FakeLog:
    """A kernel that says something once."""

    def __init__(self, *lines):
        self.lines = list(lines)

    def complaints(self):
        lines, self.lines = self.lines, []
        return lines


def check_attribution():
    kernel = FakeLog(COMPLAINT, "Call Trace:")
    lines = [text for line in ("# a note", "ok 1 - one # SKIP why", "ok 2 - two")
             for text in in_guest.judged(line, kernel)]
    check("the test that ends next has failed, and no other", lines,
          ["# a note", f"# kernel: {COMPLAINT}", "# kernel: Call Trace:", "not ok 1 - one",
           "ok 2 - two"])


def check_patterns():
    complaints = [
        "Kernel panic - not syncing: sysrq triggered crash", "Oops: 0000 [#1] SMP NOPTI", COMPLAINT,
        "kernel BUG at mm/usercopy.c:102!", "BUG: unable to handle page fault for address: 0",
        "BUG: sleeping function called from invalid context at mm/page_alloc.c:1",
        "BUG: soft lockup - CPU#1 stuck for 26s! [dpdk-testpmd:99]",
        "watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
        "INFO: task testpmd:123 blocked for more than 30 seconds.",
        "INFO: task sh:1 is blocked on a mutex likely owned by task sh:2.",
        "rcu: INFO: rcu_sched self-detected stall on CPU",
        "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
        "rcu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: {",
        "BUG: KASAN: slab-use-after-free in foo+0x1/0x2", "UBSAN: array-index-out-of-bounds in a.c:1:2",
        "pagealloc: memory corruption", "pagealloc: single bit error",
        "BUG kmalloc-64 (Not tainted): Poison overwritten", "FIX kmalloc-64: Restoring 0x1-0x2=0x6b",
        "BUG: Bad page state in process sh  pfn:12345",
        "general protection fault, probably for non-canonical address"]
    fine = [
        "vfio-pci 0000:01:00.0: Adding kernel taint for vfio-noiommu group on device",
        "vfio-pci 0000:01:00.0: vfio-noiommu device opened by user (dpdk-testpmd:99)",
        "Disabling lock debugging due to kernel taint", "igb 0000:01:00.0: enabling device",
        "mem auto-init: stack:off, heap alloc:off", "process '/bin/BUG' started", "sysrq: Show State",
        "clocksource: Switched to clocksource tsc-early", "rcu: Hierarchical RCU implementation."]
    check("what is a complaint", [line for line in complaints
                                  if not kernel_log.COMPLAINT.search(line)], [])
    check("and what is none", [line for line in fine if kernel_log.COMPLAINT.search(line)], [])


def check_plugins():
    names = [f"librte_{name}.so{version}" for name in ("net_e1000", "net_mlx5")
             for version in ("", ".23", ".23.0")]
    check("EAL finds what tests use, and the linker what programs are linked with",
          [name for name in plugins.links(names, "23.0") if "_net_e1000" in name or "mlx5" in name],
          ["librte_net_e1000.so.23", "librte_net_e1000.so.23.0", "librte_net_mlx5.so.23"])


def check_choice():
    """Which files a run has."""
    with tempfile.TemporaryDirectory() as folder:
        for name, words in (("always", "--nics 1"), ("asked", "--nics 1 --apps"),
                            ("forward", "--nics 2")):
            with open(os.path.join(folder, f"test_{name}.py"), "w", encoding="ascii") as file:
                file.write(f"# lab: {words}\n")

        def chosen(**how):
            tests = lab_tests.LabTests("/build", reports.Filter(None), None, folder=folder, **how)
            return tests.names(), [file.header.options for file in tests.files]

        check("a file with --apps is left out, and the word is none of the lab's",
              chosen(), (["lab/test_always.py", "lab/test_forward.py"],
                         [["--nics", "1"], ["--nics", "2"]]))
        check("unless it is asked for: then it is all there is", chosen(apps=True),
              (["lab/test_asked.py"], [["--nics", "1"]]))
        check("another user space has the plugins' files", chosen(userland="sid")[0],
              ["lab/test_forward.py"])


def check_hubs():
    machine = vm.Machine(kernel="k", nics=1, peer=True, extra_devices=[
        "igb,netdev=hub", "e1000e,netdev=hub1", "igb,mac=52:54:00:00:01:01,netdev=hub1,id=hub"])
    words = machine.command_line("i", "/j", "/c", {})
    check("devices of one's own on the hub, or on one of their own",
          [word for word in words if word.startswith("hubport") or ",netdev=hub" in word][4:],
          ["hubport,id=hub18,hubid=0", "igb,netdev=hub18,bus=port18",
           "hubport,id=hub19,hubid=1", "e1000e,netdev=hub19,bus=port19",
           "hubport,id=hub20,hubid=1",
           "igb,mac=52:54:00:00:01:01,netdev=hub20,id=hub,bus=port20"])


def main():
    check_tries()
    check_choice()
    check_hubs()
    check_lanes()
    check_kernel()
    check_attribution()
    check_patterns()
    check_plugins()
    done()


if __name__ == "__main__":
    sys.exit(main())
