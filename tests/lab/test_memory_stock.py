#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 420
"""The proof: what migration does to DPDK with physical addresses from pagemap, and does not do
to this project. The same traffic, the same migration, and canaries: a process without any device
takes the hugepages that the kernel has got back, and looks whether somebody writes into them.

devtools/migration.sh runs this as a demonstration."""

import os
import re
import time

from labtest import lab, memory, process, tap, traffic
from labtest import peer as peers
from labtest.canary import Canaries
from labtest.peer import Peer
from labtest.testpmd import Testpmd

FRAMES = 64
ALL_BUFFERS = 2048  # frames that take a pool of 4096 buffers beyond its first page
TRIES = 3  # at a page that is in use at the moment the kernel wants to move it
CANARIES = 48  # hugepages; the kernel hands those first out that it has got back last
MARK = b"this frame was sent to a NIC, not to the process that found it"


def stock():
    """testpmd as distributed, on the vfio group; DPDK's own driver and pool."""
    return ["-l", "0-1"] + [word for nic in lab.NICS for word in ("-a", nic)]


def migrate(pid):
    """All of a process to one node and on to the other: the node it left, and what moved."""
    pages = memory.hugepages_of(pid)
    process.run(["migratepages", pid, 1, 0], timeout=60)
    before = [memory.physical(pid, page)[0] for page in pages]
    moved = 0
    for _ in range(TRIES):
        process.run(["migratepages", pid, 0, 1], timeout=60)
        after = [memory.physical(pid, page)[0] for page in pages]
        moved = sum(a != b for a, b in zip(before, after))
        if moved == len(pages):
            break
        time.sleep(0.5)
    return moved, len(pages)


def free_on(node):
    return int(lab.read(f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/"
                        "free_hugepages"))


def marked(peer, own):
    return peer.frame(own, 600, payload=(MARK * 10)[:586])


def trial(eal):
    """(frames that came back right before, and after, hugepages that moved, canaries written to)."""
    with Peer() as peer:
        program = Testpmd(eal).start()
        own = traffic.prepare(peer, program)
        before = traffic.round_trip(peer, own, FRAMES)
        moved, pages = migrate(program.pid)
        tap.note(f"{moved} of {pages} hugepages were migrated")
        if 0 < moved < pages:
            raise tap.Skip("the kernel could not move every hugepage; nothing is shown by some")
        canaries = [Canaries(node, min(free_on(node), CANARIES)) for node in (0, 1)]
        peer.drain()
        sender = peers.mac_bytes(peer.mac) + peers.mac_bytes(program.mac(1))
        frame = marked(peer, own)
        for _ in range(FRAMES):
            peer.send(frame)
        # As they are to come back: what was written into memory that moved is lost.
        after = peer.receive(FRAMES, quiet=2.0).count(sender + peers.body(frame))
        changed = sum(each.holding(MARK)[1] for each in canaries)
        tap.note(f"frames forwarded: {before} before, {after} after; {changed} hugepages of another "
                 "process were written to by the NICs")
        for each in canaries:
            each.leave()
        program.kill()
        lab.clean_up()
        return before, after, moved, changed


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
        nodes = memory.nodes_of(program.pid, pages)
        stayed = memory.move_to_other_node(program.pid, pages)
        canaries = [Canaries(node, min(free_on(node), CANARIES)) for node in set(nodes)]
        own = program.mac(0)
        for number in range(ALL_BUFFERS):
            peer.send(marked(peer, own))
            if number % FRAMES == 0:
                time.sleep(0.05)
        time.sleep(1)
        received = program.stop()[0]["RX-packets"]
        found = sum(each.holding(MARK)[0] for each in canaries)
        tap.note(f"{len(pages) - stayed} of {len(pages)} hugepages of buffers were migrated; the "
                 f"application counts {received} good frames of {ALL_BUFFERS}; {found} hugepages of "
                 "another process hold them")
        for each in canaries:
            each.leave()
        program.kill()
        lab.clean_up()
        return received, len(pages) - stayed, found


def need_two_nodes():
    if memory.numa_nodes() < 2:
        raise tap.Skip("one NUMA node: there is nowhere to migrate to")
    if not os.path.exists(lab.group_of(lab.NICS[0])):
        raise tap.Skip("the kernel has no vfio group for the stock driver")


@tap.test("stock no-IOMMU testpmd: migrated, it forwards nothing, and its NICs write into memory "
          "of another process", limit=180)
def stock_stops():
    need_two_nodes()
    before, after, moved, changed = trial(stock())
    tap.equal(before, FRAMES, "frames before")
    tap.check(moved > 0, "no hugepage has moved: nothing is shown")
    tap.equal(after, 0, "frames after")
    tap.check(changed > 0, "no NIC has written into the canaries")


@tap.test("stock, buffers migrated: frames land in another process while all counters are good",
          limit=180)
def stock_misdirects():
    need_two_nodes()
    received, moved, found = buffers_only(stock())
    tap.check(moved > 0, "no hugepage has moved: nothing is shown")
    tap.equal(received, ALL_BUFFERS, "frames the application counts as received")
    tap.check(found > 0, "no canary holds a frame")


@tap.test("this project: nothing moves, every frame comes back, no other memory is written to",
          limit=180)
def ours_goes_on():
    need_two_nodes()
    tap.equal(trial(lab.eal()), (FRAMES, FRAMES, 0, 0),
              "frames before and after, hugepages moved, canaries changed")
    tap.equal(buffers_only(lab.eal()), (ALL_BUFFERS, 0, 0),
              "frames received, hugepages of buffers moved, canaries that hold frames")


tap.main()
