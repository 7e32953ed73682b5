# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of the hot path. Started by devtools/bench.sh, which sets up and builds."""

import argparse
import json
import os
import signal
import subprocess
import sys

import plot
import table
from hugepages import Hugepages
from results import summarize

DESCRIPTION = """\
Measures the burst functions of stock net_e1000_igb, of net_ixgbe (vector), of a floor, and
of net_iommufd_igb in all its variants: TSC cycles and exact instructions per packet of
64 bytes, doorbells, descriptor write-backs; and whether each sets what stock sets. The
shared objects are driven unmodified on models of the NICs, in turns in one process."""

HUGEPAGES = 80  # of 2 MiB
TWO_CORE_PROCESSES = 3


class Bench:
    """Runs bench_hotpath; each call is a fresh process."""

    def __init__(self, build, log):
        self.log = log
        self.command = [os.path.join(build, "app/bench/bench_hotpath")]
        for plugin in ("mempool/iommufd/librte_mempool_iommufd.so",
                       "drivers/net/iommufd_igb/librte_net_iommufd_igb.so"):
            self.command += ["--plugin", os.path.join(build, plugin)]

    def run(self, mode, allowed=(0,)):
        print(f"bench_hotpath {mode}", file=self.log)
        run = subprocess.run([*self.command, mode], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             check=False)
        self.log.write(run.stdout + run.stderr)
        if run.returncode not in allowed:
            sys.exit(f"bench.sh: bench_hotpath {mode} ended with {run.returncode}; "
                     f"see {self.log.name}\n{run.stderr.strip()}")
        return [json.loads(line) for line in run.stdout.splitlines()]


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="bench.sh hotpath", description=DESCRIPTION, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true",
                        help="print one JSON object and nothing else on stdout")
    parser.add_argument("--processes", type=count, default=10, metavar="N",
                        help="fresh processes to take the median of (10)")
    parser.add_argument("--plot", metavar="FILE",
                        help="where the plot goes (bench/hotpath.svg in the build folder)")
    return parser.parse_args(arguments)


def count(text):
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("from 1 to 1000")
    return number


def progress(text):
    print(text, file=sys.stderr, flush=True)


def measure(bench, processes):
    with Hugepages(HUGEPAGES) as pages:
        for problem in pages.problems:
            progress(f"bench.sh: {problem}")
        listed = bench.run("list")
        progress("comparing the output with stock's")
        checked = bench.run("check", allowed=(0, 1))
        progress("counting instructions")
        counted = bench.run("instructions")
        timed = []
        for number in range(1, processes + 1):
            progress(f"measuring cycles: process {number} of {processes}")
            timed.append(bench.run("cycles"))
        progress("two cores")
        two_core = [bench.run("two-core") for _ in range(TWO_CORE_PROCESSES)]
    return summarize(listed, checked, counted, timed, two_core)


def main():
    if sys.argv[1] == "--check":  # only whether the options make sense
        parse(sys.argv[2:])
        return 0
    build, log_name, *arguments = sys.argv[1:]
    options = parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda n, _: sys.exit(128 + n))
    with open(log_name, "a", encoding="utf-8", buffering=1) as log:
        result = measure(Bench(build, log), options.processes)
    svg = os.path.abspath(options.plot or os.path.join(build, "bench/hotpath.svg"))
    os.makedirs(os.path.dirname(svg), exist_ok=True)
    plot.draw(result, svg)
    print(json.dumps(result) if options.json else table.show(result))
    print(f"plot: {svg}", file=sys.stderr if options.json else sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
