#!/usr/bin/python3 -sS
# SPDX-License-Identifier: BSD-3-Clause
# host: --timeout 120
"""The hot path keeps its budget and does all of stock's work (app/bench/hotpath, no virtual machine).

Instructions are counted one by one with the CPU's trap flag, so a budget is an exact number
and not a timing: what exceeds it has become longer.
"""

import json
import os
import re
import subprocess
import sys

BUILD = os.environ["LAB_BUILD"]
PLUGINS = ["mempool/iommufd/librte_mempool_iommufd.so",
           "drivers/net/iommufd_igb/librte_net_iommufd_igb.so"]
# Instructions per forwarded packet of 64 bytes, burst 32: the goals of the hot path.
BUDGETS = {"scalar": 110, "avx2": 76, "avx2_fast_free": 60, "avx512": 70, "avx512_fast_free": 52}
PACKETS_A_WRITE_BACK = 32


def bench(mode, *options, allowed=(0,)):
    """(lines of JSON, exit status)"""
    command = [os.path.join(BUILD, "app/bench/hotpath/bench_hotpath"), mode, "--small-pages", *options]
    for plugin in PLUGINS:
        command += ["--plugin", os.path.join(BUILD, plugin)]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         check=False)
    if run.returncode not in allowed:
        sys.exit(f"{' '.join(command)}: status {run.returncode}\n{run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()]


class Tap:
    def __init__(self):
        self.points = 0

    def result(self, good, name, problems=(), skip=None):
        for problem in problems:
            print(f"# {problem}")
        self.points += 1
        words = "ok" if good else "not ok"
        print(f"{words} {self.points} - {name}" + (f" # SKIP {skip}" if skip else ""), flush=True)


def over_budget(line, budget):
    """What a count of bench_hotpath exceeds; [] if nothing."""
    burst, problems = line["burst"], []
    if burst == 32 and line["op"] == "fwd" and line["instructions"] > budget:
        problems.append(f"{line['instructions']} instructions per packet, {budget} allowed")
    if line["op"] != "fwd" and line["doorbells"] * burst > 1:
        problems.append(f"{line['op']}, burst {burst}: {line['doorbells'] * burst} doorbells")
    if line["write_backs"] * PACKETS_A_WRITE_BACK > 1:
        problems.append(f"burst {burst}: a write-back in {1 / line['write_backs']:.1f} packets")
    return problems


def not_there(tap, title, reason):
    """Skipped where the CPU or DPDK is the reason; any other one is a failure."""
    if re.match("no such function|this DPDK has no|net_ixgbe has not chosen", reason):
        tap.result(True, title, skip=reason)
    else:
        tap.result(False, title, [reason])


def check_budgets(tap, absent):
    names = [name for name in BUDGETS if name not in absent]
    counted = bench("instructions", "--burst", "32", "--variant", "stock",
                    *(word for name in names for word in ("--variant", name)))
    for name, budget in BUDGETS.items():
        title = f"{name}: at most {budget} instructions, one doorbell a burst, one write-back in 32"
        if name in absent:
            not_there(tap, title, absent[name])
            continue
        lines = [line for line in counted if line["variant"] == name]
        problems = [problem for line in lines for problem in over_budget(line, budget)]
        if len(lines) != 3:
            problems.append(f"{len(lines)} counts instead of 3")
        tap.result(not problems, title, problems)
    problems = [problem for line in counted if line["variant"] == "stock"
                for problem in over_budget(line, max(BUDGETS.values()))]
    kinds = [any(word in problem for problem in problems)
             for word in ("instructions", "write-back")]
    tap.result(all(kinds), "negative control: stock exceeds them", [] if all(kinds) else problems)


def check_output(tap, absent):
    checked = bench("check", allowed=(0, 1))
    for line in checked:
        if line["variant"] in BUDGETS:
            tap.result(not line["differences"], f"{line['variant']}: mbufs and descriptors as "
                       f"stock's, {line['packets']} packets", line["differences"])
    title = "negative control: the comparison sees what net_ixgbe leaves out"
    if "ixgbe_vector" in absent:
        not_there(tap, title, absent["ixgbe_vector"])
        return
    seen = [difference["field"] for line in checked if line["variant"] == "ixgbe_vector"
            for difference in line["differences"]]
    tap.result("ol_flags" in seen, title, seen)


def vector_instructions(prefix):
    """{function: instructions that use a vector register} of the driver's functions that begin
    with prefix. The program objdump is binutils'."""
    text = subprocess.run(["objdump", "-dC", "--no-show-raw-insn", os.path.join(BUILD, PLUGINS[1])],
                          stdout=subprocess.PIPE, text=True, check=True).stdout
    found = {}
    for name, body in re.findall(r"^[0-9a-f]+ <igb::(\w+)\(.*>:\n((?:.+\n)+)", text, re.M):
        if name.startswith(prefix):
            found[name] = len(re.findall(r"%[xyz]mm\d", body))
    return found


def check_scalar(tap):
    if os.uname().machine != "x86_64":
        tap.result(True, "scalar code uses no vector register", skip="this is not x86")
        return
    scalar = {name: count for way in ("rx", "tx")
              for name, count in vector_instructions(f"{way}_burst_scalar").items()}
    tap.result(scalar == {"rx_burst_scalar": 0, "tx_burst_scalar": 0},
               "scalar code uses no vector register", [f"used: {scalar}"])
    vector = vector_instructions("rx_burst_avx2")
    tap.result(sum(vector.values()) > 0, "negative control: AVX2 code does", [f"used: {vector}"])


def main():
    tap = Tap()
    absent = {line["absent"]: line["reason"] for line in bench("list") if "absent" in line}
    check_budgets(tap, absent)
    check_output(tap, absent)
    check_scalar(tap)
    print(f"1..{tap.points}")


if __name__ == "__main__":
    main()
