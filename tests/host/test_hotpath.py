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

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "lab"))

from labtest import lab  # noqa: E402  pylint: disable=wrong-import-position

PLUGINS = [lab.MEMPOOL, lab.PMD]
# The driver as it is for a DPDK whose mbufs carry no addresses.
LOOKUP_PLUGINS = [lab.MEMPOOL, lab.built("tests/unit/igb/librte_net_iommufd_igb_lookup.so")]
MEASURED_RELEASE = "22.11"
# Instructions per forwarded packet of 64 bytes, burst 32, as measured and published in
# doc/guides/nics/iommufd_igb.rst (which rounds them), with DPDK 22.11 and g++ 12.
BUDGETS = {"scalar": 101.2, "avx2": 52.4, "avx2_fast_free": 52.4, "avx512": 42.2,
           "avx512_fast_free": 42.2}
# Of the driver as it is for a DPDK whose mbufs carry no addresses, scalar; as published there too.
LOOKUP_BUDGET = 182.3
# The same of packets that are not plain, by the operation; what comes of a burst function that all
# variants share differs by what the way to it takes.
WORKLOAD_BUDGETS = {
    ("chains2", "tx"): {"scalar": 142.9, "avx2": 146.2, "avx512": 146.4},
    ("chains4", "tx"): {"scalar": 222.2, "avx2": 230.3, "avx512": 230.5},
    ("tso32k", "tx"): {"scalar": 827.5, "avx2": 859.0, "avx512": 859.7},
    ("csum_vlan", "rx"): {"scalar": 65.9, "avx2": 29.9, "avx512": 24.9},
    ("csum_vlan", "tx"): {"scalar": 116.8, "avx2": 118.1, "avx512": 118.2},
    ("rx_scattered", "rx"): {"scalar": 311.6, "avx2": 311.6, "avx512": 311.6},
}
# Not whole laps of the rings, which are too many.
ROUNDS = {"rx_scattered": ["--rounds", "4"]}
# Where they were not measured: of stock's instructions in the same run.
MOST_OF_STOCK = 0.6
# What another suite's DPDK and compiler made of it, where that differs (test.sh --userland); measured
# before checksums were looked up with the other flags.
OTHER_BUDGETS = {"24.11": {"scalar": 105.48, "lookup": 195.62}}
# What a CPU must have for a variant, as /proc/cpuinfo names it (the kernel's reading of CPUID and
# of what the operating system saves). Who has it and not the variant fails.
CPU_FLAGS = {"avx2": {"avx2"}, "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}}
PACKETS_A_WRITE_BACK = 32


def bench(mode, *options, allowed=(0,), plugins=PLUGINS):
    """(lines of JSON, exit status)"""
    command = [lab.BENCH_HOTPATH, mode, "--small-pages", *options]
    for plugin in plugins:
        command += ["--plugin", plugin]
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


def cpu_flags():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        return set(re.search(r"(?m)^flags\s*:(.*)$", file.read())[1].split())


def excuse(name):
    """Why this machine cannot have a variant; None if it has to. What the benchmark says about it
    does not count."""
    lacks = CPU_FLAGS.get(name.removesuffix("_fast_free"), set()) - cpu_flags()
    return f"this CPU has no {', '.join(sorted(lacks))}" if lacks else None


def not_there(tap, title, reason, skip):
    """Skipped for a reason that this test has found by itself; otherwise a failure."""
    tap.result(skip is not None, title, [f"absent: {reason}"], skip=skip)


def use_budgets_of(release):
    global LOOKUP_BUDGET  # pylint: disable=global-statement
    others = dict(OTHER_BUDGETS.get(release, {}))
    LOOKUP_BUDGET = others.pop("lookup", LOOKUP_BUDGET)
    BUDGETS.update(others)


def dpdk_release():
    """22.11 of 22.11.11, what the plugins are built for."""
    version = subprocess.run(["pkg-config", "--modversion", "libdpdk"], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    return ".".join(version.strip().split(".")[:2])


def check_budgets(tap, absent):
    names = [name for name in BUDGETS if name not in absent]
    counted = bench("instructions", "--burst", "32", "--variant", "stock",
                    *(word for name in names for word in ("--variant", name)))
    for name, budget in BUDGETS.items():
        title = f"{name}: at most {budget} instructions, one doorbell a burst, one write-back in 32"
        if name in absent:
            not_there(tap, title, absent[name], excuse(name))
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


def check_lookup(tap):
    title = f"addresses looked up: at most {LOOKUP_BUDGET} instructions"
    lines = bench("instructions", "--burst", "32", "--variant", "scalar", plugins=LOOKUP_PLUGINS)
    problems = [problem for line in lines for problem in over_budget(line, LOOKUP_BUDGET)]
    if len(lines) != 3:
        problems.append(f"{len(lines)} counts instead of 3")
    forwarded = [line["instructions"] for line in lines if line["op"] == "fwd"]
    tap.result(not problems, title, problems)
    tap.result(bool(forwarded) and forwarded[0] > BUDGETS["scalar"],
               "negative control: it takes more than the carried ones", [str(forwarded)])
    checked = [line for line in bench("check", "--variant", "scalar", allowed=(0, 1),
                                      plugins=LOOKUP_PLUGINS) if line["variant"] == "scalar"]
    tap.result(bool(checked) and checked[0]["packets"] > 0 and not checked[0]["differences"],
               "addresses looked up: mbufs and descriptors as stock's",
               [str(line) for line in checked])


def check_output(tap, absent):
    checked = {line["variant"]: line for line in bench("check", allowed=(0, 1))}
    for name in BUDGETS:
        title = f"{name}: mbufs and descriptors as stock's"
        if name in absent:
            not_there(tap, title, absent[name], excuse(name))
            continue
        line = checked.get(name, {"packets": 0, "differences": []})
        tap.result(line["packets"] > 0 and not line["differences"],
                   f"{title}, {line['packets']} packets", line["differences"])
    title = "negative control: the comparison sees what net_ixgbe leaves out"
    if "ixgbe_vector" in absent:
        # A packaging of DPDK may leave out the driver; its vector code needs what x86-64 has.
        reason = absent["ixgbe_vector"]
        not_there(tap, title, reason, reason if reason.startswith("this DPDK has no") else None)
        return
    seen = [difference["field"] for difference in checked["ixgbe_vector"]["differences"]]
    tap.result("ol_flags" in seen, title, seen)


def workload_problems(variant, op, counted, checked, budget):
    """What is wrong with a variant in one operation of a workload."""
    counts = {line["variant"]: line["instructions"] for line in counted if line["op"] == op}
    found = [line for line in checked if line["variant"] == variant]
    limit = budget if budget is not None else MOST_OF_STOCK * counts["stock"]
    problems = []
    if counts.get(variant, limit + 1) > limit:
        problems.append(f"{counts.get(variant)} instructions per packet, {limit} allowed")
    if not found or found[0]["packets"] == 0:
        problems.append("nothing was compared")
    return problems + [str(difference) for line in found for difference in line["differences"]]


def check_workload(tap, absent, workload, release):
    budgets = {op: budgets for (name, op), budgets in WORKLOAD_BUDGETS.items() if name == workload}
    names = [name for name in ("scalar", "avx2", "avx512") if name not in absent]
    chosen = ["--workload", workload,
              *(word for name in ["stock", *names] for word in ("--variant", name))]
    counted = bench("instructions", *chosen, *ROUNDS.get(workload, []))
    checked = bench("check", *chosen, allowed=(0, 1))
    for op, of_variants in budgets.items():
        for variant, budget in of_variants.items():
            title = f"{workload} {op}, {variant}: at most {budget} instructions, as stock's"
            if variant in absent:
                not_there(tap, title, absent[variant], excuse(variant))
                continue
            problems = workload_problems(variant, op, counted, checked,
                                         budget if release == MEASURED_RELEASE else None)
            tap.result(not problems, title, problems)
        of_stock = [line["instructions"] for line in counted
                    if (line["variant"], line["op"]) == ("stock", op)]
        tap.result(bool(of_stock) and of_stock[0] > max(of_variants.values()),
                   f"negative control: stock exceeds them, {workload} {op}", [str(of_stock)])


def vector_instructions(prefix):
    """{function: instructions that use a vector register} of the driver's functions that begin
    with prefix. The program objdump is binutils'."""
    text = subprocess.run(["objdump", "-dC", "--no-show-raw-insn", lab.PMD],
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
    release = dpdk_release()
    use_budgets_of(release)
    absent = {line["absent"]: line["reason"] for line in bench("list") if "absent" in line}
    check_budgets(tap, absent)
    check_lookup(tap)
    check_output(tap, absent)
    for workload in dict.fromkeys(name for name, _ in WORKLOAD_BUDGETS):
        check_workload(tap, absent, workload, release)
    check_scalar(tap)
    print(f"1..{tap.points}")


if __name__ == "__main__":
    main()
