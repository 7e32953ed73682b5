#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""No include crosses the walls between the parts.

    core/sys <- core/ioas, core/vfio <- core/eal_memory <- iommufd, preload; app/run on core;
    mempool and drivers on the bus's public headers; bus/ is the include root

Of a header of the tree only what a part may stand on is included, and never by a path with "..".
Headers of the system and of DPDK are held to nothing, but that only eal_memory and what stands on
it have DPDK's. What makes the test fail is shown with files that are made up.
"""

import os
import re
import subprocess
import sys
import tempfile

TREE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]', re.MULTILINE)
SOURCE = re.compile(r"\.(c|h|cpp|hpp)$")

# The public headers, which are included by their names alone.
PUBLIC = {"rte_bus_iommufd.h", "bus_iommufd_driver.h", "bus_iommufd_dma.h",
          "rte_iommufd_dma_table.h"}
TABLE = {"rte_iommufd_dma_table.h"}

# A part: what it may include of bus/ by the path from there, of public headers, and whether DPDK's.
# The first that a file's path starts with holds.
PARTS = [
    ("bus/core/sys/", ["core/sys/"], set(), False),
    ("bus/core/ioas/", ["core/sys/", "core/ioas/"], TABLE, False),
    ("bus/core/vfio/", ["core/sys/", "core/vfio/"], set(), False),
    ("bus/core/eal_memory/",
     ["core/sys/", "core/ioas/", "core/vfio/", "core/eal_memory/"], TABLE, True),
    ("bus/core/", ["core/sys/", "core/ioas/", "core/vfio/", "core/broker/"], TABLE, False),
    ("bus/iommufd/", ["core/", "iommufd/"], PUBLIC, True),
    ("bus/preload/", ["core/", "preload/"], TABLE, True),
    ("app/run/", ["core/"], set(), False),
    ("app/bench/", ["core/"], PUBLIC, True),
    ("mempool/", [], PUBLIC, True),
    ("drivers/", [], PUBLIC | {"pmdinfo.hpp"}, True),
]


def is_dpdks(name):
    return name.startswith(("rte_", "bus_", "dev_driver", "ethdev_")) and name not in PUBLIC


def violations(root, files):
    found = []
    headers = {}  # of a folder of the bus, by path from bus/
    for path in files:
        if path.startswith("bus/"):
            headers[path[len("bus/"):]] = path
    for path in files:
        part = next((part for part in PARTS if path.startswith(part[0])), None)
        if part is None or not SOURCE.search(path):
            continue
        _, folders, public, dpdk = part
        with open(os.path.join(root, path), encoding="utf-8") as file:
            text = file.read()
        for quote, name in INCLUDE.findall(text):
            if ".." in name.split("/"):
                found.append(f"{path}: includes {name}, by a path that goes up")
            elif name in PUBLIC or name == "pmdinfo.hpp":
                if name not in public:
                    found.append(f"{path}: includes {name}, which is not for this part")
            elif name in headers:
                if not name.startswith(tuple(folders)):
                    found.append(f"{path}: includes {name}, which it does not stand on")
                elif quote == "<":
                    found.append(f"{path}: includes {name} as a header of the system")
            elif name.startswith(("core/", "iommufd/", "preload/")):
                if os.path.basename(name) in PUBLIC:
                    if os.path.basename(name) not in public:
                        found.append(f"{path}: includes {name}, which is not for this part")
                else:
                    found.append(f"{path}: includes {name}, which is not there")
            elif is_dpdks(name) and not dpdk:
                found.append(f"{path}: includes {name}, and this part has no DPDK")
    return found


# Made-up files, and the word that is to be said of each.
CONTROLS = [
    ("bus/core/sys/bad.hpp", '#include "core/ioas/areas.hpp"', "does not stand on"),
    ("bus/core/ioas/bad.hpp", '#include "core/vfio/bdf.hpp"', "does not stand on"),
    ("bus/core/ioas/dpdk.cpp", "#include <rte_memory.h>", "no DPDK"),
    ("bus/core/vfio/bad.cpp", '#include "core/eal_memory/mirror.hpp"', "does not stand on"),
    ("bus/core/eal_memory/bad.cpp", '#  include "iommufd/log.hpp"', "does not stand on"),
    ("bus/iommufd/bad.cpp", '#include "preload/log.hpp"', "does not stand on"),
    ("bus/preload/bad.cpp", '#include "iommufd/log.hpp"', "does not stand on"),
    ("bus/preload/up.cpp", '#include "../iommufd/log.hpp"', "goes up"),
    ("app/run/bad.cpp", '#include "preload/allow.hpp"', "does not stand on"),
    ("app/run/dpdk.cpp", "#include <rte_eal.h>", "no DPDK"),
    ("mempool/iommufd/bad.cpp", '#include "core/sys/result.hpp"', "does not stand on"),
    ("drivers/net/x/bad.cpp", '#include "core/ioas/dma_table.hpp"', "does not stand on"),
    ("app/run/public.cpp", "#include <rte_bus_iommufd.h>", "not for this part"),
]


def main():
    listed = subprocess.run(["git", "-C", TREE, "ls-files", "--cached", "--others",
                             "--exclude-standard"], stdout=subprocess.PIPE, text=True, check=True)
    files = [path for path in listed.stdout.splitlines()
             if os.path.isfile(os.path.join(TREE, path))]
    points = 0

    def result(good, name, problems=()):
        nonlocal points
        points += 1
        for problem in problems:
            print(f"# {problem}")
        print(f"{'ok' if good else 'not ok'} {points} - {name}")
        return good

    read = [path for path in files if SOURCE.search(path) and path.startswith(tuple(
        part[0] for part in PARTS))]
    good = result(len(read) > 100, f"{len(read)} files are read")
    problems = violations(TREE, files)
    good &= result(not problems, "no include crosses a wall", problems)
    for path, line, word in CONTROLS:
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, os.path.dirname(path)))
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(f"// made up\n{line}\n")
            found = found_in(root, path, files)
        good &= result(any(word in problem for problem in found),
                       f"negative control: {path} with {line}", [] if found else ["not found"])
    print(f"1..{points}")
    return 0 if good else 1


def found_in(root, path, files):
    """What is said of one made-up file below root, beside the headers of the tree, left empty."""
    for other in files:
        if other.startswith("bus/") and SOURCE.search(other):
            os.makedirs(os.path.join(root, os.path.dirname(other)), exist_ok=True)
            open(os.path.join(root, other), "a", encoding="utf-8").close()
    return violations(root, [path] + [other for other in files
                                      if other.startswith("bus/") and SOURCE.search(other)])


if __name__ == "__main__":
    sys.exit(main())
