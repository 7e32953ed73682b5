#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 420
"""The proof: what migration does to DPDK with physical addresses from pagemap, and does not do
to this project. The same traffic, the same migration, and canaries: a process without any device
takes the hugepages that the kernel has got back, and looks whether somebody writes into them.

devtools/migration.sh runs this as a demonstration."""

import dataclasses
import os
import re
import time

from labtest import lab, memory, storm, tap, traffic
from labtest import peer as peers
from labtest.canary import Canaries
from labtest.peer import Peer
from labtest.testpmd import Testpmd

FRAMES = 64
ALL_BUFFERS = 2048  # frames that take a pool of 4096 buffers beyond its first page
CANARIES = 48  # hugepages; the kernel hands those first out that it has got back last
BYSTANDER = 8  # hugepages of a process that has no device
MARK = b"this frame was sent to a NIC, not to the process that found it"


def stock():
    """testpmd as distributed, on the vfio group; DPDK's own driver and pool."""
    return ["-l", "0-1"] + [word for nic in lab.NICS for word in ("-a", nic)]


def marked(peer, own):
    return peer.frame(own, 600, payload=(MARK * 10)[:586])


def take_free_pages(nodes):
    """Canaries in what the kernel would hand out next; at least one."""
    canaries = [Canaries(node, min(memory.free_hugepages(node), CANARIES)) for node in nodes
                if memory.free_hugepages(node)]
    tap.check(canaries, f"no hugepage is free on nodes {nodes}: nobody could see who writes there")
    return canaries


@dataclasses.dataclass
class Trial:
    """What has become of frames, hugepages and canaries."""
    before: int = 0  # frames that came back right
    after: int = 0
    pages: int = 0  # hugepages of the process
    moved: int = 0  # those that the last migration has moved
    wandered: int = 0  # those that any has
    changed: int = 0  # hugepages of the canaries that were written to


def migrate(pid, result):
    """All of a process to one node and on to the other."""
    pages = memory.hugepages_of(pid)
    first = storm.frames(pid, pages)
    storm.migratepages(pid, 1)
    gathered = storm.frames(pid, pages)
    result.moved, result.pages = storm.migrate(pid, 0)
    result.wandered = sum(len(set(way)) > 1
                          for way in zip(first, gathered, storm.frames(pid, pages)))
    tap.note(f"{result.moved} of {result.pages} hugepages were migrated")


def trial(eal):
    result = Trial()
    with Peer() as peer:
        program = Testpmd(eal).start()
        own = traffic.prepare(peer, program)
        result.before = traffic.round_trip(peer, own, FRAMES)
        migrate(program.pid, result)
        canaries = take_free_pages((0, 1))
        peer.drain()
        sender = peers.mac_bytes(peer.mac) + peers.mac_bytes(program.mac(1))
        frame = marked(peer, own)
        for _ in range(FRAMES):
            peer.send(frame)
        # As they are to come back: what was written into memory that moved is lost.
        result.after = peer.receive(FRAMES, quiet=2.0).count(sender + peers.body(frame))
        result.changed = sum(each.holding(MARK)[1] for each in canaries)
        tap.note(f"frames forwarded: {result.before} before, {result.after} after; "
                 f"{result.changed} hugepages of another process were written to by the NICs")
        end(program, canaries)
    return result


def end(program, canaries):
    for each in canaries:
        each.leave()
    program.kill()
    lab.clean_up()


