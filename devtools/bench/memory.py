# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark of memory. Started by devtools/bench.sh, which sets up and builds."""

import json
import os
import subprocess
import sys
from statistics import median

import command

DESCRIPTION = """\
Measures, in one boot of the lab's machine: how long it takes to resolve a hugepage, beside the
bare ioctl and EAL's way through /proc/self/pagemap; MAP and resolving of 1 GiB; and testpmd
from exec to its first frame with 512 and 1024 hugepages taken at start, beside stock, and the
stock driver on iommufd with the launcher's broker beside without one; so the heap's growth while a
port sends. And natively: VA -> DMA address, and a question to the broker beside the hugepage that it
is asked for. Medians; ratios are the result, as the lab's machine is emulated."""

SIZES = (512, 1024)  # hugepages of 2 MiB
LOOKUPS = 7  # processes, natively
QUESTIONS = 512  # hugepages
# Memory for 1024 hugepages and what DPDK takes besides, half of it on each of two nodes.
MACHINE = ["--nics", "1", "--peer", "--memory", "4096", "--hugepages", "1100"]


def parse(arguments):
    parser = command.parser("memory", DESCRIPTION)
    parser.add_argument("--rounds", type=command.up_to(100), default=3, metavar="N",
                        help="starts of each kind to take the median of (3)")
    return parser.parse_args(arguments)


def natively(build, name, *arguments):
    """Medians of what some processes print; None for what one of them could not measure."""
    program = os.path.join(build, "app/bench/memory", name)
    runs = [json.loads(subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=True,
                                      stdin=subprocess.DEVNULL, text=True).stdout)
            for _ in range(LOOKUPS)]
    return {key: None if None in [run[key] for run in runs] else
            round(median(run[key] for run in runs), 3) for key in runs[0]}


def in_lab(build, log, rounds):
    """The guest's lines, in order."""
    words = [command.LAB, "run", *MACHINE, "--env", f"LAB_BUILD={build}", "--",
             "/usr/bin/python3", "-sS", os.path.join(command.BENCH, "memory_guest.py"),
             ",".join(map(str, SIZES)), str(rounds)]
    found = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True,
                          stdin=subprocess.DEVNULL) as run:
        for line in run.stdout:
            log.write(line)
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
            if found[-1]["kind"] == "startup":
                command.progress("{way}, {pages} hugepages: {seconds:.2f} s".format(**found[-1]))
            elif found[-1]["kind"] == "growth":
                command.progress("{way}, {mib} MiB more: {seconds} s".format(**found[-1]))
    if run.returncode != 0:
        command.lab_failed(run.returncode, log)
    return found


def summarize(lookup, broker, lines):
    resolved = next(line for line in lines if line["kind"] == "resolve")
    times, growth = {}, {}
    for line in lines:
        if line["kind"] == "startup":
            times.setdefault(str(line["pages"]), {}).setdefault(line["way"], []).append(
                line["seconds"])
        elif line["kind"] == "growth":
            growth.setdefault(f"{line['way']}_s", []).extend(line["seconds"])
    return {
        "resolve": {key: resolved[key] for key in ("ours_us", "bare_loop_us", "pagemap_us")},
        "startup": {pages: {f"{way}_s": round(median(values), 3) for way, values in ways.items()}
                    for pages, ways in times.items()},
        "growth": {"mib": next(line["mib"] for line in lines if line["kind"] == "growth"),
                   **{way: round(median(values), 3) for way, values in growth.items()}},
        "map_1gib": {key: resolved[key] for key in ("per_page_ms", "arena_ms")},
        "lookup": lookup,
        "broker": broker,
    }


def show(result):
    resolve, lookup, broker = result["resolve"], result["lookup"], result["broker"]
    lines = [
        "resolving a hugepage of 2 MiB (lab)         us",
        f"  this project                         {resolve['ours_us']:8.2f}",
        f"  bare ioctl loop                      {resolve['bare_loop_us']:8.2f}"
        f"   ours is {resolve['ours_us'] / resolve['bare_loop_us']:.2f}x",
        f"  /proc/self/pagemap, as EAL           {resolve['pagemap_us']:8.2f}"
        f"   ours is {resolve['ours_us'] / resolve['pagemap_us']:.3f}x",
        "MAP and resolving of 1 GiB (lab)            ms",
        f"  page by page                         {result['map_1gib']['per_page_ms']:8.1f}",
        f"  arena                                {result['map_1gib']['arena_ms']:8.1f}",
    ]
    for pages, ways in result["startup"].items():
        lines.append(f"exec to first frame, {pages} hugepages (lab)   s")
        lines += [f"  {name:<37}{ways[key]:8.2f}   {ways[key] / ways['stock_s']:.2f}x stock"
                  for name, key in (("stock testpmd", "stock_s"), ("this project", "ours_s"),
                                    ("this project, arena", "arena_s"))]
        lines.append(f"  {'stock driver on iommufd, no broker':<37}{ways['library_s']:8.2f}")
        lines.append(f"  {'the same with the broker':<37}{ways['broker_s']:8.2f}"
                     f"   {ways['broker_s'] / ways['library_s']:.3f}x without")
    growth = result["growth"]
    lines += [
        f"{growth['mib']} MiB more while a port sends (lab)".ljust(44) + "s",
        f"  {'stock driver on iommufd, no broker':<37}{growth['library_s']:8.3f}",
        f"  {'the same with the broker':<37}{growth['broker_s']:8.3f}"
        f"   {growth['broker_s'] / growth['library_s']:.3f}x without",
        f"VA -> DMA address, {lookup['mapped_gib']} GiB mapped (native)   ns",
        f"  rte_iommufd_virt2dma                 {lookup['ours_ns']:8.2f}",
        f"  while another thread maps            {lookup['with_mapper_ns']:8.2f}",
        f"  the loop alone                       {lookup['loop_ns']:8.2f}",
        "an address of a hugepage from the broker (native)   us",
        f"  the question                         {broker['question_us']:8.2f}",
    ]
    if broker["hugepage_us"] is not None:
        lines.append(f"  the hugepage, found and cleared      {broker['hugepage_us']:8.2f}"
                     f"   the question is {broker['question_us'] / broker['hugepage_us']:.2f}x")
    return "\n".join(lines)


def measure(build, log, options):
    command.progress("lookups")
    lookup = natively(build, "bench_lookup")
    broker = natively(build, "bench_broker", str(QUESTIONS))
    command.progress("the lab")
    return summarize(lookup, broker, in_lab(build, log, options.rounds))


if __name__ == "__main__":
    sys.exit(command.run(parse, measure, show))
