# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of stock drivers. Started by devtools/bench.sh, which sets up and builds."""

import json
import os
import subprocess
import sys
from statistics import median

import command

DESCRIPTION = """\
Forwards packets with dpdk-testpmd between two emulated NICs of each kind in the lab, with
DPDK's own driver: under dpdk-iommufd-run as uid 1000 (ours), and the stock way as root,
in turns. Then migratepages moves testpmd's memory to the other NUMA node, and it is
measured again. An emulated NIC's speed counts only as a ratio within one run. A driver that
does not end in time costs its own row, and the exit status is 1."""

# PMD -> options of the lab that give two of its NICs.
PAIRS = {
    "net_e1000_igb": ["--nics", "2"],
    "net_e1000_em_82574": ["--extra-device", "e1000e,netdev=hub"] * 2,
    # Its driver reads the EEPROM bit by bit when it starts, with a sleep of 50 us at each edge of the
    # clock, and without high resolution a sleep takes a tick of 4 ms (devtools/lab/vm.py).
    "net_e1000_em_82540": ["--extra-device", "e1000,netdev=hub"] * 2 +
                          ["--kernel-argument", "highres=on"],
    "net_virtio": ["--extra-device", "virtio-net-pci,netdev=hub,disable-legacy=on"] * 2,
    "net_vmxnet3": ["--extra-device", "vmxnet3,netdev=hub"] * 2,
}
WAYS = ["ours", "stock"]
FIGURES = ["ours_mpps", "stock_mpps", "after_migration_mpps", "stock_after_migration_mpps"]
# Of both ways, at most: an 82540EM took 89 s on a machine that had other work.
SECONDS_PER_ROUND = 180
LAB_TIMEOUT = 124  # the lab's exit status


def parse(arguments):
    parser = command.parser("drivers", DESCRIPTION)
    parser.add_argument("--rounds", type=command.up_to(100), default=3, metavar="N",
                        help="rounds of both ways for each driver [3]")
    parser.add_argument("--driver", action="append", choices=list(PAIRS), metavar="PMD",
                        help="only this one: " + ", ".join(PAIRS))
    return parser.parse_args(arguments)


def results_of(output):
    """{way: [result of each round]} of what the guest has printed, however it ended."""
    results = {way: [] for way in WAYS}
    for line in output.splitlines():
        if line.startswith("{"):
            way, result = json.loads(line).popitem()
            results[way].append(result)
    return results


def summarize(results):
    """Of the rounds that both ways have finished; {} if there is none."""
    rounds = list(zip(results["ours"], results["stock"]))
    if not rounds:
        return {}

    def middle(way, figure):
        return median(a_round[WAYS.index(way)][figure] for a_round in rounds)

    ratios = [ours["mpps"] / stock["mpps"] for ours, stock in rounds if stock["mpps"]]
    summary = {
        "ours_mpps": middle("ours", "mpps"),
        "stock_mpps": middle("stock", "mpps"),
        "after_migration_mpps": middle("ours", "mpps_after_migration"),
        "stock_after_migration_mpps": middle("stock", "mpps_after_migration"),
        "ratio": median(ratios) if ratios else 0,
        "pagemap_opens": max(ours["pagemap_opens"] for ours, _ in rounds),
        "stock_pagemap_opens": max(stock["pagemap_opens"] for _, stock in rounds),
        "uid": rounds[0][0]["uid"],
    }
    return {name: round(value, 4) for name, value in summary.items()} | {"rounds": len(rounds)}


def measure_driver(name, build, rounds, log):
    limit = 30 + SECONDS_PER_ROUND * rounds
    run = subprocess.run(
        [command.LAB, "run", *PAIRS[name], "--timeout", str(limit), "--",
         "/usr/bin/python3", "-sS", os.path.join(command.BENCH, "drivers_guest.py"), build,
         str(rounds)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False)
    print(f"--- {name}\n{run.stdout}", file=log, flush=True)
    result = summarize(results_of(run.stdout))
    if run.returncode == LAB_TIMEOUT:
        result["problem"] = f"timed out after {limit} s"
    elif run.returncode != 0:
        result["problem"] = f"the lab ended with status {run.returncode}; see {log.name}"
    return result


def measure(build, log, options):
    results = {}
    for name in options.driver or PAIRS:
        command.progress(f"bench.sh: {name}")
        results[name] = measure_driver(name, build, options.rounds, log)
        if "problem" in results[name]:
            command.progress(f"bench.sh: {name}: {results[name]['problem']}")
    return results


def complete(results):
    return not any("problem" in result for result in results.values())


def row(name, result):
    if "rounds" not in result:
        return [name, *["-"] * 6]
    return ([name] + [f"{result[figure]:.3f}" for figure in FIGURES[:2]] +
            [f"{result['ratio']:.2f}"] + [f"{result[figure]:.3f}" for figure in FIGURES[2:]] +
            [str(result["pagemap_opens"])])


def show(results):
    title = ["driver", "ours", "stock", "ratio", "ours after", "stock after", "pagemap opens"]
    lines = [title] + [row(name, result) for name, result in results.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(title))]
    text = ["Mpps of testpmd io between two emulated NICs, before and after migratepages; medians "
            "of the rounds", ""]
    text += ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
             for line in lines]
    text += [f"{name}: {result['problem']}; {result.get('rounds', 0)} rounds were measured"
             for name, result in results.items() if "problem" in result]
    return "\n".join(text)


if __name__ == "__main__":
    sys.exit(command.run(parse, measure, show, complete))
