# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages for as long as the benchmark runs."""

SIZE_KIB = 2048
FOLDER = f"/sys/kernel/mm/hugepages/hugepages-{SIZE_KIB}kB/"


def read(name):
    with open(FOLDER + name, encoding="ascii") as file:
        return int(file.read())


def add(pages):
    total = read("nr_hugepages") + pages
    with open(FOLDER + "nr_hugepages", "w", encoding="ascii") as file:
        file.write(str(max(total, 0)))


class Hugepages:
    """Sees to it that enough are free, and gives back what it has taken."""

    def __init__(self, wanted):
        self.wanted = wanted
        self.taken = 0
        self.problems = []

    def __enter__(self):
        try:
            lacking = self.wanted - read("free_hugepages")
            if lacking > 0:
                before = read("nr_hugepages")
                add(lacking)
                self.taken = read("nr_hugepages") - before
            if read("free_hugepages") < self.wanted:
                self.problems.append(f"fewer than {self.wanted} hugepages could be had")
        except OSError as error:
            self.problems.append(f"no hugepages: {error}")
        if self.problems:
            self.problems.append("with 4 KiB pages TLB misses outweigh what is measured")
        return self

    def __exit__(self, *_):
        if self.taken > 0:
            add(-self.taken)
