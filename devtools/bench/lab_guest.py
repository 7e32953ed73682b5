# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: testpmd forwards between the same two NICs with the stock driver and
with ours, as EAL's defaults choose its burst functions and scalar, in turns. Writes what it
measured as JSON to /run/job/result.json; progress goes to stdout, one line each.

    io, mac     64 frames a queue go round between the two ports for ever: what one sends the
                other one receives
    icmpecho    the kernel-driven third NIC sends echo requests as fast as it can to the
                first port; both ports see them, for all are on one hub, and answer

One process per driver, round and number of queues; mode and size change while it runs.
"""

import json
import os
import platform
import re
import signal
import subprocess
import sys
import time

os.environ["LAB_BUILD"] = json.loads(sys.argv[1])["build"]
sys.path.insert(0, os.path.join(os.environ["LAB_TREE"], "tests/lab"))

# pylint: disable=wrong-import-position
from labtest import lab, process, stock  # noqa: E402
from labtest.testpmd import Testpmd  # noqa: E402

# A CPU that is emulated in software has no fast vector instructions: scalar code beside.
DRIVERS = ["ours_scalar", "stock", "ours"]
NO_SIMD = 64  # RTE_VECT_SIMD_DISABLED
CRC = 4  # bytes; the sizes are those on the wire
SETTLE, MEASURE = 0.7, 2  # seconds


def start(driver, queues):
    eal = lab.eal() if driver != "stock" else ["-l", "0-1", *stock.allow(*lab.NICS)]
    if driver == "ours_scalar":
        eal.append(f"--force-max-simd-bitwidth={NO_SIMD}")
    return Testpmd(eal, ["--portmask=0x3", "--total-num-mbufs=16384", "--no-lsc-interrupt",
                         f"--rxq={queues}", f"--txq={queues}",
                         *(["--txonly-multi-flow"] if queues > 1 else [])], defaults=["-i"]).start()


def burst_modes(testpmd):
    """{"rx": .., "tx": ..}; empty where a driver tells none."""
    found = {}
    for way in ("rx", "tx"):
        text = testpmd.command(f"show {way}q info 0 0")
        mode = re.search(r"Burst mode: (.*)", text)
        found[way] = mode[1].strip() if mode else ""
    return found


def queues_in_use(testpmd):
    """Receive queues of port 0 that packets of this run have come to, by the forward statistics."""
    text = testpmd.command("show fwd stats all")
    return sorted({int(queue) for queue, packets in
                   re.findall(r"RX Port= ?0/Queue= ?(\d+).*?\n\s*RX-packets:\s*(\d+)", text)
                   if int(packets) > 0})


class Source:
    """The kernel-driven NIC, sending echo requests."""

    def __init__(self, address, size):
        self.process = subprocess.Popen(["taskset", "-c", "0", lab.BENCH_ECHO_SOURCE, lab.PEER,
                                         address, str(size - CRC)])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            raise RuntimeError(f"bench_echo_source ended with {self.process.returncode}")


def packets_while(testpmd, seconds):
    """(packets sent, seconds by our clock). The host looks at the machine's CPU time when it
    reads the two marks."""
    begin, _, before = testpmd.packets()
    print("mark", flush=True)
    time.sleep(seconds)
    print("mark", flush=True)
    end, _, after = testpmd.packets()
    return after - before, end - begin


def measure_point(testpmd, mode, size):
    testpmd.command(f"set fwd {mode}")
    testpmd.command(f"set txpkts {size - CRC}")
    testpmd.command("clear fwd stats all")
    if mode == "icmpecho":
        testpmd.command("start")
        with Source(testpmd.mac(0), size):
            time.sleep(SETTLE)
            packets, seconds = packets_while(testpmd, MEASURE)
    else:
        testpmd.command("start tx_first 2")
        time.sleep(SETTLE)
        packets, seconds = packets_while(testpmd, MEASURE)
    queues = queues_in_use(testpmd)
    testpmd.command("stop")
    return packets, seconds, queues


def measure(driver, plan, queues, progress):
    points = []
    with process.explained():
        testpmd = start(driver, queues)
        modes = burst_modes(testpmd)
        for mode in plan["modes"]:
            for size in plan["sizes"]:
                packets, seconds, used = measure_point(testpmd, mode, size)
                progress(f"{mode}, {size} B, {queues} queues: {packets / seconds / 1e6:.3f} Mpps")
                points.append({"driver": driver, "mode": mode, "size": size, "queues": queues,
                               "packets": packets, "seconds": seconds, "queues_used": used})
        if testpmd.quit() != 0:
            raise process.Ended("testpmd ended badly")
    return points, modes


def main():
    plan = json.loads(sys.argv[1])
    points, modes = [], {}
    for number in range(1, plan["rounds"] + 1):
        for queues in plan["queues"]:
            # Who comes first changes, for the machine may drift.
            for driver in DRIVERS if number % 2 else reversed(DRIVERS):
                measured, modes[driver] = measure(
                    driver, plan, queues,
                    lambda text, d=driver, n=number: print(
                        f"round {n} of {plan['rounds']}, {d}: {text}", flush=True))
                points += measured
    result = {"points": points, "burst_modes": modes, "kernel": platform.release(),
              "rounds": plan["rounds"]}
    with open(os.path.join(os.environ["LAB_JOB"], "result.json"), "w", encoding="utf-8") as file:
        json.dump(result, file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
