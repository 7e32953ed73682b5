# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of stock drivers. Started by devtools/bench.sh, which sets up and builds."""

import json
import os
import subprocess
import sys
import tempfile

import command

DESCRIPTION = """\
Forwards packets with dpdk-testpmd between two emulated NICs of each kind in the lab, with
DPDK's own driver: under dpdk-iommufd-run as uid 1000 (ours), and the stock way as root,
in turns. Then migratepages moves testpmd's memory to the other NUMA node, and it is
measured again. An emulated NIC's speed counts only as a ratio within one run."""

# PMD -> options of the lab that give two of its NICs.
PAIRS = {
    "net_e1000_igb": ["--nics", "2"],
    "net_e1000_em_82574": ["--extra-device", "e1000e,netdev=hub"] * 2,
    "net_e1000_em_82540": ["--extra-device", "e1000,netdev=hub"] * 2,
    "net_virtio": ["--extra-device", "virtio-net-pci,netdev=hub,disable-legacy=on"] * 2,
    "net_vmxnet3": ["--extra-device", "vmxnet3,netdev=hub"] * 2,
}
FIGURES = ["ours_mpps", "stock_mpps", "after_migration_mpps", "stock_after_migration_mpps"]
SECONDS_PER_ROUND = 100  # of both ways, at most


def parse(arguments):
    parser = command.parser("drivers", DESCRIPTION)
    parser.add_argument("--rounds", type=command.up_to(100), default=3, metavar="N",
                        help="rounds of both ways for each driver [3]")
    parser.add_argument("--driver", action="append", choices=list(PAIRS), metavar="PMD",
                        help="only this one: " + ", ".join(PAIRS))
    return parser.parse_args(arguments)


def measure_driver(name, build, rounds, log):
    with tempfile.TemporaryDirectory() as folder:
        limit = 30 + SECONDS_PER_ROUND * rounds
        run = subprocess.run(
            [command.LAB, "run", *PAIRS[name], "--share", folder, "--timeout", str(limit), "--",
             "/usr/bin/python3", "-sS", os.path.join(command.BENCH, "drivers_guest.py"), build,
             str(rounds)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        print(f"--- {name}\n{run.stdout}", file=log, flush=True)
        if run.returncode != 0:
            command.lab_failed(run.returncode, log, run.stdout.splitlines(keepends=True)[-15:])
        with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
            return json.load(file)


def measure(build, log, options):
    results = {}
    for name in options.driver or PAIRS:
        command.progress(f"bench.sh: {name}")
        results[name] = measure_driver(name, build, options.rounds, log)
    return results


def show(results):
    title = ["driver", "ours", "stock", "ratio", "ours after", "stock after", "pagemap opens"]
    lines = [title] + [
        [name] + [f"{result[figure]:.3f}" for figure in FIGURES[:2]] + [f"{result['ratio']:.2f}"] +
        [f"{result[figure]:.3f}" for figure in FIGURES[2:]] + [str(result["pagemap_opens"])]
        for name, result in results.items()]
    widths = [max(len(line[column]) for line in lines) for column in range(len(title))]
    table = "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip()
                      for line in lines)
    return ("Mpps of testpmd io between two emulated NICs, before and after migratepages; medians "
            "of the rounds\n\n" + table)


if __name__ == "__main__":
    sys.exit(command.run(parse, measure, show))
