# SPDX-License-Identifier: BSD-3-Clause
"""A storm of page migration over a process, in rounds: all of it to one NUMA node and to the
other, single pages, and compaction of all memory (seconds in emulation)."""

import contextlib
import random
import subprocess
import threading

from labtest import lab, memory

_COMPACT = "/proc/sys/vm/compact_memory"
_SINGLE_PAGES = 16  # of each round


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
        self._before = {page: memory.physical(pid, page)[0] for page in self._pages}

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join(60)

    def _run(self):
        while self.rounds < self.limit and not self._end.is_set():
            for node in (0, 1):
                subprocess.run(["migratepages", str(self.pid), str(node), str(1 - node)],
                               check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            with contextlib.suppress(OSError):
                chosen = random.sample(self._pages, min(_SINGLE_PAGES, len(self._pages)))
                self.moved += len(chosen) - memory.move_to_other_node(self.pid, chosen)
            lab.write(_COMPACT, "1")
            self.rounds += 1

    def wandered(self):
        """Hugepages that are elsewhere than before the storm."""
        return sum(memory.physical(self.pid, page)[0] != frame
                   for page, frame in self._before.items())
