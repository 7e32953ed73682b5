#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer --timeout 700
"""Frames through every kind of memory that an application can hand to a NIC, each byte
compared, under a storm of page migration and compaction; and what cannot be used is refused with
the reason."""

import errno
import re

from labtest import lab, memory, tap, telemetry, traffic
from labtest.peer import Peer
from labtest.sources import FRAMES, TxSources
from labtest.process import Ended
from labtest.storm import Storm
from labtest.testpmd import Testpmd

ARENA = 64 << 20
BUFFERS = 4096 * 2048  # bytes at least of each of testpmd's pools
LINES = 200  # at most, of an answer of /iommufd/areas
RING = 4096 * 16  # bytes of a ring of 4096 descriptors
ARENA_OF_PROGRAM = 8 << 20  # tx_sources.cpp
# Of migration and compaction under traffic. A round takes seconds in emulation: EAL's own memory
# and the application's in 4 KiB pages stand a longer storm for all.
ROUNDS, LONG = 1, 3


def check_areas(pid, totals):
    """/iommufd/areas against the process's own pages and the totals; what /iommufd/arenas says."""
    with telemetry.Telemetry() as connection:
        areas, arenas = telemetry.areas(connection), telemetry.arenas(connection)
        tap.equal(telemetry.areas(connection), areas, "areas, asked again")
        second = connection.ask("/iommufd/areas,1")
        tap.equal(len(second), min(len(areas) - 1, LINES), "lines from the second area on")
        tap.equal(connection.ask(f"/iommufd/areas,{len(areas)}"), [], "lines beyond the last area")
    for va, length in ((area.va, area.bytes) for area in areas):
        tap.check(None not in memory.physical(pid, va, length), f"no page is there: {va:#x}")
    tap.equal(len(areas), totals["areas"], "areas")
    tap.equal(sum(area.bytes for area in areas), memory.pinned(pid), "bytes of areas, by VmPin")
    tap.equal(sum(area.queues > 0 for area in areas), totals["held_areas"], "areas with queues")
    reached = {page for area in areas
               for page in range(area.va, area.va + area.bytes, memory.HUGEPAGE)}
    tap.equal(set(memory.hugepages_of(pid)) - reached, set(), "hugepages in no area")
    tap.equal([(area.va, area.bytes) for area in areas if area.arena],
              sorted((each["va"], each["bytes"]) for each in arenas), "areas that are arenas")
    return arenas


def frames_of_queues(program):
    """Where the pages are that receive queues use."""
    with telemetry.Telemetry() as connection:
        return [memory.physical(program.pid, area.va, area.bytes)
                for area in telemetry.areas(connection) if area.queues > 0]


def forwards(*eal, options=(), arguments="", rounds=ROUNDS, looked_up=False, at_start=None):
    """Frames through testpmd with these options; what /iommufd/memory said meanwhile. looked_up:
    mbufs do not carry the addresses of their buffers. at_start: called before traffic."""
    with Peer() as peer:
        devices = lab.allow(*lab.NICS, arguments=arguments)
        program = Testpmd(["-l", "0-1", *lab.plugins(), "--no-pci", *devices, *lab.POOL_OPS, *eal],
                          options).start()
        if at_start is not None:
            at_start(program)
        tap.equal("addresses looked up" in program.command("show rxq info 0 0"), looked_up,
                  "receive with addresses looked up")
        own = traffic.prepare(peer, program)
        frames = frames_of_queues(program)
        with Storm(program.pid, rounds) as storm:
            while storm.rounds < rounds:
                traffic.round_trip(peer, own, traffic.BATCH)
        traffic.round_trip(peer, own, traffic.BATCH)
        tap.equal((storm.moved, storm.wandered()), (0, 0), "hugepages that the storm has moved")
        tap.check(frames and frames == frames_of_queues(program), "pages of receive queues moved")
        program.command("stop")
        totals = telemetry.memory()
        tap.equal(totals["bytes_pinned"], memory.pinned(program.pid), "bytes pinned, by VmPin")
        totals["arenas"] = check_areas(program.pid, totals)
        tap.equal(program.quit(), 0, "exit status")
        lab.clean_up()
        return totals


@tap.test("hugepages of EAL as it needs them, in hugetlbfs")
def dynamic():
    totals = forwards(rounds=LONG)
    tap.equal(totals["arenas"], [], "arenas")
    tap.check(totals["pages_2m"] == totals["areas"] > 4, f"one area a page: {totals}")
    tap.equal(totals["map_calls"], totals["areas"], "IOMMU_IOAS_MAP calls")
    tap.check(totals["get_pa_calls"] == totals["pages_2m"], f"one GET_PA a page: {totals}")
    tap.check(totals["held_areas"] > 0, f"receive queues hold their pools: {totals}")
    tap.check(totals["map_ns"] > 0 and totals["get_pa_ns"] > 0, f"times: {totals}")


@tap.test("--socket-mem, taken at start")
def socket_mem():
    totals = forwards("--socket-mem", "32,32")
    tap.check(totals["pages_2m"] >= 32, f"{totals}")


@tap.test("--in-memory")
def in_memory():
    forwards("--in-memory")


@tap.test("--single-file-segments")
def single_file():
    forwards("--single-file-segments")


@tap.test("--legacy-mem")
def legacy():
    forwards("--legacy-mem", "-m", "64")


@tap.test("--iova-mode=pa given by hand")
def iova_pa():
    forwards("--iova-mode=pa")


@tap.test("--no-huge: rings that fit a page of 4 KiB work, others are refused with the reason",
          limit=150)
