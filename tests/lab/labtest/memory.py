# SPDX-License-Identifier: BSD-3-Clause
"""Memory as root sees it from outside: what a process maps, where it is, whether it moves."""

import ctypes
import os
import re
import struct

PAGE = 4096
HUGEPAGE = 2 << 20
GIGAPAGE = 1 << 30

_SYS_MOVE_PAGES = 279  # x86-64
_MPOL_MF_MOVE_ALL = 4
_PRESENT = 1 << 63  # Documentation/admin-guide/mm/pagemap.rst
_FRAME = (1 << 55) - 1

_libc = ctypes.CDLL(None, use_errno=True)


def physical(pid, va, length=PAGE):
    """Physical addresses of the 4 KiB pages of [va, va + length), None where none is there."""
    pages = length // PAGE
    with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as file:
        raw = os.pread(file.fileno(), 8 * pages, va // PAGE * 8)
    return [(entry & _FRAME) * PAGE if entry & _PRESENT else None
            for entry in struct.unpack(f"<{len(raw) // 8}Q", raw)]


def _move_pages(pid, addresses, nodes):
    count = len(addresses)
    pages = (ctypes.c_void_p * count)(*addresses)
    status_of = (ctypes.c_int * count)()
    target = (ctypes.c_int * count)(*nodes) if nodes else None
    result = _libc.syscall(_SYS_MOVE_PAGES, pid, ctypes.c_ulong(count), pages, target, status_of,
                           _MPOL_MF_MOVE_ALL)
    if result < 0:
        raise OSError(ctypes.get_errno(), "move_pages")
    return result, list(status_of)


def nodes_of(pid, addresses):
    """The NUMA node of each page, a negative errno where there is none."""
    return _move_pages(pid, addresses, None)[1]


def move_to_other_node(pid, addresses):
    """Tries to migrate each page to the other of two nodes; the number of those that stay.
    One by one, as the kernel gives up at the first batch that has a page it cannot move."""
    return sum(_move_pages(pid, [address], [1 - node])[0]
               for address, node in zip(addresses, nodes_of(pid, addresses)))


def scatter(pid, start, end, step):
    """Moves each step-th 4 KiB page of [start, end) to the other node, so that no more than step
    of them are neighbours for a device; the number of those that stay."""
    return move_to_other_node(pid, range(start, end, step * PAGE))


def status(pid, name):
    """A line of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return re.search(rf"^{name}:\s*(.*)$", file.read(), re.M)[1]


def pinned(pid):
    """Bytes that are pinned on behalf of a process."""
    return int(status(pid, "VmPin").split()[0]) * 1024


def forget_references(pid):
    """Every page a process maps is as if it had never been touched (proc(5), clear_refs)."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("1")


def referenced_code(pid, library):
    """Bytes in pages of a library's code that have been touched since."""
    total, inside, found = 0, False, False
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            header = re.match(r"[0-9a-f]+-[0-9a-f]+ (....) .*?(\S*)$", line)
            if header:
                name = os.path.basename(header[2])
                inside = "x" in header[1] and (name == library or name.startswith(library + "."))
                found = found or inside
            elif inside and line.startswith("Referenced:"):
                total += int(line.split()[1]) * 1024
    if not found:
        raise LookupError(f"process {pid} has not loaded {library}")
    return total


def hugepages_of(pid):
    """Addresses of the hugepages a process maps."""
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        found, header = [], ""
        for line in file:
            if not line[0].isupper():  # "7f00-7f80 rw-p ...", before its "Name: value" lines
                header = line
            elif line.startswith("KernelPageSize:") and line.split()[1] == "2048":
                start, end = (int(word, 16) for word in header.split()[0].split("-"))
                found += range(start, end, HUGEPAGE)
    return found


def hugepages_by_node(pid):
    """{NUMA node: hugepages of a process}."""
    nodes = {}
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as file:
        for line in file:
            if " huge " in line:
                for node, pages in re.findall(r" N(\d+)=(\d+)", line):
                    nodes[int(node)] = nodes.get(int(node), 0) + int(pages)
    return nodes


def free_hugepages(node):
    """Free hugepages of 2 MiB of a node."""
    with open(f"/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/free_hugepages",
              encoding="ascii") as file:
        return int(file.read())


def shared_anonymous_of(pid):
    """(start, end) of what a process shares with its children, without a file."""
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
        return [tuple(int(word, 16) for word in line.split()[0].split("-"))
                for line in file if line.endswith(" /dev/zero (deleted)\n")]


def numa_nodes():
    return len([name for name in os.listdir("/sys/devices/system/node")
                if re.fullmatch(r"node\d+", name)])


def movable_zones():
    """[(first, end)] of the physical addresses of ZONE_MOVABLE, by node."""
    with open("/proc/zoneinfo", encoding="ascii") as file:
        zones = re.split(r"(?m)^(?=Node )", file.read())
    found = []
    for zone in zones:
        pages = re.search(r"zone\s+Movable\n(?s:.*)spanned\s+(\d+)\n(?s:.*)start_pfn:\s+(\d+)", zone)
        if pages:
            first = int(pages[2]) * PAGE
            found.append((first, first + int(pages[1]) * PAGE))
    return found
