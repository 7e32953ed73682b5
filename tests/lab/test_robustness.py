#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --debug-memory --timeout 300
"""Killed in the middle of traffic, started and stopped a hundred times, devices taken away and
given back: nothing is lost, left behind or left running."""

import os
import re
import struct
import time

from labtest import lab, memory, storm, tap
from labtest.peer import Peer
from labtest.process import Shared
from labtest.testpmd import Testpmd

BUS_MASTER = 1 << 2  # PCI command register, at 4 in configuration space
CYCLES = 100
ATTACH_CYCLES = 5


def is_bus_master(nic):
    with open(f"/sys/bus/pci/devices/{nic}/config", "rb") as file:
        return bool(struct.unpack_from("<H", file.read(6), 4)[0] & BUS_MASTER)


def traffic(peer, program):
    """Sends frames round between the two ports until testpmd stops."""
    program.commands("set promisc all off", "set fwd io", "start")
    own = program.mac(0)
    for i in range(32):
        peer.send(peer.frame(own, 60 + 40 * i))
    tap.equal(len(peer.receive(500)), 500, "frames seen on their way")


def check_forwarding(peer, program):
    """Frames through two ports, exactly as many as were sent."""
    program.wait_for_links().commands("set promisc all off", "set fwd mac",
                                      f"set eth-peer 1 {peer.mac}", "start")
    peer.drain()
    own = program.mac(0)
    frames = [peer.frame(own, 60 + 14 * i) for i in range(100)]
    for frame in frames:
        peer.send(frame)
    back = peer.receive(len(frames))
    program.command("stop")
    tap.equal(len(back), len(frames), "frames forwarded")
    tap.check([frame[12:] for frame in back] == [frame[12:] for frame in frames],
              "frames were changed on their way")


def check_released():
    for nic in lab.NICS:
        tap.equal(lab.holders(lab.cdev_of(nic)), set(), f"processes that hold {nic}")
        tap.check(not is_bus_master(nic), f"{nic} can still write to memory")


def killed_in_traffic(peer, options):
    program = Testpmd(lab.eal(extra=options)).start().wait_for_links()
    traffic(peer, program)
    tap.check(all(map(is_bus_master, lab.NICS)), "the NICs cannot write to memory in traffic?")
    program.kill()
    check_released()


@tap.test("kill -9 in traffic: DMA is off, no hugepage is lost, the next start is clean")
def kill():
    free = lab.hugepages_free()
    with Peer() as peer:
        killed_in_traffic(peer, ["--in-memory"])
        tap.equal(lab.hugepages_free(), free, "free hugepages after the kill, no files")

        killed_in_traffic(peer, [])  # leaves files in hugetlbfs, which the next start takes
        program = Testpmd().start()
        check_forwarding(peer, program)
        tap.equal(program.quit(), 0, "exit status of the next start")
        check_released()
        lab.clean_up()
        tap.equal(lab.hugepages_free(), free, "free hugepages in the end")
    lab.bind(lab.NICS[0], None)
    lab.bind(lab.NICS[0], "vfio-pci")


def possessions(program):
    """All that a process must have no more of after a cycle than before it."""
    zones = program.command("dump_memzone")
    return {
        "files": sorted(os.readlink(f"/proc/{program.pid}/fd/{number}")
                        for number in os.listdir(f"/proc/{program.pid}/fd")),
        "threads": memory.status(program.pid, "Threads"),
        "pinned": memory.pinned(program.pid),
        "hugepages": len(memory.hugepages_of(program.pid)),
        "memzones": sorted(re.findall(r"name:<([^>]*)>", zones)),
        "mbufs": re.findall(r"common_pool_count=(\d+)|total_cache_count=(\d+)",
                            program.command("dump_mempool")),
    }


def in_pools(have):
    """All mbufs that are in no queue: those in pools, and in caches of threads."""
    return sum(int(word) for pair in have["mbufs"] for word in pair if word)


def check_unchanged(before, after, what):
    """Where in a pool the mbufs are may differ."""
    tap.check(before["memzones"] and in_pools(before) and before["pinned"],
              f"nothing to compare: {before}")
    tap.equal(in_pools(after), in_pools(before), f"mbufs in pools {what}")
    tap.equal({**after, "mbufs": 0}, {**before, "mbufs": 0}, what)


# One for all that a single process can live through.
testpmd = Shared(lambda: Testpmd().start())


@tap.test(f"{CYCLES} port stops and starts leave nothing", limit=200)
def cycles():
    with Peer() as peer:
        program = testpmd()
        check_forwarding(peer, program)
        program.commands("port stop all", "port start all")
        before = possessions(program)
        start = time.monotonic()
        for _ in range(CYCLES):
            program.commands("port stop all", "port start all")
        tap.note(f"{CYCLES} cycles in {time.monotonic() - start:.1f} s")
        check_unchanged(before, possessions(program), f"after {CYCLES} cycles")
        check_forwarding(peer, program)


def detach(program, port, nic):
    program.commands(f"port stop {port}", f"port close {port}", f"device detach iommufd:{nic}")


def attach(program, nic):
    tap.contains(program.command(f"port attach iommufd:{nic}"), "is attached", "port attach")


@tap.test("a port closed and its device attached again, several times")
def attach_cycles():
    with Peer() as peer:
        program = testpmd()
        nic, before = lab.NICS[0], None
        for _ in range(ATTACH_CYCLES):
            detach(program, 0, nic)
            tap.equal(lab.holders(lab.cdev_of(nic)), set(), "processes that hold it when detached")
            tap.check(not is_bus_master(nic), "it can still write to memory when detached")
            attach(program, nic)
            program.command("port start 0")
            before = before or possessions(program)
        check_unchanged(before, possessions(program), f"after {ATTACH_CYCLES} cycles")
        check_forwarding(peer, program)


@tap.test("all devices away, memory migrated, devices back: no old address is used")
def moved_meanwhile():
    with Peer() as peer:
        program = testpmd()
        check_forwarding(peer, program)
        for port, nic in enumerate(lab.NICS):
            detach(program, port, nic)
        tap.equal(memory.pinned(program.pid), 0, "bytes pinned without a device")
        pages = memory.hugepages_of(program.pid)
        before = storm.frames(program.pid, pages)
        memory.move_to_other_node(program.pid, pages)
        after = storm.frames(program.pid, pages)
        # An address of before is an old one for all that the devices will be given.
        tap.check(pages, "it has no hugepages: nothing is shown")
        tap.equal(sum(a != b for a, b in zip(before, after)), len(pages), "hugepages that moved")
        for nic in lab.NICS:
            attach(program, nic)
        program.commands("port start all")
        check_forwarding(peer, program)
        tap.equal(program.quit(), 0, "exit status of testpmd")
        check_released()


tap.main()
