# SPDX-License-Identifier: BSD-3-Clause
"""Page migration over a whole process: once, from a NUMA node to the other one, and as a storm in
rounds: all of it to one node and to the other, single pages, and compaction of all memory (seconds
in emulation)."""

import contextlib
import random
import subprocess
import threading
import time

from labtest import lab, memory, process

_COMPACT = "/proc/sys/vm/compact_memory"
_SINGLE_PAGES = 16  # of each round


def frames(pid, pages):
    """Where hugepages of a process are."""
    return [memory.physical(pid, page)[0] for page in pages]


def migratepages(pid, source):
    """migratepages(8) from a node to the other one; it fails only if it could not try."""
    subprocess.run(["migratepages", str(pid), str(source), str(1 - source)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def migrate(pid, source, tries=3):
    """All of a process from a node to the other one: (hugepages that have moved, all it has). A
    page that is in use when the kernel wants to move it stays, and is tried again."""
    pages = memory.hugepages_of(pid)
    before, moved = frames(pid, pages), 0
    for _ in range(tries):
        migratepages(pid, source)
        moved = sum(a != b for a, b in zip(before, frames(pid, pages)))
        if moved == len(pages):
            break
        time.sleep(0.5)
    return moved, len(pages)


class Storm:
    """Begins with the block and ends after so many rounds, or the round that the block's end
    finds it in. rounds: those it has done."""

    def __init__(self, pid, limit):
        self.pid = pid
        self.limit = limit
        self.rounds = 0
        self.moved = 0  # hugepages that single moves have moved
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._pages = memory.hugepages_of(pid)
        self._before = frames(pid, self._pages)
        self._error = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, *_):
        self._end.set()
        self._thread.join(60)
        if kind is None and self._thread.is_alive():
            raise process.Stuck("a round of page migration has not ended in 60 seconds")
        if kind is None and self._error:
            raise self._error

    def _run(self):
        try:
            self._rounds()
        except Exception as error:  # pylint: disable=broad-except
            self._error = error  # for the end of the block

    def _rounds(self):
        while self.rounds < self.limit and not self._end.is_set():
            for node in (0, 1):
                migratepages(self.pid, node)
            with contextlib.suppress(OSError):
                chosen = random.sample(self._pages, min(_SINGLE_PAGES, len(self._pages)))
                self.moved += len(chosen) - memory.move_to_other_node(self.pid, chosen)
            lab.write(_COMPACT, "1")
            self.rounds += 1

    def blows(self):
        """Whether it has rounds before it."""
        return self.rounds < self.limit and self._thread.is_alive()

    def wandered(self):
        """Hugepages that are elsewhere than before the storm."""
        return sum(a != b for a, b in zip(self._before, frames(self.pid, self._pages)))
