# SPDX-License-Identifier: BSD-3-Clause
"""What a kernel says when something is wrong with it, and who has to answer for it.

The patterns are those of Linux 7.3.4: kernel/panic.c, hung_task.c, watchdog.c, rcu/tree_stall.h,
rcu/tree_exp.h, rcu/tasks.h, sched/core.c; mm/slub.c, page_poison.c, page_alloc.c, kasan/report.c;
lib/ubsan.c, locking/lockdep.c; arch/x86/mm/fault.c, kernel/traps.c, kernel/dumpstack.c. A message
that the kernel is tainted is not among them.
"""

import errno
import os
import re

# The machine is lost.
FATAL = re.compile(r"Kernel panic|lab: init failed")
# The machine may go on, and the test in which it happened has failed.
COMPLAINT = re.compile(
    r"Kernel panic|\bOops\b|kernel BUG at|general protection fault|\bWARNING: |"
    r"\bBUG: |\bBUG \S+ \(|FIX \S+: |\bUBSAN: |\bKASAN: |pagealloc: (?:memory corruption|single bit)|"
    r"INFO: task .* blocked|soft lockup|hard LOCKUP|INFO: \S+ .*\bstalls?\b")

DEVICE = "/dev/kmsg"
KEPT_LINES = 40  # of what follows a complaint, its trace
RECORD_SIZE = 8192  # more than the kernel's longest (CONSOLE_EXT_LOG_MAX of printk/internal.h)


class KernelLog:
    """Follows the guest's kernel, from inside. Nothing is waited for: what a test provoked is
    in the log when the test says that it has ended."""

    def __init__(self, device=DEVICE):
        self._file = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
        self.complaints()  # those of the boot are found on the console

    def _lines(self):
        while True:
            try:
                record = os.read(self._file, RECORD_SIZE).decode(errors="replace")
            except OSError as error:
                if error.errno == errno.EPIPE:  # it was overwritten before it was read
                    continue
                if error.errno == errno.EAGAIN:
                    return
                raise
            if not record:
                return
            yield record.partition(";")[2].split("\n", 1)[0]

    def complaints(self):
        """The complaints since the last call with what followed each; [] if there are none."""
        kept, left = [], 0
        for line in self._lines():
            if COMPLAINT.search(line):
                left = KEPT_LINES
            if left:
                kept.append(line)
                left -= 1
        return kept


def complaints_in(console):
    """The lines of a console's text (bytes) that complain."""
    lines = (line.decode(errors="replace").strip() for line in console.splitlines())
    return [line for line in lines if COMPLAINT.search(line)]
