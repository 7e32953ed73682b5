# SPDX-License-Identifier: BSD-3-Clause
"""The end-to-end benchmark in the lab. Started by devtools/bench.sh, which sets up and builds."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from statistics import median

import command

DESCRIPTION = """\
Forwards packets with dpdk-testpmd between two emulated 82576 NICs in a virtual machine, with
the stock driver and with ours, in turns in one boot: io and mac between the ports, and
icmpecho against the kernel's own driver. Without KVM the machine is emulated in software, so
only the ratio of the two tells anything. It is one of packets per second of CPU time that the
virtual machine has got, so that other work on this machine does not decide it."""

MODES = ["io", "mac", "icmpecho"]
SIZES = [64, 128, 256, 512, 1024, 1518]  # bytes on the wire, with CRC
QUICK_SIZES = [64, 1518]
QUEUES = [1, 2]
DRIVERS = ["stock", "ours", "ours_scalar"]
START, POINT = 20, 4  # seconds, roughly, under software emulation
GRACE = 3  # times the estimate before the machine is given up


def parse(arguments):
    parser = command.parser(
        "lab", DESCRIPTION,
        f"On two idle cores it takes about {minutes(plan_of('', 3, False)):.0f} minutes, "
        f"with --quick about {minutes(plan_of('', 3, True)):.0f}.")
    parser.add_argument("--quick", action="store_true", help="sizes 64 and 1518, one queue")
    parser.add_argument("--rounds", type=command.up_to(20), default=3, metavar="N",
                        help="measure everything N times and take medians (3)")
    return parser.parse_args(arguments)


def plan_of(build, rounds, quick):
    return {"build": build, "rounds": rounds, "modes": MODES,
            "sizes": QUICK_SIZES if quick else SIZES, "queues": QUEUES[:1] if quick else QUEUES}


def minutes(plan):
    points = len(plan["modes"]) * len(plan["sizes"])
    return len(DRIVERS) * plan["rounds"] * len(plan["queues"]) * (START + points * POINT) / 60


def cpu_seconds(ancestor):
    """CPU time of the virtual machines below a process, so far."""
    parents, used = {}, {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", encoding="ascii") as file:
                command, _, rest = file.read().partition("(")[2].rpartition(")")
                fields = rest.split()
                parents[int(name)] = int(fields[1])
                if command.startswith("qemu-system"):
                    used[int(name)] = int(fields[11]) + int(fields[12])
    total = 0
    for process, ticks in used.items():
        while process in parents and process != ancestor:
            process = parents[process]
        total += ticks if process == ancestor else 0
    return total / os.sysconf("SC_CLK_TCK")


def run(plan, log):
    """The guest's result, with the machine's CPU time at each point."""
    with tempfile.TemporaryDirectory() as folder:
        words = [command.LAB, "run", "--nics", "2", "--peer", "--share", folder,
                 "--timeout", str(int(GRACE * 60 * minutes(plan))), "--", "/usr/bin/python3", "-sS",
                 os.path.join(command.BENCH, "lab_guest.py"), json.dumps(plan)]
        with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True) as lab_run:
            last, marks = [], []
            for line in lab_run.stdout:
                if line == "mark\n":
                    marks.append(cpu_seconds(lab_run.pid))
                    continue
                log.write(line)
                last = [*last[-14:], line]
                if line.startswith("round"):
                    print(line, end="", file=sys.stderr, flush=True)
        if lab_run.returncode != 0:
            command.lab_failed(lab_run.returncode, log, last)
        with open(os.path.join(folder, "result.json"), encoding="utf-8") as file:
            result = json.load(file)
    for point, begin, end in zip(result["points"], marks[0::2], marks[1::2], strict=True):
        point["cpu_seconds"] = end - begin
    return result


def rate(point):
    return point["packets"] / point["seconds"] / 1e6


def efficiency(point):
    """Million packets per second of CPU time that the machine has got."""
    return point["packets"] / point["cpu_seconds"] / 1e6


def ratios(points, stock):
    """Rounds are compared within themselves."""
    values = [efficiency(ours) / efficiency(theirs) for ours, theirs in zip(points, stock)
              if theirs["packets"] > 0]
    if not values:
        return {"ratio": None}
    return {"ratio": round(median(values), 3), "ratio_min": round(min(values), 3),
            "ratio_max": round(max(values), 3)}


def summarize(result):
    """Rows of one mode, size and number of queues."""
    cases = {}
    for point in result["points"]:
        case = cases.setdefault((point["mode"], point["size"], point["queues"]),
                                {driver: [] for driver in DRIVERS})
        case[point["driver"]].append(point)
    rows = []
    for (mode, size, queues), case in cases.items():
        row = {"mode": mode, "size": size, "queues": queues}
        for driver, points in case.items():
            row[driver] = {"mpps": round(median(map(rate, points)), 4),
                           "mpps_cpu": round(median(map(efficiency, points)), 4),
                           "queues_used": max(len(point["queues_used"]) for point in points)}
            if driver != "stock":
                row[driver] |= ratios(points, case["stock"])
        rows.append(row)
    return {"rows": rows, **{name: result[name] for name in ("burst_modes", "kernel", "rounds")}}


def show_ratio(figures):
    if figures["ratio"] is None:
        return "-"
    return f"{figures['ratio']:.2f} ({figures['ratio_min']:.2f}-{figures['ratio_max']:.2f})"


def show(summary):
    modes = summary["burst_modes"]["ours"]
    lines = [f"testpmd in the lab, Linux {summary['kernel']}, "
             f"medians of {summary['rounds']} rounds:",
             "Mpps by the clock, and per second of CPU time that the virtual machine has got.",
             f"ours: Rx {modes['rx']}, Tx {modes['tx']}; scalar: the same with EAL's SIMD off", "",
             f"  {'':10}{'size':>6}{'queues':>8} | {'stock':>7}{'ours':>7}{'scalar':>7} | "
             f"{'stock':>7}{'ours':>7}{'scalar':>7} per CPU s | ours / stock      scalar / stock"]
    for row in summary["rows"]:
        columns = [" ".join(f"{row[driver][name]:6.3f}" for driver in DRIVERS)
                   for name in ("mpps", "mpps_cpu")]
        lines.append(f"  {row['mode']:10}{row['size']:>6}{row['queues']:>8} |  {columns[0]} |  "
                     f"{columns[1]}           | {show_ratio(row['ours']):17} "
                     f"{show_ratio(row['ours_scalar'])}")
    return "\n".join(lines)


def measure(build, log, options):
    return summarize(run(plan_of(build, options.rounds, options.quick), log))


if __name__ == "__main__":
    sys.exit(command.run(parse, measure, show))
