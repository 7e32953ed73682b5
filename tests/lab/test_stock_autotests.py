#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --timeout 240
"""DPDK's own tests of its memory (dpdk-test, package dpdk-dev) give over iommufd as uid 1000 what
they give the stock way as root."""

import functools
import shutil

from labtest import lab, process, stock, tap

PROGRAM = "dpdk-test"
NIC = lab.NICS[0]
PROMPT = "RTE>>"
AUTOTESTS = ["memory_autotest", "memzone_autotest", "external_mem_autotest", "mempool_autotest"]
LIMIT = 60  # seconds for each


def outcomes(prefix=()):
    """{test: ("OK", "Failed" or "SKIPPED", what it printed)}, of all in one process."""
    program = process.Process([*prefix, PROGRAM, "-l", "0-1", "-a", NIC])
    program.wait_for(PROMPT, 60)
    program.note_start()
    found = {}
    for autotest in AUTOTESTS:
        start = len(program.output)
        program.send(autotest + "\n")
        result = program.wait_for(r"Test (OK|Failed|SKIPPED)", LIMIT, start)
        program.wait_for(PROMPT, 30, result.end())
        found[autotest] = result[1], "\n".join(program.output[start:].splitlines()[-15:])
    program.send("quit\n")
    tap.equal(program.wait(30), 0, "exit status")
    return found


@functools.cache
def outcomes_of_both():
    if not shutil.which(PROGRAM):
        raise tap.Skip(f"{PROGRAM} (package dpdk-dev) is not installed")
    theirs = outcomes()
    stock.clean_up()
    return theirs, outcomes(stock.run(NIC))


def same(autotest):
    theirs, ours = outcomes_of_both()
    stock_result, (result, output) = theirs[autotest][0], ours[autotest]
    tap.note(f"{autotest}: {result}, the stock way {stock_result}")
    tap.equal(result, stock_result, f"{autotest}:\n{output}\nresult")
    if result == "SKIPPED":
        raise tap.Skip(f"dpdk-test itself skips {autotest}, both ways")
    tap.equal(result, "OK", f"{autotest}, both ways,")


# The first one waits for all of them.
for name in AUTOTESTS:
    tap.test(f"{name}: as the stock way", limit=220)(lambda test=name: same(test))

tap.main()
