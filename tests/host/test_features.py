#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""Every feature that the driver's matrix claims has a test, named in the NIC guide, which exists."""

import configparser
import os
import re

from host_tap import TREE, check, done

GUIDE = os.path.join(TREE, "doc/guides/nics/iommufd_igb.rst")
MATRIX = os.path.join(TREE, "doc/guides/nics/features/iommufd_igb.ini")
# What no program can show.
OF_THE_BUILD = {"Linux", "x86-64", "Usage doc", "Perf doc"}
# Sections of the matrix, and what the guide puts before their names.
SECTIONS = {"Features": "", "rte_flow items": "flow item ", "rte_flow actions": "flow action "}
ROW = re.compile(r"^(\S.*?) +``((?:lab|unit)/\S+)`` +(\S.*?)$", re.MULTILINE)


def claimed():
    matrix = configparser.ConfigParser()
    matrix.optionxform = str
    matrix.read(MATRIX, encoding="utf-8")
    return {prefix + name for section, prefix in SECTIONS.items()
            for name, value in matrix[section].items() if value in ("Y", "P")}


def missing(rows):
    """Of rows, those whose test is not there."""
    lacking = []
    for feature, path, words in rows:
        try:
            with open(os.path.join(TREE, "tests", path), encoding="utf-8") as file:
                if words not in file.read():
                    lacking.append((feature, words))
        except OSError:
            lacking.append((feature, path))
    return lacking


def main():
    with open(GUIDE, encoding="utf-8") as file:
        rows = ROW.findall(file.read())
    check("the guide has a test for every feature, and no other",
          sorted(feature for feature, _, _ in rows), sorted(claimed() - OF_THE_BUILD))
    check("every test is there", missing(rows), [])
    check("negative control: tests that are not",
          missing([("A", "lab/test_ports.py", "no such test"), ("B", "lab/test_none.py", "x")]),
          [("A", "no such test"), ("B", "lab/test_none.py")])
    done()


main()
