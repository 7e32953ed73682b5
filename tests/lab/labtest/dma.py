# SPDX-License-Identifier: BSD-3-Clause
"""The program dma_addresses (dma_addresses.cpp), which tells its memory's DMA addresses."""

from labtest import lab, memory, tap
from labtest.process import Process

NONE = 0xFFFFFFFFFFFFFFFF  # RTE_BAD_IOVA
START = 60  # seconds
ANSWER = 30  # seconds


class CommandFailed(Exception):
    """dma_addresses answered "failed"."""


class DmaAddresses(Process):
    """Started with the plugins it needs, on the first test NIC unless told otherwise."""

    def __init__(self, nics=None, eal=(), **rest):
        nics = lab.NICS[:1] if nics is None else nics
        super().__init__([lab.DMA_ADDRESSES, "-l", "0-1", "--no-pci", *lab.plugins(lab.MEMPOOL),
                          *lab.allow(*nics), *lab.POOL_OPS, *eal], **rest)
        self._answer_starts = 0

    def start(self):
        self._answer(START)
        self.note_start()
        return self

    def _answer(self, timeout):
        end = self.wait_for(r"(?m)^(done|failed: .*)$", timeout, self._answer_starts)
        text = self.output[self._answer_starts:end.start()]
        self._answer_starts = end.end()
        if end[1] != "done":
            raise CommandFailed(end[1])
        return [line.split() for line in text.splitlines()]

    def ask(self, command):
        """The lines of the answer, in words."""
        self._answer_starts = len(self.output)
        self.send(command + "\n")
        return self._answer(ANSWER)

    def runs(self, command="memory"):
        """[(va, length, dma)], contiguous for a device each; without the memory that has no
        DMA address."""
        return [tuple(int(word, 16) for word in words[1:])
                for words in self.ask(command) if words and words[0] == "run"]

    def pool(self, count, room=2048):
        """[(va of the data, its buf_iova)] of a new pool's mbufs with room bytes each."""
        return [tuple(int(word, 16) for word in words[1:])
                for words in self.ask(f"pool {count} {room}") if words and words[0] == "mbuf"]

    def at(self, command):
        """The address that "grow", "anon" and "hugepages" answer."""
        return next(int(words[1], 16) for words in self.ask(command) if words[0] == "at")

    def lookup(self, va):
        return next(int(words[1], 16) for words in self.ask(f"lookup {va:#x}")
                    if words[0] == "dma")

    def quit(self):
        self.send("quit\n")
        return self.wait(ANSWER)


def compare(program, runs):
    """Every page of the runs against pagemap; the number of pages compared."""
    pages = 0
    for va, length, dma in runs:
        tap.check(dma != NONE, f"{length:#x} bytes at {va:#x} have no DMA address")
        real = memory.physical(program.pid, va, length)
        claimed = [dma + offset for offset in range(0, length, memory.PAGE)]
        tap.equal(claimed, real, f"addresses of {length:#x} bytes at {va:#x}")
        pages += len(real)
    return pages


def sees_wrong_address(program, run):
    """Negative control: whether the comparison notices an address that is wrong by a page."""
    va, length, dma = run
    try:
        compare(program, [(va, length, dma + memory.PAGE)])
    except tap.Failure:
        return True
    return False