def no_huge():
    totals = forwards("--no-huge", "-m", "64", options=["--rxd=256", "--txd=256"])
    tap.check(totals["pages_4k"] > 0 and totals["pages_2m"] == 0, f"{totals}")
    refuses_larger_rings()


def refuses_larger_rings():
    """Two pages of 4 KiB may happen to be neighbours, and a ring to lie in a row of such: memory is
    scattered while no device has it."""
    nic = lab.NICS[0]
    program = Testpmd(lab.eal(nic, extra=["--no-huge", "-m", "64"])).start()
    with telemetry.Telemetry() as connection:
        areas = telemetry.areas(connection)
    program.commands("port stop 0", "port close 0", f"device detach iommufd:{nic}")
    tap.equal(memory.pinned(program.pid), 0, "bytes pinned without a device")
    for area in areas:
        tap.equal(memory.scatter(program.pid, area.va, area.va + area.bytes, RING // memory.PAGE),
                  0, "pages that stay though no device has them")
    tap.contains(program.command(f"port attach iommufd:{nic}"), "is attached", "testpmd")
    program.commands("port config all rxd 4096", "port config all txd 4096")
    start = len(program.output)
    program.command("port start 0")
    tap.contains(program.output[start:], f"{RING} bytes are not contiguous for a device: no page is "
                                         "large enough; use hugepages", "testpmd")
    tap.equal(program.quit(), 0, "exit status")
    lab.clean_up()


@tap.test("testpmd --mp-alloc=anon: pools of another kind, in 4 KiB pages that EAL does not know")
def mp_anon():
    def scatter(program):
        # Neighbours come to be far apart, and buffers that lie across them to be in two pieces.
        for start, end in memory.shared_anonymous_of(program.pid):
            tap.equal(memory.scatter(program.pid, start, end, 16), 0,
                      "pages that stay though no queue uses them")
        program.command("port start all")
        split = re.search(r"(\d+) of the 4096 buffers of pool mb_pool_0 lie in pages that are no "
                          "neighbours for a device", program.output)
        tap.check(split and 0 < int(split[1]) < 4096, f"in two pieces: {program.output}")

    totals = forwards(options=["--mp-alloc=anon", "--disable-device-start"], looked_up=True,
                      at_start=scatter)
    tap.check(totals["pages_4k"] > 0, f"{totals}")


@tap.test("testpmd --mp-alloc=xmem: an external heap of 4 KiB pages")
def mp_xmem():
    totals = forwards(options=["--mp-alloc=xmem"], rounds=LONG)
    tap.check(totals["pages_4k"] > 0, f"{totals}")


@tap.test("testpmd --mp-alloc=xmemhuge: an external heap of hugepages")
def mp_xmemhuge():
    forwards(options=["--mp-alloc=xmemhuge"])


@tap.test("testpmd --mp-alloc=xbuf: pinned external buffers")
def mp_xbuf():
    forwards(options=["--mp-alloc=xbuf"], looked_up=True)


@tap.test("arenas by device argument: unmodified testpmd's pools come from that of their node")
def arena():
    totals = forwards("-m", "16", arguments=f",arena={ARENA >> 20}M")
    tap.check(totals["longest_run"] >= memory.HUGEPAGE, f"{totals}")
    tap.equal(totals["held_areas"], 1, "areas that receive queues hold: the arena")
    tap.check(totals["bytes_pinned"] >= ARENA, f"{totals}")
    told = totals["arenas"]
    tap.equal([(each["node"], each["bytes"], each["page"]) for each in told],
              [(node, ARENA, memory.HUGEPAGE) for node in (0, 1)],
              "nodes, bytes and page size of the arenas, one for each node that has a pool")
    for each in told:
        tap.check(each["pieces"] > 0 and 0 < each["free"] < ARENA - BUFFERS, f"{each}")


@tap.test("an arena that is larger than the hugepage pool is refused, with what is missing")
def arena_too_large():
    free = lab.hugepages_free()
    program = Testpmd(lab.eal(lab.NICS[0] + ",arena=64G"))
    try:
        program.start()
        raise tap.Failure("testpmd has started as if it had the arena")
    except Ended:
        tap.check(program.wait(30) > 0, "exit status")
    tap.contains(program.output, "not enough free hugepages", "testpmd")
    tap.contains(program.output, "32768 of 2 MiB are needed; raise", "testpmd")
    lab.clean_up()
    tap.equal(lab.hugepages_free(), free, "free hugepages")


@tap.test("Tx of mbufs from foreign pools, clones, external buffers, an arena of the program; of "
          "unmapped memory nothing, and a receive queue on it is refused")
def tx_sources():
    with Peer() as peer:
        program = TxSources()
        tap.contains(program.output, "pool pinned cannot be used: Bad address; give external "
                                     "memory to rte_dev_dma_map()", "tx_sources")
        seams = int(re.search(r"(?m)^seams (\d+)$", program.output)[1])
        tap.check(seams >= FRAMES // 4, f"frames across pages that are no neighbours: {seams} seams")
        for kind in ("pool", "foreign", "indirect", "malloc", "mapped", "arena"):
            program.check_frames(peer, kind)
        program.check_frames(peer, "unmapped", 0)
        pinned = memory.pinned(program.pid)
        answer = program.ask("destroy", "(pool .*)")
        tap.equal(answer[1], f"pool {errno.ENOMEM} arena {errno.EBUSY} full 1 then 0",
                  "what the arena answers")
        tap.equal(pinned - memory.pinned(program.pid), ARENA_OF_PROGRAM, "bytes no longer pinned")
        tap.equal(program.quit(), 0, "exit status")


tap.main()
