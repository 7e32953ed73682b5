#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""What depends on DPDK's version stands in one place for each of bus and driver, and nowhere else:
no other file has a condition on a version, or on what one version has renamed. That the conditions
of the two are seen shows that such a condition is found.
"""

import os
import re
import subprocess
import sys

import host_tap
from host_tap import TREE, check

PLACES = {"bus/iommufd/dpdk_compat.hpp", "drivers/net/iommufd_igb/igb_dpdk.hpp"}
SOURCE = re.compile(r"\.(c|h|cpp|hpp|in)$")
# A condition of the preprocessor, with the lines that continue it.
CONDITION = re.compile(r"^[ \t]*#[ \t]*(?:el)?if(?:n?def)?\b(?:.*\\\n)*.*$", re.MULTILINE)
VERSION = re.compile(r"\bRTE_VER(?:SION|_YEAR|_MONTH|_MINOR)\w*|\bRTE_IOVA_(?:AS_PA|IN_MBUF)\b")

CONTROLS = ["#if RTE_VERSION >= RTE_VERSION_NUM(24, 11, 0, 0)", "#  elif RTE_VER_YEAR > 23",
            "#ifdef RTE_IOVA_IN_MBUF", "#if defined(SOMETHING) || \\\n    !RTE_IOVA_AS_PA"]
INNOCENT = ["#if defined(RTE_ARCH_X86_64)", "// #if RTE_VERSION: no condition",
            "static_assert(RTE_VERSION > 0);"]


def conditions(text):
    return [each for each in CONDITION.findall(text) if VERSION.search(each)]


def files():
    listed = subprocess.run(["git", "-c", f"safe.directory={TREE}", "-C", TREE, "ls-files",
                             "--cached", "--others", "--exclude-standard"],
                            stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return [path for path in listed
            if SOURCE.search(path) and os.path.isfile(os.path.join(TREE, path))]


def main():
    found = {}
    for path in files():
        with open(os.path.join(TREE, path), encoding="utf-8") as file:
            found[path] = conditions(file.read())
    elsewhere = [f"{path}: {each}" for path, some in found.items() if path not in PLACES
                 for each in some]
    check("no condition on DPDK's version but in the two places", "\n".join(elsewhere), "")
    for path in sorted(PLACES):
        check(f"{path} has some", bool(found.get(path)))
    for text in CONTROLS:
        check(f"negative control: {text.splitlines()[0]}", len(conditions(f"int a;\n{text}\n")), 1)
    for text in INNOCENT:
        check(f"innocent: {text}", conditions(f"int a;\n{text}\n"), [])
    host_tap.done()


if __name__ == "__main__":
    sys.exit(main())
