# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages of a process that has no device, taken after others have given theirs back: whoever
writes into them writes into memory that is not his.

As a program: takes the free hugepages of a node, says how many, and for each line on stdin how
many of them hold the text of the line.
"""

import mmap
import re
import sys

from labtest.process import Process

_MAP_HUGETLB = 0x40000
_HUGEPAGE = 2 << 20
_FILL = b"\xa5" * _HUGEPAGE


class Canaries(Process):
    def __init__(self, node, pages):
        super().__init__(["numactl", f"--membind={node}", sys.executable, "-sS", "-c",
                          f"import sys; sys.path.insert(0, {_folder()!r}); "
                          f"from labtest import canary; canary.main({pages})"])
        self.pages = int(self.wait_for(r"taken (\d+)", 60)[1])

    def holding(self, text):
        """Pages with a text in them, and pages that are not as they were filled."""
        start = len(self.output)
        self.send(text.hex() + "\n")
        answer = self.wait_for(r"found (\d+) changed (\d+)", 60, start)
        return int(answer[1]), int(answer[2])

    def leave(self):
        self.send("\n")
        self.wait(30)


def _folder():
    return re.sub(r"/labtest/[^/]*$", "", __file__)


def main(pages):
    taken = mmap.mmap(-1, pages * _HUGEPAGE,
                      flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_HUGETLB)
    for at in range(0, len(taken), _HUGEPAGE):
        taken[at:at + _HUGEPAGE] = _FILL
    print("taken", pages, flush=True)
    for line in sys.stdin:
        wanted = bytes.fromhex(line.strip())
        if not wanted:
            break
        found = changed = 0
        for at in range(0, len(taken), _HUGEPAGE):
            page = taken[at:at + _HUGEPAGE]
            changed += page != _FILL
            found += wanted in page
        print("found", found, "changed", changed, flush=True)
