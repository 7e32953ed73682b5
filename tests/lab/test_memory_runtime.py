#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""Memory that a program takes and gives back while it runs: arenas on a NUMA node."""

import errno
import re

from labtest import lab, memory, tap, telemetry
from labtest.sources import TxSources

ARENA = 16 << 20


def hugepages_on(node, name="free"):
    return (f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/"
            f"{name}_hugepages")


@tap.test("an arena lies on the NUMA node it was asked for; where it does not fit, it says so")
def nodes():
    if memory.numa_nodes() < 2:
        raise tap.Skip("one NUMA node")
    program = TxSources()
    for node in (0, 1):
        va, length = program.arena(node, ARENA >> 20)
        tap.equal(length, ARENA, "bytes of the arena")
        pages = list(range(va, va + length, memory.HUGEPAGE))
        tap.equal(memory.nodes_of(program.pid, pages), [node] * len(pages), "nodes of its pages")
        with telemetry.Telemetry() as connection:
            tap.equal([each["node"] for each in telemetry.arenas(connection)], [-1, node],
                      "nodes of all arenas, by telemetry")
        tap.equal(memory.move_to_other_node(program.pid, pages), len(pages), "pages that stay")
        program.ask("drop", "errno 0")
        tap.equal(set(memory.hugepages_of(program.pid)) & set(pages), set(), "pages left of it")
    does_not_fit(program)
    tap.equal(program.quit(), 0, "exit status")


def does_not_fit(program):
    """Node 1 has half of the hugepages that the arena needs; the machine has enough."""
    free, pages = int(lab.read(hugepages_on(1))), ARENA // memory.HUGEPAGE
    total, pinned = int(lab.read(hugepages_on(1, "nr"))), memory.pinned(program.pid)
    with lab.parameter(hugepages_on(1, "nr"), str(total - free + pages // 2)):
        error = program.ask(f"arena 1 {ARENA >> 20}", r"errno (\d+)")
        tap.check(int(error[1]) in (errno.ENOMEM, errno.EFAULT), f"errno {error[1]}")
        said = re.search(r"not enough free hugepages on NUMA node 1: .*", program.output)
        tap.check(said is not None, program.output)
        tap.contains(said[0], f"{pages // 2} of 2 MiB,", "the log")
        tap.contains(said[0], f"where {pages} of 2 MiB are needed; raise {hugepages_on(1, 'nr')}",
                     "the log")
        tap.equal(int(lab.read(hugepages_on(1))), pages // 2, "free hugepages of the node")
        tap.equal(memory.pinned(program.pid), pinned, "bytes pinned")
        program.arena(-1, ARENA >> 20)
        program.ask("drop", "errno 0")


tap.main()