def pool_pages(program):
    """Hugepages that hold nothing but buffers: the rings of the NIC stay where they are."""
    pool, others = set(), set()
    for name, length, start in re.findall(r"name:<([^>]*)>, len:(0x\w+), virt:(0x\w+)",
                                          program.command("dump_memzone")):
        first, last = (int(start, 16) // memory.HUGEPAGE,
                       (int(start, 16) + int(length, 16) - 1) // memory.HUGEPAGE)
        (pool if name.startswith("MP_mb_pool_0") else others).update(
            range(first, last + 1))
    return [page * memory.HUGEPAGE for page in sorted(pool - others)]


def buffers_only(eal):
    """The same with the pages of the buffers alone, and frames received but not sent on:
    (frames received, pages moved, canaries with our frames in them)."""
    with Peer() as peer:
        # Without a cache the pool hands its buffers out one after another.
        program = Testpmd(eal, ["--mbcache=0"]).start().wait_for_links()
        program.commands("set promisc all off", "set fwd rxonly", "start")
        pages = pool_pages(program)
        tap.check(pages, "no hugepage holds nothing but buffers: nothing is shown")
        nodes, before = memory.nodes_of(program.pid, pages), storm.frames(program.pid, pages)
        memory.move_to_other_node(program.pid, pages)
        moved = sum(a != b for a, b in zip(before, storm.frames(program.pid, pages)))
        canaries = take_free_pages(set(nodes))
        own = program.mac(0)
        for number in range(ALL_BUFFERS):
            peer.send(marked(peer, own))
            if number % FRAMES == 0:
                time.sleep(0.05)
        program.settled(0, "RX-packets", ALL_BUFFERS)
        received = program.stop()[0]["RX-packets"]
        found = sum(each.holding(MARK)[0] for each in canaries)
        tap.note(f"{moved} of {len(pages)} hugepages of buffers were migrated; the "
                 f"application counts {received} good frames of {ALL_BUFFERS}; {found} hugepages of "
                 "another process hold them")
        end(program, canaries)
        return received, moved, found


def need_the_stock_way():
    """The stock way's tests may be skipped where it cannot be shown; ours never."""
    if memory.numa_nodes() < 2:
        raise tap.Skip("one NUMA node: there is nowhere to migrate to")
    if not os.path.exists(lab.group_of(lab.NICS[0])):
        raise tap.Skip("the kernel has no vfio group for the stock driver")


@tap.test("stock no-IOMMU testpmd: migrated, it forwards nothing, and its NICs write into memory "
          "of another process", limit=180)
def stock_stops():
    need_the_stock_way()
    result = trial(stock())
    tap.equal(result.before, FRAMES, "frames before")
    tap.check(result.moved > 0, "no hugepage has moved: nothing is shown")
    if result.moved < result.pages:
        raise tap.Skip("the kernel could not move every hugepage; nothing is shown by some")
    tap.equal(result.after, 0, "frames after")
    tap.check(result.changed > 0, "no NIC has written into the canaries")


@tap.test("stock, buffers migrated: frames land in another process while all counters are good",
          limit=180)
def stock_misdirects():
    need_the_stock_way()
    received, moved, found = buffers_only(stock())
    tap.check(moved > 0, "no hugepage has moved: nothing is shown")
    tap.equal(received, ALL_BUFFERS, "frames the application counts as received")
    tap.check(found > 0, "no canary holds a frame")


def check_that_hugepages_move():
    """Negative control: those of a process without a device, at this moment and by the same way."""
    bystander, result = Canaries(0, BYSTANDER), Trial()
    migrate(bystander.pid, result)
    bystander.leave()
    tap.equal((result.moved, result.wandered), (BYSTANDER, BYSTANDER),
              "hugepages that move, of a process without a device")


@tap.test("this project: nothing moves, every frame comes back, no other memory is written to",
          limit=180)
def ours_goes_on():
    tap.check(memory.numa_nodes() > 1, "one NUMA node: there is nowhere to migrate to")
    check_that_hugepages_move()
    result = trial(lab.eal())
    tap.equal((result.before, result.after, result.wandered, result.changed),
              (FRAMES, FRAMES, 0, 0),
              "frames before and after, hugepages moved, canaries changed")
    tap.equal(buffers_only(lab.eal()), (ALL_BUFFERS, 0, 0),
              "frames received, hugepages of buffers moved, canaries that hold frames")


tap.main()
