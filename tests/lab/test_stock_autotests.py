#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --extra-device e1000e,netdev=hub --extra-device e1000,netdev=hub --extra-device virtio-net-pci,netdev=hub,disable-legacy=on --extra-device vmxnet3,netdev=hub --timeout 240
"""DPDK's own tests of its memory (dpdk-test, package dpdk-dev) give over iommufd as uid 1000 what
they give the stock way as root."""

import re
import shutil

from labtest import lab, process, stock, tap

PROGRAM = "dpdk-test"
NIC = lab.NICS[0]
PROMPT = "RTE>>"
LIMIT = 60  # seconds for each


def outcome(autotest, prefix=()):
    """"OK" or "Failed", and what it printed."""
    program = process.Process([*prefix, PROGRAM, "-l", "0-1", "-a", NIC])
    program.wait_for(PROMPT, 60)
    start = len(program.output)
    program.send(autotest + "\n")
    result = program.wait_for(r"Test (OK|Failed|SKIPPED)", LIMIT, start)[1]
    program.wait_for(PROMPT, 30, start)
    program.send("quit\n")
    program.wait(30)
    return result, "\n".join(program.output[start:].splitlines()[-15:])


def same(autotest):
    if not shutil.which(PROGRAM):
        raise tap.Skip(f"{PROGRAM} (package dpdk-dev) is not installed")
    stock_result, _ = outcome(autotest)
    stock.clean_up()
    result, output = outcome(autotest, stock.run(NIC))
    tap.note(f"{autotest}: {result}, the stock way {stock_result}")
    tap.equal(result, stock_result, f"{autotest}:\n{output}\nresult")
    tap.check(re.fullmatch("OK|SKIPPED", result), f"{autotest} failed both ways")


for name in ("memory_autotest", "memzone_autotest", "external_mem_autotest", "mempool_autotest"):
    tap.test(f"{name}: as the stock way", limit=2 * LIMIT + 30)(lambda test=name: same(test))

tap.main()
