# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of the hot path. Started by devtools/bench.sh, which sets up and builds."""

import json
import os
import subprocess
import sys

import command
import plot
import table
from hugepages import Hugepages
from results import WORKLOADS, summarize, summarize_workload

DESCRIPTION = """\
Measures the burst functions of stock net_e1000_igb (as packaged, and compiled once more with
the options of our own), of net_ixgbe (vector), of a floor, and of net_iommufd_igb in all its
variants: TSC cycles and exact instructions per packet of 64 bytes, doorbells, descriptor
write-backs; and whether each sets what stock sets. The same for packets that are not plain, of
net_iommufd_igb beside net_e1000_igb: chains, TSO, checksums and VLAN tags, frames of 9 KiB. The shared objects are driven unmodified
on models of the NICs, in turns in one process."""

HUGEPAGES = 80  # of 2 MiB
TWO_CORE_PROCESSES = 3


class Bench:
    """Runs bench_hotpath; each call is a fresh process."""

    def __init__(self, build, log):
        self.log = log
        self.command = [os.path.join(build, "app/bench/hotpath/bench_hotpath")]
        for plugin in ("mempool/iommufd/librte_mempool_iommufd.so",
                       "drivers/net/iommufd_igb/librte_net_iommufd_igb.so",
                       "bench/librte_net_e1000_rebuilt.so"):
            self.command += ["--plugin", os.path.join(build, plugin)]

    def run(self, mode, *options, allowed=(0,)):
        mode = " ".join((mode, *options))
        print(f"bench_hotpath {mode}", file=self.log)
        run = subprocess.run([*self.command, *mode.split()], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             check=False)
        self.log.write(run.stdout + run.stderr)
        if run.returncode not in allowed:
            sys.exit(f"bench.sh: bench_hotpath {mode} ended with {run.returncode}; "
                     f"see {self.log.name}\n{run.stderr.strip()}")
        return [json.loads(line) for line in run.stdout.splitlines()]


def parse(arguments):
    parser = command.parser("hotpath", DESCRIPTION)
    parser.add_argument("--processes", type=command.up_to(1000), default=10, metavar="N",
                        help="fresh processes to take the median of (10)")
    parser.add_argument("--plot", metavar="FILE",
                        help="where the plot goes (bench/hotpath.svg in the build folder)")
    return parser.parse_args(arguments)


def measure_workload(bench, name, processes):
    command.progress(f"workload {name}")
    chosen = ("--workload", name)
    checked = bench.run("check", *chosen, allowed=(0, 1))
    counted = bench.run("instructions", *chosen)
    timed = [bench.run("cycles", *chosen) for _ in range(processes)]
    return summarize_workload(checked, counted, timed)


def measure_all(bench, processes):
    with Hugepages(HUGEPAGES) as pages:
        for problem in pages.problems:
            command.progress(f"bench.sh: {problem}")
        listed = bench.run("list")
        command.progress("comparing the output with stock's")
        checked = bench.run("check", allowed=(0, 1))
        command.progress("counting instructions")
        counted = bench.run("instructions")
        timed = []
        for number in range(1, processes + 1):
            command.progress(f"measuring cycles: process {number} of {processes}")
            timed.append(bench.run("cycles"))
        command.progress("two cores")
        two_core = [bench.run("two-core") for _ in range(TWO_CORE_PROCESSES)]
        workloads = {name: measure_workload(bench, name, processes) for name in WORKLOADS}
    return summarize(listed, checked, counted, timed, two_core) | {"workloads": workloads}


def measure(build, log, options):
    result = measure_all(Bench(build, log), options.processes)
    svg = os.path.abspath(options.plot or os.path.join(build, "bench/hotpath.svg"))
    os.makedirs(os.path.dirname(svg), exist_ok=True)
    plot.draw(result, svg)
    command.progress(f"plot: {svg}")
    return result


if __name__ == "__main__":
    sys.exit(command.run(parse, measure, table.show))
