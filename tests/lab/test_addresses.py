#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""The addresses devices are given are those that root reads from /proc/PID/pagemap of the
same process, for every 4 KiB page, while both look at it."""

from labtest import lab, memory, tap
from labtest.dma import NONE, CommandFailed, DmaAddresses, compare, sees_wrong_address
from labtest.process import Shared


# For what can be shown in one process, after another.
on_both_nics = Shared(lambda: DmaAddresses(nics=lab.NICS).start())


def page_of(program, va):
    return memory.physical(program.pid, va & ~(memory.PAGE - 1))[0] + va % memory.PAGE


@tap.test("every page of EAL's hugepages: DMA address == pagemap")
def hugepages():
    program = DmaAddresses(eal=["-m", "64"]).start()
    runs = program.runs()
    pages = compare(program, runs)
    tap.check(pages >= 64 << 20 >> 12, f"only {pages} pages were compared")
    mapped = len(memory.hugepages_of(program.pid)) * memory.HUGEPAGE
    tap.equal(mapped, pages * memory.PAGE, "bytes of hugepages that the process maps")
    tap.equal(memory.pinned(program.pid), mapped, "bytes that the kernel says are pinned")
    tap.check(sees_wrong_address(program, runs[0]), "a wrong address passed for a right one")
    tap.equal(program.quit(), 0, "exit status")


@tap.test("every mbuf of an iommufd pool, and memory that EAL adds and frees at run time")
def growth():
    program = on_both_nics()
    pool = program.pool(3000)
    tap.contains(program.output, "ops iommufd", "the program")
    tap.equal(len(pool), 3000, "mbufs")
    for va, iova in pool:
        tap.equal(iova, page_of(program, va), f"buf_iova of the mbuf with data at {va:#x}")

    before, pinned = compare(program, program.runs()), memory.pinned(program.pid)
    va = program.at(f"grow {20 << 20}")
    grown = compare(program, program.runs())
    tap.check(grown >= before + (20 << 20 >> 12), f"{before} pages, then {grown}")
    tap.equal(program.lookup(va + 12345), page_of(program, va + 12345), "address in new memory")
    tap.equal(memory.pinned(program.pid), grown * memory.PAGE, "bytes pinned after growth")
    program.ask("shrink")
    tap.equal(program.lookup(va + (4 << 20)), NONE, "address of memory that was freed")
    tap.equal(compare(program, program.runs()), before, "pages after shrinking")
    tap.equal(memory.pinned(program.pid), pinned, "bytes pinned after shrinking")


@tap.test("4 KiB pages given to a device by rte_dev_dma_map()")
def external_memory():
    program = on_both_nics()
    va = program.at(f"anon {8 << 20}")
    tap.equal(program.lookup(va), NONE, "address before it was given")
    tap.equal(compare(program, program.runs(f"give {va:#x} {8 << 20}")), 8 << 20 >> 12, "pages")
    tap.equal(program.quit(), 0, "exit status")


@tap.test("4 KiB pages of --no-huge; an object is in one piece, or there is none")
def no_huge():
    program = DmaAddresses(eal=["--no-huge", "-m", "24"]).start()
    tap.equal(compare(program, program.runs()), 24 << 20 >> 12, "pages")
    for va, iova in program.pool(500):
        tap.equal(iova, page_of(program, va), f"buf_iova of the mbuf with data at {va:#x}")
    program.ask("free")
    room = 9000  # more than a page
    try:
        mbufs = program.pool(200, room)
    except CommandFailed:  # the kernel has no such pieces
        tap.contains(program.output, "use hugepages", "the mempool")
        return
    for va, iova in mbufs:
        for offset in [*range(0, room, 4096), room - 1]:
            tap.equal(iova + offset, page_of(program, va + offset),
                      f"byte {offset} of the mbuf with data at {va:#x}")


tap.main()
