#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --debug-memory
"""Memory that a program takes and gives back while it runs: EAL's under traffic, what packets in
flight lie in, and arenas on a NUMA node."""

import contextlib
import errno
import re

from labtest import lab, memory, tap, telemetry
from labtest.peer import Peer
from labtest.process import Shared
from labtest.sources import TxSources

BROADCAST = "ff:ff:ff:ff:ff:ff"
END = b"\x88\xb6"  # churn.cpp
FRAMES = 1024  # at least
BATCH = 64  # below the 128 descriptors of its queues
ROUNDS = 6  # of memory taken and given back under traffic, at least
PAGES = 4  # hugepages of a round: a pool and a block
EXTERNAL = 1 << 20  # bytes that the program has given to rte_dev_dma_map()
ARENA = 16 << 20
RESTORES = 10

# One for the tests of packets in flight and of arenas; the last of them stops its port.
sources = Shared(TxSources)


def hugepages_on(node, name="free"):
    return (f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/"
            f"{name}_hugepages")


def unmapped():
    return telemetry.memory()["unmap_calls"]


@tap.test("hugepages of EAL come and go under traffic: every frame and every buffer comes back")
def growth():
    with Peer() as peer:
        program = TxSources()  # whose port "echo" stops
        before, count = telemetry.memory(), 0
        program.send("echo\n")
        while count < FRAMES or unmapped() - before["unmap_calls"] < ROUNDS * PAGES:
            sent = [peer.frame(BROADCAST, 60 + i * 37 % 1455) for i in range(BATCH)]
            for frame in sent:
                peer.send(frame)
            back = peer.receive(BATCH, quiet=5)
            tap.equal(len(back), BATCH, "frames that came back")
            tap.equal([i for i in range(BATCH) if back[i] != sent[i]], [], "changed frames")
            count += BATCH
        peer.send(peer.frame(BROADCAST)[:12] + END + bytes(46))
        answer = program.answer(r"echoed (\d+) whole (\d) rounds (\d+)")
        echoed, whole, rounds = map(int, answer.groups())
        tap.note(f"{count} frames during {rounds} rounds")
        tap.equal((echoed, whole), (count, 1), "frames sent, no memory lost or changed")
        after = telemetry.memory()
        for calls in ("map_calls", "get_pa_calls", "unmap_calls"):
            tap.check(after[calls] - before[calls] >= ROUNDS * PAGES,
                      f"{calls}: {before[calls]}, then {after[calls]}")
        tap.equal((after["areas"], after["retired_areas"]), (before["areas"], 0), "areas left")
        tap.check(rounds >= ROUNDS // 2, f"only {rounds} pools made and freed")
        tap.equal(memory.pinned(program.pid),
                  len(memory.hugepages_of(program.pid)) * memory.HUGEPAGE + EXTERNAL,
                  "bytes pinned")
        tap.equal(program.quit(), 0, "exit status")


@contextlib.contextmanager
def pool_on(node, pages):
    """Another number of hugepages of a node for a while."""
    path = hugepages_on(node, "nr")
    before = lab.read(path)
    lab.write(path, str(pages))
    try:
        yield
    finally:
        for _ in range(RESTORES):  # others may have used the memory
            lab.write(path, before)
            if lab.read(path) == before:
                break
            lab.write("/proc/sys/vm/compact_memory", "1")


@tap.test("rte_dev_dma_unmap() of memory that packets in flight lie in is refused, and leaves it usable")
def in_flight():
    with Peer() as peer:
        program = sources()
        program.check_frames(peer, "mapped")
        program.ask("hold", "held")
        program.ask("send mapped 40", "sent 40")
        before, pinned = telemetry.memory(), memory.pinned(program.pid)
        program.ask("unmap", f"errno {errno.EBUSY}")
        tap.contains(program.output, "packets in it are in flight in 1 transmit queue; wait until "
                                     "they are completed, or stop the port", "the log")
        after = telemetry.memory()
        tap.equal((after["unmap_calls"], memory.pinned(program.pid)),
                  (before["unmap_calls"], pinned), "UNMAP calls and bytes pinned")
        program.ask("go", "gone")
        program.ask("send pool 8", "sent 8")  # by which the device works on
        tap.equal(len(peer.receive(48, quiet=5)), 48, "frames that left after all")
        program.check_frames(peer, "mapped")
        program.ask("unmap", "errno 0")
        tap.equal(pinned - memory.pinned(program.pid), EXTERNAL, "bytes no longer pinned")
        program.check_frames(peer, "mapped", 0)


@tap.test("an arena lies on the NUMA node it was asked for; where it does not fit, it says so")
def nodes():
    tap.check(memory.numa_nodes() > 1, "one NUMA node: nothing is shown")
    program = sources()
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


def does_not_fit(program):
    """Node 1 has half of the hugepages that the arena needs; the machine has enough."""
    free, pages = int(lab.read(hugepages_on(1))), ARENA // memory.HUGEPAGE
    total, pinned = int(lab.read(hugepages_on(1, "nr"))), memory.pinned(program.pid)
    with pool_on(1, total - free + pages // 2):
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


@tap.test("a hugepage that EAL frees while a packet in it is in flight stays pinned until the port "
          "has stopped")
def freed_in_flight():
    with Peer() as peer:
        program = sources()
        program.check_frames(peer, "malloc")
        program.ask("hold", "held")
        program.ask("send malloc 40", "sent 40")
        free, pinned = lab.hugepages_free(), memory.pinned(program.pid)
        program.ask("free", "freed")
        tap.contains(program.output, "memory that EAL frees: a queue or a pool still uses 0x200000",
                     "the log")
        tap.equal(telemetry.memory()["retired_areas"], 1, "areas of freed memory")
        others = lab.hugepages_free() - free  # of the block, and what it makes whole with it
        tap.check(others > 0, "no other hugepage of the block is free")
        tap.equal(pinned - memory.pinned(program.pid), others * memory.HUGEPAGE, "bytes unpinned")
        program.ask("stop", "errno 0")
        tap.equal(telemetry.memory()["retired_areas"], 0, "areas of freed memory")
        tap.equal((lab.hugepages_free() - free, pinned - memory.pinned(program.pid)),
                  (others + 1, (others + 1) * memory.HUGEPAGE), "free hugepages and bytes unpinned")
        tap.equal(program.quit(), 0, "exit status")


tap.main()
