# SPDX-License-Identifier: BSD-3-Clause
"""In the lab's guest: what devtools/bench/memory.py measures there. One JSON object a line."""

import json
import os
import subprocess
import sys
import time

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TREE, "tests/lab"))

from labtest import lab  # noqa: E402  pylint: disable=wrong-import-position
from labtest.peer import Peer  # noqa: E402  pylint: disable=wrong-import-position
from labtest.process import Process  # noqa: E402  pylint: disable=wrong-import-position

RESOLVE_PAGES = 512  # 1 GiB
START_LIMIT = 90  # seconds
GROWTH_MIB, GROWTH_ROUNDS = 512, 4
IPV4 = 0x0800
# Frames of its own as soon as the first port is up.
TXONLY = ["--auto-start", "--forward-mode=txonly", "--total-num-mbufs=4096", "--nb-cores=1"]


def say(**values):
    print(json.dumps(values), flush=True)


def resolve():
    run = subprocess.run([lab.BENCH_RESOLVE, lab.cdev_of(lab.NICS[0]), str(RESOLVE_PAGES)],
                         stdout=subprocess.PIPE, check=True, text=True)
    say(kind="resolve", **json.loads(run.stdout))


def grounds():
    """What stands before the command for the stock driver on iommufd: the library alone, which asks
    the kernel itself, and the launcher, whose broker is asked."""
    return {"library": ["env", f"LD_PRELOAD={lab.LIBRARY}"],
            "broker": [lab.RUN, "--device", lab.NICS[0], "--"]}


def growth(ground):
    run = subprocess.run([*grounds()[ground], lab.BENCH_GROWTH, str(GROWTH_MIB),
                          str(GROWTH_ROUNDS), "-l", "0-1", "-a", lab.NICS[0]],
                         stdout=subprocess.PIPE, check=True, text=True)
    lab.clean_up()
    lab.hugepages_free()
    say(kind="growth", way=ground, mib=GROWTH_MIB, **json.loads(run.stdout.splitlines()[-1]))


def commands(pages):
    """testpmd's EAL arguments for so many hugepages of 2 MiB, each way, and what stands before
    them."""
    nic = lab.NICS[0]
    memory = ["--socket-mem", f"{pages},{pages}"]  # MiB on each of two nodes
    stock = ["-l", "0-1", "-a", nic, *memory]
    return {
        "stock": ([], stock),
        "ours": ([], lab.eal(nic, extra=memory)),
        "arena": ([], lab.eal(f"{nic},arena={2 * pages}M", extra=["-m", "8"])),
        **{ground: (prefix, stock) for ground, prefix in grounds().items()},
    }


def time_to_first_packet(prefix, eal):
    """Seconds from exec until the peer has the first frame."""
    with Peer() as peer:
        peer.drain()
        start = time.monotonic()
        program = Process([*prefix, "dpdk-testpmd", *eal, "--", *TXONLY])
        seen = peer.receive(1, quiet=START_LIMIT, limit=START_LIMIT, ethertype=IPV4)
        seconds = time.monotonic() - start
        program.send("\n")
        program.kill()
        lab.clean_up()
        if not seen:
            sys.exit(f"no frame in {START_LIMIT} s:\n{program.output}")
        lab.hugepages_free()  # waits for the pages of the killed process
        return seconds


def main():
    sizes, rounds = [int(word) for word in sys.argv[1].split(",")], int(sys.argv[2])
    resolve()
    for number in range(rounds):
        for pages in sizes:
            ways = list(commands(pages).items())
            # Who comes first changes, for the machine may drift.
            for way, words in ways if number % 2 == 0 else reversed(ways):
                say(kind="startup", pages=pages, way=way, seconds=time_to_first_packet(*words))
        for ground in grounds() if number % 2 == 0 else reversed(grounds()):
            growth(ground)


main()
