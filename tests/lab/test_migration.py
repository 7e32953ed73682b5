#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# lab: --nics 2 --peer
"""Page migration: what a device can reach stays where it is, what none can reach moves."""

from labtest import lab, memory, process, tap
from labtest.dma import DmaAddresses

UNKNOWN_PAGES = 4  # hugepages that the process maps and no device knows


def hugepages_of_eal(program):
    return [page for va, length, _ in program.runs()
            for page in range(va, va + length, memory.HUGEPAGE)]


def frames(program, pages):
    return [memory.physical(program.pid, page)[0] for page in pages]


# One for all tests.
running = process.Shared(lambda: DmaAddresses(nics=lab.NICS, eal=["-m", "32"]).start())


def start():
    tap.check(memory.numa_nodes() > 1, "one NUMA node: there is nowhere to migrate to")
    program = running()
    start_of_unknown = program.at(f"hugepages {UNKNOWN_PAGES}")
    unknown = [start_of_unknown + i * memory.HUGEPAGE for i in range(UNKNOWN_PAGES)]
    return program, hugepages_of_eal(program), unknown


@tap.test("move_pages: mapped hugepages stay, an unmapped one of the same process moves")
def move_pages():
    program, mapped, unknown = start()
    tap.check(len(mapped) >= 16, f"only {len(mapped)} hugepages are mapped")
    mapped_before, unknown_before = frames(program, mapped), frames(program, unknown)
    nodes = memory.nodes_of(program.pid, unknown)

    tap.equal(memory.move_to_other_node(program.pid, unknown), 0, "unmapped pages that stay")
    tap.equal(memory.nodes_of(program.pid, unknown), [1 - node for node in nodes],
              "negative control: nodes of unmapped pages")
    tap.check(not set(frames(program, unknown)) & set(unknown_before),
              "negative control: an unmapped page has kept its address")

    tap.equal(memory.move_to_other_node(program.pid, mapped), len(mapped),
              "mapped pages that stay")
    tap.equal(frames(program, mapped), mapped_before, "addresses of mapped pages")


@tap.test("migratepages(8) of the whole process: the same, and addresses stay true")
def migratepages():
    program, mapped, unknown = start()
    before, unknown_before = frames(program, mapped), frames(program, unknown)
    node = memory.nodes_of(program.pid, unknown)[0]
    for target in (1 - node, node):
        process.run(["migratepages", program.pid, 1 - target, target], timeout=30)
        tap.check(not set(frames(program, unknown)) & set(unknown_before),
                  "negative control: an unmapped page has kept its address")
        unknown_before = frames(program, unknown)
    tap.equal(frames(program, mapped), before, "addresses of mapped pages")
    for va, length, dma in program.runs():
        tap.equal(memory.physical(program.pid, va)[0], dma, f"DMA address of {va:#x}")
        tap.check(length >= memory.HUGEPAGE, f"{va:#x}: in pieces")


@tap.test("hugepages that EAL adds at run time stay too, and go back to the kernel")
def added():
    program, known, _ = start()
    free = lab.hugepages_free()
    program.ask(f"grow {64 << 20}")
    grown = sorted(set(hugepages_of_eal(program)) - set(known))
    tap.check(len(grown) >= 32, f"{len(grown)} hugepages were added")
    before = frames(program, grown)
    tap.equal(memory.move_to_other_node(program.pid, grown), len(grown), "added pages that stay")
    tap.equal(frames(program, grown), before, "addresses of added pages")
    program.ask("shrink")
    tap.equal(hugepages_of_eal(program), known, "hugepages of EAL after shrinking")
    tap.equal(lab.hugepages_free(), free, "free hugepages after shrinking")
    tap.equal(program.quit(), 0, "exit status")


tap.main()
