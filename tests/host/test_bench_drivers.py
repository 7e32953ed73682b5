#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 60
"""bench.sh drivers keeps what it has measured when a driver does not end in time. A shell script
stands in for the lab."""

import io
import json
import os
import sys
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TREE, "devtools/bench"))

# pylint: disable=wrong-import-position
import command  # noqa: E402
import drivers  # noqa: E402

RESULT = {"mpps": 0.5, "mpps_after_migration": 0.25, "pagemap_opens": 0, "uid": 1000}


def lines(*ways):
    return "".join(json.dumps({way: RESULT}) + "\n" for way in ways)


def measured(folder, output, status):
    """What is made of a lab that prints this and ends so: (result, text, exit status is 0)."""
    command.LAB = os.path.join(folder, "lab")
    with open(command.LAB, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\ncat <<'END'\n{output}END\nexit {status}\n")
    os.chmod(command.LAB, 0o755)
    log = io.StringIO()
    log.name = "the log"
    results = {"net_x": drivers.measure_driver("net_e1000_igb", "build", 3, log)}
    return results["net_x"], drivers.show(results), drivers.complete(results)


def checks(folder):
    three = "round 1\n" + lines("ours", "stock", "stock", "ours", "ours", "stock")
    result, text, complete = measured(folder, three, 0)
    yield "three rounds: a row and status 0", (
        result["rounds"] == 3 and result["ratio"] == 1 and complete and "0.500" in text), text
    result, text, complete = measured(folder, lines("ours", "stock", "stock"), 124)
    yield "late in the second round: the row has the first one, and status 1", (
        result["rounds"] == 1 and not complete and "0.500" in text and "timed out" in text), text
    result, text, complete = measured(folder, "nothing\n", 124)
    yield "late in the first round: no figures, and status 1", (
        "rounds" not in result and not complete and "net_x" in text and "0 rounds" in text), text
    result, text, complete = measured(folder, three, 125)
    yield "a lab that fails is told and is status 1", (
        "status 125" in text and not complete), text


def main():
    number = 0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, good, text) in enumerate(checks(folder), 1):
            if not good:
                print("\n".join("# " + line for line in text.splitlines()))
            print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    print(f"1..{number}")


main()
