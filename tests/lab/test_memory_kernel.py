#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --memory 7168 --hugepages 256 --kernel-argument hugepagesz=1G --kernel-argument hugepages=0:1 --kernel-argument movablecore=1G
"""On a machine with a hugepage of 1 GiB, and with memory that the kernel may move (ZONE_MOVABLE;
its hugepages of 2 MiB lie there): pinning moves a page out, and the address is the new one."""

import contextlib
import glob
import os

from labtest import lab, memory, process, tap, telemetry, traffic
from labtest.dma import DmaAddresses
from labtest.peer import Peer
from labtest.sources import TxSources
from labtest.testpmd import Testpmd

FREE_GIGAPAGES = "/sys/devices/system/node/node0/hugepages/hugepages-1048576kB/free_hugepages"
FOLDER = "/run/hugepages-1g"
NODE = 0  # that has the hugepage of 1 GiB


def movable(addresses):
    """How many of these physical addresses lie in ZONE_MOVABLE."""
    zones = memory.movable_zones()
    tap.check(zones, "the kernel has no ZONE_MOVABLE: nothing is shown")
    return sum(first <= address < end for address in addresses for first, end in zones)


def movable_hugepages(pid):
    """How many hugepages of a process lie there."""
    return movable(memory.physical(pid, page)[0] for page in memory.hugepages_of(pid))


@contextlib.contextmanager
def mounted():
    """hugetlbfs with pages of 1 GiB, for EAL."""
    os.makedirs(FOLDER, exist_ok=True)
    process.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=1G", "hugetlbfs", FOLDER])
    try:
        yield FOLDER
    finally:
        process.kill_all()  # what is in use is not unmounted
        process.run(["umount", FOLDER])


def renew_hugepages():
    """Those of 2 MiB that were pinned are outside ZONE_MOVABLE for good; new ones lie in it."""
    for path in glob.glob("/sys/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages"):
        count = lab.read(path)
        lab.write(path, "0")
        lab.write(path, count)


def check_gigapage_is_free():
    tap.equal(lab.read(FREE_GIGAPAGES), "1", "free hugepages of 1 GiB")


@tap.test("pages of ZONE_MOVABLE leave it when they are pinned; their addresses are the new ones")
def pinned():
    renew_hugepages()
    program = DmaAddresses().start()
    for command, length in ((f"anon {8 << 20}", 8 << 20), ("hugepages 8", 8 * memory.HUGEPAGE)):
        va = program.at(command)
        before = memory.physical(program.pid, va, length)
        tap.check(movable(before) > 0, f"{command}: no page lies in ZONE_MOVABLE: nothing is shown")
        runs = program.runs(f"give {va:#x} {length}")
        after = memory.physical(program.pid, va, length)
        tap.equal(movable(after), 0, f"{command}: pages that can move when they are pinned")
        moved = sum(a != b for a, b in zip(before, after))
        tap.note(f"{command}: {moved} of {len(before)} pages of 4 KiB have another address")
        told = [dma + at for _, size, dma in runs for at in range(0, size, memory.PAGE)]
        tap.equal(told, after, f"{command}: addresses for devices")
    for va, length, dma in program.runs():
        tap.equal([dma + at for at in range(0, length, memory.PAGE)],
                  memory.physical(program.pid, va, length), f"EAL's memory at {va:#x}")
    tap.equal(movable_hugepages(program.pid), 0, "hugepages left there")
    tap.equal(program.quit(), 0, "exit status")
    lab.clean_up()


@tap.test("EAL in a hugepage of 1 GiB: one area, one GET_PA; every frame comes back")
def eal():
    check_gigapage_is_free()
    with mounted() as folder, Peer() as peer:
        # On one socket, so that one page is enough.
        program = Testpmd(["--lcores", "0@0,1@0", *lab.plugins(), "--no-pci",
                           *lab.allow(*lab.NICS), *lab.POOL_OPS, "--huge-dir", folder]).start()
        traffic.check(peer, program.wait_for_links())
        totals = telemetry.memory()
        told = {name: totals[name] for name in ("areas", "pages_1g", "pages_2m", "pages_4k",
                                                "map_calls", "get_pa_calls")}
        tap.equal(told, {"areas": 1, "pages_1g": 1, "pages_2m": 0, "pages_4k": 0, "map_calls": 1,
                         "get_pa_calls": 1}, "totals")
        tap.equal((totals["bytes_pinned"], totals["longest_run"], memory.pinned(program.pid)),
                  (memory.GIGAPAGE,) * 3, "bytes pinned, of the longest run, and of VmPin")
        tap.equal(program.quit(), 0, "exit status")
    check_gigapage_is_free()


@tap.test("an arena of 1 GiB takes the hugepage of 1 GiB; frames out of it, and out of hugepages "
          "that were moved when they were pinned")
def arena():
    with Peer() as peer:
        program = TxSources(in_memory=False)  # so EAL takes pages of 2 MiB
        tap.equal(movable_hugepages(program.pid), 0, "hugepages pinned where they cannot stay")
        for kind in ("pool", "malloc", "mapped"):
            program.check_frames(peer, kind)
        before = telemetry.memory()
        va, length = program.arena(NODE, 1024)
        tap.equal((length, lab.read(FREE_GIGAPAGES)), (memory.GIGAPAGE, "0"),
                  "bytes of the arena and free hugepages of 1 GiB")
        after = telemetry.memory()
        tap.equal(after["pages_1g"] - before["pages_1g"], 1, "pages of 1 GiB")
        tap.equal(after["map_calls"] - before["map_calls"], 1, "MAP calls")
        with telemetry.Telemetry() as connection:
            told = [area.page for area in telemetry.areas(connection) if area.va == va]
        tap.equal(told, [memory.GIGAPAGE], "page size by telemetry")
        tap.equal(memory.nodes_of(program.pid, [va, va + length - memory.PAGE]), [NODE] * 2,
                  "nodes of its ends")
        program.check_frames(peer, "taken")
        program.ask("destroy", "pool .*")
        program.ask("drop", "errno 0")
        check_gigapage_is_free()
        tap.equal(program.quit(), 0, "exit status")
        lab.clean_up()


tap.main()
