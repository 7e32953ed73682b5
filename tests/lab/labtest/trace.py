# SPDX-License-Identifier: BSD-3-Clause
"""Counts opens of /proc/*/pagemap in the kernel: a kprobe on the function that serves them
(Linux 7.3, fs/proc/task_mmu.c, pagemap_open()), whoever opens it and by whatever path."""

import os
import re

from labtest import lab

TRACEFS = "/sys/kernel/tracing"
_EVENT = "dpdk_iommufd_pagemap"


def _change_probes(text):
    file = os.open(f"{TRACEFS}/kprobe_events", os.O_WRONLY)  # O_TRUNC would remove others'
    try:
        os.write(file, text.encode() + b"\n")
    finally:
        os.close(file)


class PagemapOpens:
    """Counts from `with` on, having seen one of its own."""

    def __init__(self):
        self._own = 0

    def __enter__(self):
        _change_probes(f"p:{_EVENT} pagemap_open")
        lab.write(f"{TRACEFS}/trace", "")
        lab.write(f"{TRACEFS}/events/kprobes/{_EVENT}/enable", "1")
        with open("/proc/self/pagemap", "rb"):
            pass
        self._own = self.count()
        if self._own != 1 or len(self.by()) != 1:
            self.__exit__()
            raise RuntimeError("the kernel's trace does not see an open of pagemap")
        lab.write(f"{TRACEFS}/trace", "")
        return self

    def __exit__(self, *_):
        lab.write(f"{TRACEFS}/events/kprobes/{_EVENT}/enable", "0")
        _change_probes(f"-:{_EVENT}")

    def by(self):
        """The threads that opened it, by name, once for each time."""
        names = re.findall(rf"^\s*(\S.*)-\d+\s.*\b{_EVENT}:", lab.read(f"{TRACEFS}/trace"), re.M)
        return names + ["(unknown)"] * (self.count() - len(names))  # the trace drops the oldest

    def count(self):
        for line in lab.read(f"{TRACEFS}/kprobe_profile").splitlines():
            name, hits, missed = line.split()
            if name == _EVENT:
                return int(hits) + int(missed) - self._own
        raise RuntimeError("the kernel has lost the probe of pagemap_open")
